"""``sldagent show LAW``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from sldagent.cli import output
from sldagent.cli.options import add_common, open_archive
from sldagent.report.tables import number, table

if TYPE_CHECKING:
    from sldagent.fitted import Fitted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("law", metavar="LAW", help="a law's id, a run's id (its choice) or an exported JSON file")
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    from sldagent.fitted import from_candidate, is_file, resolve

    if is_file(args.law):
        law = resolve(args.law, None)
        if args.json:
            output.print_json(law.document)
        else:
            _print_law(law)
        return 0
    from sldagent.report.build import law_summary
    from sldagent.report.lineage import ancestry

    with open_archive(args) as archive:
        record, candidate = archive.law(args.law)
        family = ancestry(archive, record.run, candidate)
    name = f"{record.run}-{candidate.k}"
    failure = candidate.evaluation.failure
    document = {
        **law_summary(name, candidate, tuple(record.card["groups"])),
        "run": record.run,
        "task": record.task,
        "program": candidate.source,
        "operator": candidate.operator,
        "island": candidate.island,
        "note": candidate.note,
        "tree": candidate.evaluation.tree,
        "scalars": candidate.evaluation.scalars,
        "invalid_reason": candidate.evaluation.invalid_reason,
        "train_r2": candidate.evaluation.train_r2,
        "at_bounds": candidate.evaluation.at_bounds,
        "rank_deficient": candidate.evaluation.rank_deficient,
        "cuts": candidate.evaluation.cuts,
        "ancestry": family,
        "failure": failure,
    }
    if args.json:
        output.print_json(document)
        return 0
    if failure is None:
        _print_law(from_candidate(record, candidate))
        rows = [(c.cut, c.target, c.rows, number(c.kept_log_mse), number(c.log_mse)) for c in candidate.evaluation.cuts]
        columns = ["cut", "target", "rows held out", "ln MSE kept", "ln MSE held out"]
        output.show("Errors on the cuts")
        output.show(table(columns, rows, numbers=columns[2:]))
    else:
        output.show(f"{name} on {record.task}", f"  {candidate.formula}", f"not used: {failure.reason}. {failure.detail}")
    family_rows = [(a.generation, a.law, a.operator, number(a.x), number(a.complexity), a.formula) for a in family]
    columns = ["back", "law", "made by", "X", "C", "formula"]
    output.show("Ancestry")
    output.show(table(columns, family_rows, numbers=["back", "X", "C"]))
    return 0


def _print_law(law: Fitted) -> None:
    from sldagent.report.formula import formula_text
    from sldagent.report.parameters import parameter_lines

    evaluation = law.document["evaluation"]
    figures = {"X": "x", "standard error": "x_se", "C": "complexity", "MDL": "mdl", "training R2": "train_r2"}
    output.show(
        f"{law.law} on {law.document['task']}",
        f"  {', '.join(law.targets)} = {formula_text(law.program.law, law.parameters)}",
        f"  form: {formula_text(law.program.law)}",
        "  " + ", ".join(f"{label} {number(evaluation.get(key))}" for label, key in figures.items()),
    )
    rows = [
        (group, label, number(float(law.parameters[name][index]), 6)) for group, label, name, index in parameter_lines(law)
    ]
    output.show("Parameters")
    output.show(table(["group", "parameter", "value"], rows, numbers=["value"]))
