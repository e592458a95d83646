"""How the best value of each setting moves with scale, in the rows and in a law at those rows.

At every combination of group and scale levels a full quadratic in the settings' coordinates is fitted; its stationary
point is the optimum there.  The optima are then regressed on the logarithms of the scale variables: s* ~ N**a * D**b.
Rows and law go through the same estimator at the same rows, so what differs between them is the law's.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sldagent.diagnosis.axes import Axes, centred
from sldagent.tasks.levels import level_labels

FloatArray = NDArray[np.float64]

MIN_CELLS = 3
REACH = 0.25
"""An optimum may lie this share of the settings' range outside of it."""


@dataclass(frozen=True)
class Bowl:
    """One combination of group and scale levels."""

    rows: NDArray[np.int64]
    group: int
    scale: FloatArray
    """(scale variables,) mean coordinate."""
    solve: FloatArray
    """(coefficients, rows): pseudo-inverse of the quadratic's design."""
    settings: tuple[int, ...]
    """Settings that have three values or more here (positions among the settings)."""
    low: FloatArray
    high: FloatArray
    middle: FloatArray


@dataclass(frozen=True)
class Bowls:
    """All of them; the same for all laws."""

    settings: tuple[str, ...]
    logged: tuple[bool, ...]
    scale: tuple[str, ...]
    cells: tuple[Bowl, ...]


@dataclass(frozen=True)
class Drift:
    """How one setting's optimum moves, for one target."""

    setting: str
    target: str
    cells: int
    """Combinations of scale levels at which both have an optimum (at which the rows have one, where the law has none)."""
    data: tuple[tuple[str, float], ...]
    """(scale variable, exponent): d ln s* / d ln x (d s* / d ln x for a setting without logarithm)."""
    law: tuple[tuple[str, float], ...]
    """Empty where the law has no optimum in the setting, or does not use it."""
    offset: float
    """Mean of the law's optimum less the rows', in the setting's coordinate; NaN where the law has none."""
    scatter: float
    """Root mean square of the same difference; inf where the law has none."""
    logged: bool


def bowls(axes: Axes, group: NDArray[np.int64]) -> Bowls:
    """Cells in which the settings' optimum can be found."""
    settings, scale = axes.of_role("setting"), axes.of_role("scale")
    names = tuple(axes.symbols[k] for k in settings), tuple(axes.symbols[k] for k in scale)
    logged = tuple(axes.logged[k] for k in settings)
    if not settings or not scale:
        return Bowls(names[0], logged, names[1], ())
    labels = [level_labels(axes.values[:, k]) for k in scale]
    columns = [group]
    for k, (label, continuous) in zip(scale, labels, strict=True):
        columns.append(np.unique(axes.values[:, k], return_inverse=True)[1].astype(np.int64) if continuous else label)
    key = np.column_stack(columns)
    ids = np.unique(key, axis=0, return_inverse=True)[1].ravel()
    cells = []
    for cell in range(int(ids.max()) + 1):
        rows = np.flatnonzero(ids == cell)
        bowl = _bowl(axes, rows, settings, scale, int(group[rows[0]]))
        if bowl is not None:
            cells.append(bowl)
    return Bowls(names[0], logged, names[1], tuple(cells))


def _bowl(axes: Axes, rows: NDArray[np.int64], settings: tuple[int, ...], scale: tuple[int, ...], group: int) -> Bowl | None:
    S = axes.values[rows][:, list(settings)]
    use = tuple(j for j in range(len(settings)) if len(np.unique(np.round(S[:, j], 9))) >= 3)
    S = S[:, list(use)]
    size = 1 + 2 * len(use) + len(use) * (len(use) - 1) // 2
    if not use or len(rows) < size:
        return None
    middle = S.mean(axis=0)
    design = _quadratic(S - middle)
    if np.linalg.matrix_rank(design) < size:
        return None
    low, high = S.min(axis=0), S.max(axis=0)
    at: FloatArray = axes.values[rows][:, list(scale)].mean(axis=0)
    solve: FloatArray = np.linalg.pinv(design).astype(np.float64)
    return Bowl(rows, group, at, solve, use, low, high, middle)


def _quadratic(S: FloatArray) -> FloatArray:
    k = S.shape[1]
    cross = [S[:, i] * S[:, j] for i, j in itertools.combinations(range(k), 2)]
    return np.column_stack([np.ones(len(S)), S, S**2, *cross])


@dataclass(frozen=True)
class Optima:
    """The rows' own optima for one target; the same for all laws."""

    sense: float
    """+1 where the target mostly has a minimum in the settings, -1 where it has a maximum."""
    at: FloatArray
    """(cells, settings): NaN where a cell has none."""


def optima(found: Bowls, Y: FloatArray) -> tuple[Optima, ...]:
    """By target.

    Args:
        Y: (targets, rows).
    """
    out = []
    for y in Y:
        sense = _sense(found, y)
        out.append(Optima(sense, _stationary(found, y, sense)))
    return tuple(out)


def drifts(
    found: Bowls, targets: tuple[str, ...], data: tuple[Optima, ...], predicted: FloatArray, used: Collection[str]
) -> tuple[Drift, ...]:
    """By target and setting, where at least `MIN_CELLS` cells have an optimum in the rows.

    Args:
        predicted: (targets, rows).
        used: variables of the law; a setting that is none of them has no optimum in it.
    """
    if not found.cells:
        return ()
    group = np.array([c.group for c in found.cells])
    scale = np.array([c.scale for c in found.cells])
    out = []
    for target, own, f in zip(targets, data, predicted, strict=True):
        law = _stationary(found, f, own.sense)
        for j, setting in enumerate(found.settings):
            both = np.column_stack([own.at[:, j], law[:, j] if setting in used else np.nan * law[:, j]])
            use = np.isfinite(both).all(axis=1)
            none = int(use.sum()) < MIN_CELLS
            if none:
                both, use = both[:, :1], np.isfinite(own.at[:, j])
            count = int(use.sum())
            if count < MIN_CELLS:
                continue
            slopes = np.linalg.lstsq(centred(scale[use], group[use]), centred(both[use], group[use]), rcond=1e-8)[0]
            rows, *laws = (tuple((s, float(v)) for s, v in zip(found.scale, column, strict=True)) for column in slopes.T)
            gap = np.zeros(0) if none else both[use, 1] - both[use, 0]
            offset = float("nan") if none else float(gap.mean())
            scatter = float("inf") if none else float(np.sqrt(np.mean(gap**2)))
            law_drift = () if none else laws[0]
            out.append(Drift(setting, target, count, rows, law_drift, offset, scatter, found.logged[j]))
    return tuple(out)


def _sense(found: Bowls, y: FloatArray) -> float:
    """+1 where the target mostly has a minimum in the settings, -1 where it has a maximum."""
    signs = 0.0
    for cell in found.cells:
        k = len(cell.settings)
        signs += float(np.sign(cell.solve[1 + k : 1 + 2 * k] @ y[cell.rows]).sum())
    return 1.0 if signs >= 0 else -1.0


def _stationary(found: Bowls, y: FloatArray, sense: float) -> FloatArray:
    """(cells, settings) stationary points of the cells' quadratics; NaN where one is no optimum or far outside the cell."""
    out = np.full((len(found.cells), len(found.settings)), np.nan)
    kinds: dict[tuple[int, ...], list[int]] = {}
    for i, cell in enumerate(found.cells):
        if np.isfinite(y[cell.rows]).all():
            kinds.setdefault(cell.settings, []).append(i)
    for settings, members in kinds.items():
        k, cells = len(settings), [found.cells[i] for i in members]
        c = np.array([cell.solve @ y[cell.rows] for cell in cells])
        H = np.zeros((len(cells), k, k))
        H[:, range(k), range(k)] = 2.0 * c[:, 1 + k : 1 + 2 * k]
        for column, (i, j) in enumerate(itertools.combinations(range(k), 2), 1 + 2 * k):
            H[:, i, j] = H[:, j, i] = c[:, column]
        size = np.maximum(np.abs(H).max(axis=(1, 2)), 1e-300)
        bowl = np.linalg.eigvalsh(sense * H)[:, 0] > 1e-9 * size
        if not bowl.any():
            continue
        s = np.linalg.solve(H[bowl], -c[bowl, 1 : 1 + k, None])[:, :, 0]
        low, high, middle = (np.array([getattr(cell, name) for cell in cells])[bowl] for name in ("low", "high", "middle"))
        s, room = s + middle, REACH * (high - low)
        inside = ((s >= low - room) & (s <= high + room)).all(axis=1)
        out[np.ix_(np.array(members)[bowl][inside], np.array(settings))] = s[inside]
    return out
