"""``sldagent bench SUITE|TABLE... [--seeds 0,1,2] [--minutes M] [--baselines all] [--targeted] [--out FILE.json]``.

``sldagent bench bnsl|sloth|... --data DIR`` runs a published system's own benchmark instead.
"""

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
        "tables",
        metavar="SUITE|TABLE",
        nargs="+",
        help="sldbench, built-in tasks, tables, cards, or folders of them; or one published system: bnsl, sloth, ...",
    )
    parser.add_argument("--data", metavar="DIR", type=Path, help="folder of the built-in tasks' tables, or its parent")
    parser.add_argument("--tasks", metavar="A,B", help="only these tasks of the suite")
    parser.add_argument("--seeds", metavar="A,B", help="one discovery for each (default: 0,1,2)")
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
    parser.add_argument("--figures", metavar="DIR", type=Path, help="draw a published system's pictures here")
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    from sldagent.predictors.registry import BENCHMARKS

    if any(name in BENCHMARKS for name in args.tables):
        return _run_published(args)
    from sldagent.bench.baselines.registry import baselines_of
    from sldagent.bench.results import Settings
    from sldagent.bench.suite import run_suite, tasks_of
    from sldagent.bench.summary import summarise
    from sldagent.bench.tables import report_tables
    from sldagent.errors import ConfigError
    from sldagent.evolution.config import available_cores

    if args.figures is not None:
        raise ConfigError("--figures is for a published system's benchmark, such as 'bench bnsl'")
    minutes = 2.0 if args.minutes is None and args.candidates is None else args.minutes
    show: Callable[[str], None] = _silent if args.json else output.show
    results = run_suite(
        _selected(tasks_of(args.tables), args.tasks),
        _seeds(args.seeds or "0,1,2"),
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


def _run_published(args: argparse.Namespace) -> int:
    """A published system's own benchmark."""
    from sldagent.errors import ConfigError
    from sldagent.predictors.benchmark import Request, figures_grid, write_report
    from sldagent.predictors.registry import benchmark
    from sldagent.report.tables import table

    if len(args.tables) > 1:
        raise ConfigError(f"a published system's benchmark runs alone: sldagent bench {args.tables[0]} --data DIR")
    for option in ("minutes", "candidates", "workers", "baselines"):
        if getattr(args, option) is not None:
            raise ConfigError(f"--{option} is of no use here: 'bench {args.tables[0]}' makes no discoveries")
    if args.targeted:
        raise ConfigError(f"--targeted is of no use here: 'bench {args.tables[0]}' makes no discoveries")
    data = data_folder(args)
    if data is None:
        raise ConfigError(f"'bench {args.tables[0]}' needs the folder of the development tables: give it with --data")
    tasks = tuple(w.strip() for w in (args.tasks or "").split(",") if w.strip())
    show: Callable[[str], None] = _silent if args.json else output.show
    seeds = () if args.seeds is None else tuple(_seeds(args.seeds))
    report = benchmark(args.tables[0])(Request(data, tasks, seeds, args.figures, show))
    if args.out is not None:
        write_report(report, args.out)
    if args.json:
        output.print_json(report)
        return 0
    for grid in (*report.grids, *((figures_grid(report.figures),) if report.figures else ())):
        output.show(grid.title, table(grid.columns, grid.rows, numbers=grid.columns[1:]))
        if grid.note:
            output.show(grid.note)
    output.show(f"{report.cpu_seconds:.1f} s of processor time")
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
