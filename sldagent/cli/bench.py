"""``sldagent bench SUITE|TABLE... [--seeds 0,1,2] [--minutes M] [--out FILE.json]``."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from sldagent.cli import output
from sldagent.cli.options import add_common, data_folder, positive_float, positive_int

if TYPE_CHECKING:
    from sldagent.bench.suite import Line, Result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "tables", metavar="SUITE|TABLE", nargs="+", help="sldbench, built-in tasks, tables, cards, or folders of them"
    )
    parser.add_argument("--data", metavar="DIR", type=Path, help="folder of the built-in tasks' tables, or its parent")
    parser.add_argument("--tasks", metavar="A,B", help="only these tasks of the suite")
    parser.add_argument("--seeds", metavar="A,B", default="0,1,2", help="one discovery for each (default: 0,1,2)")
    parser.add_argument("--minutes", metavar="M", type=positive_float, help="time for each discovery (default: 2)")
    parser.add_argument("--candidates", metavar="N", type=positive_int, help="end each discovery after N candidates")
    parser.add_argument("--workers", metavar="W", type=positive_int, help="processes (default: one per core)")
    parser.add_argument("--out", metavar="FILE.json", type=Path, help="keep results here; those already there are not rerun")
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    from sldagent.bench.suite import Settings, run_suite, summarise, tasks_of
    from sldagent.evolution.config import available_cores

    minutes = 2.0 if args.minutes is None and args.candidates is None else args.minutes
    settings = Settings(minutes, args.candidates, args.workers or available_cores())
    tasks = _selected(tasks_of(args.tables), args.tasks)
    results = run_suite(
        tasks,
        _seeds(args.seeds),
        settings,
        args.archive,
        data=data_folder(args),
        out=args.out,
        report=lambda result: None if args.json else output.show(_progress(result)),
    )
    if args.json:
        output.print_json({"results": [asdict(r) for r in results]})
    else:
        _print(summarise(results))
    return 0


def _selected(tasks: tuple[str, ...], wanted: str | None) -> tuple[str, ...]:
    from sldagent.errors import ConfigError

    if wanted is None:
        return tasks
    names = [w.strip() for w in wanted.split(",") if w.strip()]
    missing = [w for w in names if w not in tasks]
    if missing:
        raise ConfigError(f"--tasks: '{missing[0]}' is not in this suite, which has {', '.join(tasks)}")
    return tuple(names)


def _seeds(text: str) -> list[int]:
    from sldagent.errors import ConfigError

    try:
        seeds = [int(s) for s in text.split(",")]
    except ValueError:
        raise ConfigError(f"--seeds takes whole numbers separated by commas, not '{text}'") from None
    if min(seeds) < 0:
        raise ConfigError("--seeds takes numbers from 0 on")
    return seeds


def _progress(result: Result) -> str:
    if result.choice is None:
        return f"{result.task} seed {result.seed}: no valid law in {result.candidates} candidates"
    score = "no test rows" if result.choice.r2 is None else f"test R2 {result.choice.r2:.4f}"
    return f"{result.task} seed {result.seed}: {score}, {result.candidates} candidates, {result.choice.formula}"


def _print(lines: list[Line]) -> None:
    from sldagent.bench.suite import published
    from sldagent.report.tables import number, table

    names, scores = published()
    columns = ["task", *names, "median R2", "by seed", "best of three", "candidates", "seconds", "CPU s", "mode"]
    rows = []
    for line in lines:
        rows.append(
            (
                line.task,
                *(number(scores[name][line.task], 3) if line.task in scores[name] else "-" for name in names),
                "-" if line.median is None else f"{line.median:.4f}",
                " ".join(f"{s:.4f}" for s in line.scores) or "no test rows",
                " ".join(f"{s:.4f}" for s in line.best_of_three) or "-",
                f"{line.candidates:.0f}",
                f"{line.seconds:.0f}",
                f"{line.cpu_seconds:.0f}",
                line.mode,
            )
        )
    output.show(table(columns, rows, numbers=columns[1:4]))
    output.show("R2 is not clipped; published rows are means of five runs clipped at -1.  Candidates and times are medians.")
