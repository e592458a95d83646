"""Figures of a benchmark's results: for every task the laws on the extrapolation axis, and the front.

    python experiments/sldbench/figures.py ARCHIVE RESULTS.json OUT_FOLDER [--data DIR] [--tables SUITE|TABLE ...]

Of each task and mode the seed with the median test R2 is drawn (`curves.representative`).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from experiments.sldbench.curves import Curve, curves_of, representative
from experiments.sldbench.drawing import draw_front, draw_lines, draw_scatter, pyplot
from experiments.sldbench.slices import axis_of, panels_of
from sldagent.archive.store import Archive
from sldagent.bench.results import OURS, Result, read_results
from sldagent.bench.suite import human_law, tasks_of
from sldagent.errors import ConfigError, SldagentError
from sldagent.report.build import published_names
from sldagent.session import Grounds, prepare
from sldagent.tasks.load import load_task
from sldagent.tasks.task import Task
from sldagent.uncertainty.bootstrap import RESAMPLES


def main(words: Sequence[str] | None = None) -> int:
    """Draw all figures; 2 after one sentence on standard error where that cannot be done."""
    parser = argparse.ArgumentParser(description="Figures of a benchmark's results.")
    parser.add_argument("archive", metavar="ARCHIVE", help="that the benchmark kept its runs in: a file, or an address")
    parser.add_argument("results", metavar="RESULTS.json", type=Path, help="what the benchmark wrote with --out")
    parser.add_argument("out", metavar="OUT_FOLDER", type=Path, help="gets TASK.png and TASK_front.png")
    parser.add_argument("--data", metavar="DIR", type=Path, help="folder of the built-in tasks' tables, or its parent")
    parser.add_argument(
        "--tables", metavar="SUITE|TABLE", nargs="+", help="what the benchmark was run on, where not built in"
    )
    parser.add_argument("--resamples", metavar="N", type=int, default=RESAMPLES, help="refits for the intervals (0: none)")
    args = parser.parse_args(words)
    data = args.data or (Path(os.environ["SLDAGENT_DATA"]) if os.environ.get("SLDAGENT_DATA") else None)
    try:
        pyplot()
        for path in draw_all(args.archive, args.results, args.out, data, args.tables, args.resamples):
            print(f"{path}  {path.stat().st_size / 1000:.0f} kB", flush=True)
    except SldagentError as error:
        print(f"figures: error: {error}", file=sys.stderr)
        return 2
    return 0


def draw_all(
    archive: str, results_file: Path, out: Path, data: Path | None = None, tables: Sequence[str] | None = None,
    resamples: int = RESAMPLES,
) -> list[Path]:  # fmt: skip
    """The figures' files, in order of the results.

    Args:
        tables: tasks, tables or suites as the benchmark took them; None: the results' own tasks, by their built-in names.
        resamples: refits of each law of the short list.

    Raises:
        SldagentError: results, tables or archive cannot be used, or matplotlib is not installed.
    """
    results = [r for r in read_results(results_file) if r.method == OURS]
    specs = tasks_of(tables) if tables else tuple(dict.fromkeys(r.task for r in results))
    entrants = {}
    for spec in specs:
        task = load_task(spec, data=data)
        entrants[task.name] = (task, human_law(spec))
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"the folder '{out}' cannot be made ({error}): name another one") from None
    written = []
    with Archive.open(archive if "://" in archive else f"sqlite:///{archive}", read_only=True) as store:
        for name, mode in dict.fromkeys((r.task, r.mode) for r in results):
            result = representative(results, name, mode)
            if result is not None and name in entrants:
                task, human = entrants[name]
                stem = name if mode == "blind" else f"{name}_{mode}"
                written += draw_task(result, task, human, store, out / stem, resamples)
    return written


def draw_task(result: Result, task: Task, human: str, store: Archive, stem: Path, resamples: int) -> list[Path]:
    """Both figures of one result: ``STEM.png`` and ``STEM_front.png``."""
    grounds = prepare(task)
    curves = curves_of(result, grounds, human, store, resamples)
    laws, front = stem.with_name(stem.name + ".png"), stem.with_name(stem.name + "_front.png")
    what = f"{task.name}, {result.mode}, seed {result.seed}"
    untested = "" if (task.split == "test").any() else "; no test rows at hand"
    draw_laws(grounds, curves, what + untested, laws)
    run, _ = store.law(result.shortlist[0].law)
    rows = store.candidate_rows(run.run)
    by_law = {r.law: r for r in rows}
    on_front = [by_law[f"{run.run}-{c.k}"] for c in store.front(run.run)]
    shortlist = [by_law[s.law] for s in result.shortlist]
    draw_front(rows, on_front, shortlist, published_names(grounds.train), what, front)
    return [laws, front]


def draw_laws(grounds: Grounds, curves: Sequence[Curve], what: str, path: Path) -> None:
    """Laws along the extrapolation axis; predicted against measured where the task has none, or no slice to show it on."""
    task = grounds.task
    axis = axis_of(task)
    order = group_order(task, curves[0])
    panels = [] if axis is None else panels_of(task, axis, order)
    if axis is None or not panels:
        draw_scatter(task, curves, what, path)
        return
    shown = len({p.group for p in panels})
    if shown < len(order):
        what += f"; {shown} of {len(order)} groups, evenly from the best to the worst predicted"
    draw_lines(task, axis, panels, curves, what, path)


def group_order(task: Task, choice: Curve) -> list[int]:
    """Groups that have rows, from the best to the worst predicted by the choice: on test rows, where there are any.

    Errors are relative to the spread of the group's own rows.
    """
    rows = task.part("test") if (task.split == "test").any() else task
    with np.errstate(all="ignore"):
        residual = choice.predict(rows, rows.X, rows.group) - rows.Y
    errors = {}
    for g in np.unique(rows.group):
        spread = task.Y[task.group == g].var(axis=0)
        errors[int(g)] = float(np.mean((residual[rows.group == g] ** 2).mean(axis=0) / np.maximum(spread, 1e-300)))
    return sorted(errors, key=lambda g: (not np.isfinite(errors[g]), errors[g], g))


if __name__ == "__main__":
    sys.exit(main())
