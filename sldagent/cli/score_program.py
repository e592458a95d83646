"""``sldagent score PROGRAM.py TABLE``: fit a program file to the training rows and score it on others, in the jail."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sldagent.cli import output
from sldagent.cli.options import jail_warning, load_task, open_archive
from sldagent.errors import FitError
from sldagent.report.tables import number, table

if TYPE_CHECKING:
    from sldagent.foreign.evaluate import Scored
    from sldagent.foreign.program import ForeignProgram
    from sldagent.tasks.task import Task


def run(args: argparse.Namespace) -> int:
    """Score the program; one sentence and exit code 2 where it cannot be run or the guard refuses it.

    A program that ran and was not scored is logged as a reading without figures.
    """
    from sldagent.fitted import check_split
    from sldagent.foreign.guard import over_limit
    from sldagent.foreign.program import is_foreign, read_program

    path = Path(args.law)
    task = load_task(args, args.table)
    train, rows = task.part("train"), check_split(task, args.split)
    if len(train.X) == 0:
        raise FitError(f"{task.source}: no row has 'train' in column '{task.split_column}', so there is nothing to fit to")
    if path.is_file() and not is_foreign(path):
        return _declared(args, task, rows)
    program = read_program(path)
    scored, layers = _scored(args, program, train, rows)
    predicted = scored.guarded.predictions
    if predicted is None:
        detail = "" if scored.failure is None else scored.failure.detail
        with open_archive(args, read_only=False) as archive:
            archive.log_scoring(program.name, args.split, rows.source, len(rows.X), {})
        if not args.json:
            _show_findings(program)
            _show_log(scored.feedback)
        raise FitError(f"{program.name} is not scored: {detail}")
    parameters = 0 if scored.parameters is None else int(scored.parameters[0].size)
    document = {
        "program": program.name,
        **_metrics(args, task, rows, predicted, program.name),
        "parameters": parameters,
        "limit": over_limit(task, parameters),
        "columns": [v.name for v in task.variables],
        "lint": [str(f) for f in program.lint.findings],
        "guard": list(scored.guarded.checks),
        "log": scored.feedback,
        "jail": layers,
    }
    if args.json:
        output.print_json(document)
        return 0
    fitted = ", ".join(v.name for v in task.variables)
    output.show(f"{program.name}: fitted to {len(train.X)} training rows (data_points: {fitted})", *jail_warning(layers))
    _show_findings(program)
    output.show(f"Behaviour guard: passed ({', '.join(scored.guarded.checks)})")
    if document["limit"]:
        output.show(f"Limit: it {document['limit']}")
    _show(document)
    _show_log(scored.feedback)
    return 0


def _scored(args: argparse.Namespace, program: ForeignProgram, train: Task, rows: Task) -> tuple[Scored, dict[str, Any]]:
    from sldagent.foreign.evaluate import score
    from sldagent.foreign.jails import ProgramJails, absent

    missing = program.lint.refusal or absent(program.lint)
    if missing:
        raise FitError(f"{args.law} is not scored: {missing}")
    with ProgramJails(args.jail) as jails:
        jail = jails.jail_of(program.lint)
        return score(program, jail, train, rows), jail.layers.as_json()


def _metrics(args: argparse.Namespace, task: Task, rows: Task, predicted: Any, name: str) -> dict[str, Any]:
    """R2, NMSE and NMAE over all and by target; the reading of the rows is logged."""
    from sldagent.evaluation.metrics import mean_metrics, metrics

    parts = {t.name: metrics(rows.Y[:, k], predicted[:, k]) for k, t in enumerate(task.targets)}
    total = mean_metrics(list(parts.values()))
    figures = {**asdict(total), "per_target": {target: asdict(m) for target, m in parts.items()}}
    with open_archive(args, read_only=False) as archive:
        archive.log_scoring(name, args.split, rows.source, len(rows.X), figures)
    return {"split": args.split, "source": rows.source, "rows": len(rows.X), **figures}


def _declared(args: argparse.Namespace, task: Task, rows: Task) -> int:
    """A program of the law language: its law is fitted by the engine (or by its own code, in the jail)."""
    from sldagent.api import fit_task

    fitted = fit_task(task, args.law, jail=args.jail)
    name = Path(args.law).name
    figures = _metrics(args, task, rows, fitted.predict_rows(rows), name)
    document = {"program": name, "formula": fitted.formula, **figures}
    if args.json:
        output.print_json(document)
    else:
        output.show(f"{name}: {', '.join(fitted.targets)} = {fitted.formula}")
        _show(document)
    return 0


def _show(document: dict[str, Any]) -> None:
    parts = {**document["per_target"]}
    if len(parts) > 1:
        parts["mean"] = document
    lines = [(name, number(m["r2"], 5), number(m["nmse"]), number(m["nmae"])) for name, m in parts.items()]
    columns = ["target", "R2", "NMSE", "NMAE"]
    output.show(f"{document['program']} on {document['rows']} rows ({document['split']}) of {document['source']}")
    output.show(table(columns, lines, numbers=columns[1:]))


def _show_findings(program: ForeignProgram) -> None:
    if program.lint.findings:
        output.show("Lint (a reader's warning, not what keeps the program in):", *(f"  {f}" for f in program.lint.findings))


def _show_log(feedback: str) -> None:
    if feedback:
        output.show(*(f"  | {line}" for line in feedback.splitlines()))
