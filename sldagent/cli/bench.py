"""``sldagent bench SUITE|TABLE... [--seeds 0,1,2] [--minutes M] [--baselines all] [--targeted] [--out FILE.json]``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sldagent.cli import output
from sldagent.cli.options import add_common, data_folder, positive_float, positive_int

if TYPE_CHECKING:
    from sldagent.bench.results import Result


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
    parser.add_argument(
        "--baselines", metavar="A,B", help="in the same budget: human, catalogue, best-of-n, pyoperon, gplearn; or all"
    )
    parser.add_argument(
        "--targeted", action="store_true", help="tell discoveries at which inputs the test rows lie (reported apart)"
    )
    parser.add_argument("--out", metavar="FILE.json", type=Path, help="keep results here; those already there are not rerun")
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    from sldagent.bench.baselines.registry import baselines_of
    from sldagent.bench.results import Settings
    from sldagent.bench.suite import run_suite, tasks_of
    from sldagent.bench.summary import summarise
    from sldagent.bench.tables import report_tables
    from sldagent.evolution.config import available_cores

    minutes = 2.0 if args.minutes is None and args.candidates is None else args.minutes
    show: Callable[[str], None] = _silent if args.json else output.show
    results = run_suite(
        _selected(tasks_of(args.tables), args.tasks),
        _seeds(args.seeds),
        Settings(minutes, args.candidates, args.workers or available_cores()),
        args.archive,
        baselines=baselines_of(args.baselines),
        targeted=args.targeted,
        data=data_folder(args),
        out=args.out,
        report=lambda result: show(_progress(result)),
        note=show,
    )
    lines = summarise(results)
    if args.json:
        output.print_json({"results": results, "lines": lines})
    else:
        output.show(*report_tables(lines))
    return 0


def _silent(_: str) -> None:
    """With --json nothing but JSON is printed."""


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
    from sldagent.bench.results import OURS

    what = result.task if result.method == OURS else f"{result.task}, {result.method},"
    if result.choice is None:
        why = result.note or f"no valid law in {result.candidates} candidates"
        return f"{what} seed {result.seed}: {why}"
    score = f"test R2 {result.choice.r2:.4f}" if result.choice.r2 is not None else "not finite on the test rows"
    if not result.test_rows:
        score = "no test rows"
    return f"{what} seed {result.seed}: {score}, {result.candidates} candidates, {result.choice.formula}"
