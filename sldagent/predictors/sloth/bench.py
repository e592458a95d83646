"""``sldagent bench sloth``: Sloth and its baselines by leave-one-family-out, on three sets of benchmarks.

``--tasks`` takes sets (v1, v2, all12) and methods (basic-2, full-2, flops-family, pca-1, pooled, blend, ...), in any number;
without sets all three run, without methods those that have a figure to reach and the baselines that cost little.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sldagent.predictors import benchmark as frame
from sldagent.predictors.sloth.figure import draw_loadings
from sldagent.predictors.sloth.methods import Method, mean, methods
from sldagent.predictors.sloth.model import Sloth
from sldagent.predictors.sloth.protocol import FILES, TABLES, Ground, read_ground

FloatArray = NDArray[np.float64]
Made = tuple[list[FloatArray], float]
"""Predictions by fold, and processor time in seconds for each."""
USUAL = ("flops", "flops-family", "size-family", "pca-2", "shared-2", "basic-2", "full-2", "full-2-mean", "pooled", "blend")
PUBLISHED = {
    "v1": {
        "flops": 7.808, "flops-family": 4.904, "size-family": 5.687, "size-family-full": 4.413, "pca-1": 7.321,
        "pca-2": 6.037, "pca-3": 6.344, "pca-4": 6.376, "shared-1": 7.710, "shared-2": 7.131, "shared-3": 7.349,
        "shared-4": 7.346, "basic-1": 8.365, "basic-2": 5.832, "basic-3": 5.340, "basic-4": 5.132, "full-1": 5.592,
        "full-2": 4.290, "full-3": 4.250, "full-4": 4.056,
    },
    "v2": {
        "flops": 4.857, "flops-family": 3.788, "size-family": 3.865, "size-family-full": 4.073, "pca-1": 6.020,
        "pca-2": 5.414, "pca-3": 5.471, "pca-4": 5.652, "shared-1": 5.432, "shared-2": 5.555, "shared-3": 5.564,
        "shared-4": 5.583, "basic-1": 5.178, "basic-2": 3.648, "basic-3": 3.839, "basic-4": 4.172, "full-1": 4.127,
        "full-2": 2.855, "full-3": 3.509, "full-4": 3.306,
    },
    "all12": {
        "flops": 6.117, "flops-family": 4.118, "size-family": 4.689, "size-family-full": 4.105, "pca-1": 6.299,
        "pca-2": 5.898, "pca-3": 5.553, "pca-4": 5.704, "shared-1": 6.365, "shared-2": 6.170, "shared-3": 6.207,
        "shared-4": 6.272, "basic-1": 6.849, "basic-2": 4.924, "basic-3": 4.539, "basic-4": 4.895, "full-1": 5.278,
        "full-2": 4.168, "full-3": 3.520, "full-4": 4.076,
    },
}  # fmt: skip
"""Mean absolute errors in points of the authors' saved predictions, averaged as in `Ground.mae`."""
TOLERANCE = {"basic-2": 0.1, "full-2": 0.15}
BEAT = {"v2": 2.6, "all12": 3.4}


def run(request: frame.Request) -> frame.Report:
    """The benchmark; see the module."""
    request.no_seeds("the protocol fixes the start of every fit")
    known = methods()
    request.chosen((*TABLES, *known))
    sets = tuple(t for t in request.tasks if t in TABLES) or tuple(TABLES)
    names = tuple(t for t in request.tasks if t in known) or USUAL
    folder = request.folder("sloth", *FILES)
    begun = frame.cpu_seconds()
    grids, figures = [], []
    for table in sets:
        ground = read_ground(folder, table)
        rows = []
        made: dict[str, Made] = {}
        for name in names:
            predicted, spent = _predicted(name, known, ground, made)
            errors = ground.mae(predicted)
            published = PUBLISHED[table].get(name)
            rows.append((name, float(errors.mean()), published, *map(float, errors), spent, known[name].sees))
            request.note(f"{table}, {name}: {errors.mean():.3f} points in {spent:.1f} s of processor time for each fold")
            figures += _figures(table, name, float(errors.mean()), spent)
        grids.append(_grid(table, ground, rows))
        if request.figures is not None:
            request.figures.mkdir(parents=True, exist_ok=True)
            draw_loadings(_whole(ground), request.figures / f"sloth_loadings_{table}.png")
    return frame.Report("sloth", tuple(grids), tuple(figures), frame.cpu_seconds() - begun, {"sets": sets, "methods": names})


def _predicted(name: str, known: Mapping[str, Method], ground: Ground, made: dict[str, Made]) -> Made:
    """Predictions of a method, kept in `made` together with those of the methods that it averages."""
    if name not in made:
        method = known[name]
        if method.predict is None:
            parts = [_predicted(part, known, ground, made) for part in method.mean_of]
            made[name] = mean([predicted for predicted, _ in parts]), sum(spent for _, spent in parts)
        else:
            started = frame.cpu_seconds()
            predicted = method.predict(ground)
            made[name] = predicted, (frame.cpu_seconds() - started) / len(ground.folds)
    return made[name]


def _whole(ground: Ground) -> Sloth:
    """Basic Sloth with two skills on all models of a set, for the loadings."""
    X = np.stack([ground.params.astype(object), ground.tokens.astype(object), ground.families.astype(object)], axis=1)
    model = Sloth(2, floors=tuple(ground.floors.tolist())).fit(X, ground.scores)
    model.target_names_ = ground.benchmarks
    return model


def _grid(table: str, ground: Ground, rows: list[tuple[str | float | None, ...]]) -> frame.Grid:
    columns = ("method", "mean", "authors", *ground.benchmarks, "CPU s/fold", "sees of a test model")
    test = sum(int(fold.test.sum()) for fold in ground.folds)
    title = f"{table}: mean absolute error in points, {len(ground.folds)} groups of families, {test} models to predict"
    return frame.Grid(title, columns, tuple(rows))


def _figures(table: str, name: str, seen: float, seconds: float) -> list[frame.Figure]:
    out = []
    if name in TOLERANCE:
        out.append(frame.within(f"{table}, {name}: MAE", seen, PUBLISHED[table][name], TOLERANCE[name]))
    if name == "full-2":
        out.append(frame.at_most(f"{table}, {name}: seconds of processor time, one fold", seconds, 20.0))
    if name == "blend" and table in BEAT:
        out.append(frame.at_most(f"{table}, {name}: MAE", seen, BEAT[table]))
    return out


BENCHMARK = run
