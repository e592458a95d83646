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

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from experiments.sldbench.curves import curves_of, representative
from sldagent.archive.store import Archive
from sldagent.bench.results import OURS, Result, read_results
from sldagent.bench.suite import human_law, tasks_of
from sldagent.errors import ConfigError, SldagentError
from sldagent.report.build import published_names
from sldagent.report.figures import Curve, axis_of, front_plot, group_order, lines_plot, scatter_plot, slices_of
from sldagent.report.figures.files import encoded
from sldagent.report.figures.plot import Plot
from sldagent.report.formula import formula_text
from sldagent.session import Grounds, prepare
from sldagent.tasks.load import load_task
from sldagent.tasks.task import Task
from sldagent.uncertainty.bootstrap import RESAMPLES

DPI = 115


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
        SldagentError: results, tables or archive cannot be used.
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
    _write(front_plot(rows, on_front, shortlist, published_names(grounds.train), what), front)
    return [laws, front]


def draw_laws(grounds: Grounds, curves: Sequence[Curve], what: str, path: Path) -> None:
    """Laws along the extrapolation axis; predicted against measured where the task has none, or no slice to show it on."""
    task = grounds.task
    axis = axis_of(task)
    order = group_order(task, curves[0])
    slices = [] if axis is None else slices_of(task, axis, order)
    formula = formula_text(curves[0].fitted.program.law)
    if axis is None or not slices:
        _write(scatter_plot(task, curves, what), path, formula)
        return
    shown = len({s.group for s in slices})
    if shown < len(order):
        what += f"; {shown} of {len(order)} groups, evenly from the best to the worst predicted"
    _write(lines_plot(task, axis, slices, curves, what), path, formula)


def _write(plot: Plot, path: Path, note: str = "") -> None:
    """A PNG small enough to keep in a repository, from which no table can be read back."""
    try:
        path.write_bytes(encoded(plot.figure(note), "png", DPI))
    except OSError as error:
        raise ConfigError(f"the figure '{path}' cannot be written ({error}): name another folder") from None


if __name__ == "__main__":
    sys.exit(main())
