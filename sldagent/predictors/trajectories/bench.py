"""``sldagent bench trajectories``: anchored forecasts on public checkpoint tables, by the network and all baselines.

The published figures (2.04 %, second version 1.99 %) rest on accuracies and token losses that are not public in this form
and are not claimed; this is the published protocol on other data.

``--tasks`` takes sources (gemstones, olmo_ladder), splits (random, largest, tasks) and methods (baselines, network,
network-losses), in any number; of a kind that is not named, all run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sldagent.predictors.benchmark import Figure, Grid, Report, Request, at_most, cpu_seconds, within
from sldagent.predictors.trajectories.baselines import BASELINES
from sldagent.predictors.trajectories.model import TrajectoryForecaster
from sldagent.predictors.trajectories.protocol import RATIO, SPLITS, Scores, Split, future, make_split, score
from sldagent.predictors.trajectories.sources import GEMSTONES, OLMO, Source, read_gemstones, read_olmo

SEEDS = (0, 1, 2)
READERS: dict[str, tuple[tuple[str, ...], Callable[[Path], Source]]] = {
    "gemstones": (GEMSTONES, read_gemstones),
    "olmo_ladder": (OLMO, read_olmo),
}
NETWORKS = {
    "network": ("past accuracy", TrajectoryForecaster(RATIO)),
    "network-losses": ("past accuracy, past losses", TrajectoryForecaster(RATIO, losses=True)),
}
METHODS = ("baselines", *NETWORKS)
ORACLE = "FUTURE"
"""Word in what a method sees that makes it no fair rival."""


@dataclass(frozen=True)
class Line:
    """One method on one split of one source."""

    method: str
    sees: str
    scores: tuple[Scores, ...]
    """By seed."""
    seconds: float
    """Processor time of training, mean over seeds; NaN for baselines."""

    @property
    def mae(self) -> float:
        return float(np.mean([s.mae for s in self.scores]))

    @property
    def coverage(self) -> float:
        return float(np.mean([s.coverage for s in self.scores]))


def run(request: Request) -> Report:
    """The benchmark.  Raises TableError where the tables are not there."""
    asked = request.chosen((*READERS, *SPLITS, *METHODS))
    sources, kinds, methods = (
        [name for name in known if name in asked] or list(known) for known in (READERS, SPLITS, METHODS)
    )
    seeds = request.seeds or SEEDS
    started = cpu_seconds()
    grids: list[Grid] = []
    figures: list[Figure] = []
    for name in sources:
        files, read = READERS[name]
        source = read(request.folder(name, *files))
        for kind in kinds:
            request.note(f"{name}, {kind} ...")
            lines = _lines(source, [make_split(source, kind, seed) for seed in seeds], methods, request.note)
            grids.append(_grid(source, kind, lines, seeds))
            figures += _figures(name, kind, lines)
    settings = {"ratio": RATIO, "seeds": list(seeds), "methods": methods, **TrajectoryForecaster(RATIO).get_params()}
    return Report("trajectories", tuple(grids), tuple(figures), cpu_seconds() - started, settings)


BENCHMARK = run


def _lines(
    source: Source, splits: Sequence[Split], methods: Sequence[str], note: Callable[[str], None]
) -> list[Line]:
    out = []
    for baseline in BASELINES if "baselines" in methods else ():
        scores = []
        for split in splits:
            made = baseline.forecast(source, split)
            if made is not None:
                scores.append(score([source.trajectories[i] for i in split.test], made))
        if scores:
            out.append(Line(baseline.name, baseline.sees, tuple(scores), np.nan))
    for name in [name for name in NETWORKS if name in methods]:
        sees, template = NETWORKS[name]
        scores, seconds = [], []
        for split in splits:
            started = cpu_seconds()
            model = TrajectoryForecaster(**{**template.get_params(), "seed": split.seed})
            model.fit_trajectories(tuple(source.trajectories[i] for i in split.train))
            seconds.append(cpu_seconds() - started)
            scores.append(network_scores(model, source, split))
            mae, covers = scores[-1].mae, 100.0 * scores[-1].coverage
            note(f"{name}, seed {split.seed}: MAE {mae:.3f}, 80 % covers {covers:.1f} %, training {seconds[-1]:.0f} s")
        out.append(Line(name, sees, tuple(scores), float(np.mean(seconds))))
    return out


def network_scores(model: TrajectoryForecaster, source: Source, split: Split) -> Scores:
    """Scores of a fitted network's medians and 80 % intervals on the test trajectories."""
    test = tuple(source.trajectories[i] for i in split.test)
    wanted = [future(t) for t in test]
    counts = [len(w) for w in wanted]
    index = np.repeat(np.arange(len(test)), counts)
    ends = np.repeat([w[0] - 1 for w in wanted], counts)
    made = np.split(model.forecast(test, index, ends, np.concatenate(wanted)), np.cumsum(counts)[:-1])
    return score(test, [q[:, 2] for q in made], [q[:, [0, 4]] for q in made])


def _grid(source: Source, kind: str, lines: Sequence[Line], seeds: Sequence[int]) -> Grid:
    rows = tuple(
        (
            line.method,
            line.sees,
            line.mae,
            *(s.mae for s in line.scores),
            _known(100.0 * line.coverage),
            _known(100.0 * float(np.mean([s.ranking for s in line.scores]))),
            _known(line.seconds),
        )
        for line in lines
    )
    title = {"random": "random models held out", "largest": "largest models held out", "tasks": "tasks held out"}[kind]
    return Grid(
        f"{source.name}, {title}: MAE in points",
        ("method", "sees", "mean", *(f"seed {s}" for s in seeds), "80 % covers", "ranking", "training s (CPU)"),
        rows,
        f"context: checkpoints 0 to int({RATIO} T); past losses: {source.losses}"
        + ("; the logistic needs the task in training" if kind == "tasks" else ""),
    )


def _figures(name: str, kind: str, lines: Sequence[Line]) -> list[Figure]:
    """Figures of the network that reads accuracies only, where it ran."""
    by = {line.method: line for line in lines}
    if "network" not in by:
        return []
    network, title = by["network"], f"{name}, {kind}"
    fair = [x for x in lines if x.method not in NETWORKS and ORACLE not in x.sees]
    out = []
    if fair:
        best = min(fair, key=lambda x: x.mae)
        out.append(at_most(f"{title}: network against {best.method}", network.mae, best.mae))
    if name == "gemstones" and kind == "random":
        out.append(at_most(f"{title}: network, MAE", network.mae, 0.81))
        out.append(within(f"{title}: 80 % interval covers (%)", 100.0 * network.coverage, 81.0, 3.0))
    if name == "gemstones" and kind == "largest" and fair:
        out.append(
            at_most(f"{title}: network against the saturating power law", network.mae, by["saturating power law"].mae)
        )
    out.append(at_most(f"{title}: training (CPU s)", network.seconds, 120.0))
    return out


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
