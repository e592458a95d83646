"""Cuts: divisions of the training rows into smaller scale (kept) and larger scale (held out).

Blind cuts know nothing of where predictions are wanted; targeted cuts go along the way there.  Only scale
variables are cut, never settings or proportions (a table without scale variables is cut by distance from its
centre).  Everything here is deterministic.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np

from sldagent.errors import TableError
from sldagent.tasks import levels
from sldagent.tasks.levels import BoolArray
from sldagent.tasks.mixtures import mixture_cuts
from sldagent.tasks.task import Cut, FloatArray, Task

SHARES = (0.10, 0.20, 0.35)
"""Shares of the rows that quantile cuts hold out."""
LAST_SIZES = (1, 2, 4)
"""Sizes that are held out of short curves."""
MIN_HELD_ROWS = 5
MIN_HELD_SHARE = 0.05
"""A level cut that holds out fewer rows takes the next level too (small tables: up to the largest share)."""
MIN_KEPT = 4
"""Kept rows that every group must have left."""
MIN_CUT_GROUPS = 0.5
"""Share of the rows that must be in groups large enough to be cut."""


def blind_cuts(task: Task) -> tuple[Cut, ...]:
    """Cuts of a task's rows (pass ``task.part("train")``), by the kind of table.

    Raises TableError where the rows allow no cut at all.
    """
    columns = levels.scale_indices(task)
    if not columns:
        cuts = mixture_cuts(task, SHARES)
    else:
        cuts = [c for k in columns for c in _variable_cuts(task, k, alone=len(columns) == 1)]
        if len(columns) > 1:
            score = levels.joint_score(task, columns)
            cuts += list(_share_cuts(task, score, "joint", _joint_unit(task, columns)))
    cuts = _distinct(c for c in cuts if _usable(task, c, columns))
    return tuple(cuts) if cuts else (_last_resort(task, columns),)


def targeted_cuts(task: Task, at: FloatArray) -> tuple[Cut, ...]:
    """Cuts along the whitened log direction from the training mean to the mean of the wanted inputs.

    Args:
        task: the training rows.
        at: (m, variables) inputs at which predictions are wanted.

    Where the wanted region lies at the training mean there is no direction: the blind cuts are returned.
    Raises TableError where the rows allow no cut at all.
    """
    columns = levels.scale_indices(task) or list(range(len(task.variables)))
    logs = levels.log_axis(task)[:, columns]
    step = levels.log_axis(task, at)[:, columns].mean(axis=0) - logs.mean(axis=0)
    spread = logs.std(axis=0)
    covariance = np.cov(logs / spread, rowvar=False, bias=True).reshape(len(columns), len(columns))
    # Correlated variables make the covariance nearly singular; a small ridge keeps the direction finite.
    inverse = np.linalg.inv(covariance + 1e-3 * np.eye(len(columns)))
    direction = inverse @ (step / spread)
    length = math.sqrt(max(float((step / spread) @ direction), 0.0))
    if length < 1e-9:
        return blind_cuts(task)
    score = (logs - logs.mean(axis=0)) / spread @ direction / length
    unit = float(np.mean(np.abs(step))) / length
    cuts = list(_share_cuts(task, score, "target", unit))
    scales = levels.scale_indices(task)
    usable = _distinct(c for c in cuts if _usable(task, c, scales))
    return tuple(usable) if usable else (_last_resort(task, scales),)


def asked_reach(task: Task, at: FloatArray) -> dict[str, float]:
    """By scale variable: largest wanted over largest training value (below 1: inside the data)."""
    logs, wanted = levels.log_axis(task), levels.log_axis(task, at)
    return {
        v.symbol: math.exp(float(wanted[:, k].max() - logs[:, k].max()))
        for k, v in enumerate(task.variables)
        if v.role == "scale"
    }


def tested_reach(cuts: tuple[Cut, ...], task: Task) -> dict[str, float]:
    """By scale variable: largest held-out over largest kept value that any cut tests (1: none)."""
    logs = levels.log_axis(task)
    out: dict[str, float] = {}
    for k, v in enumerate(task.variables):
        if v.role == "scale":
            tested = [_reach(task, logs[:, k], c.kept, c.held) for c in cuts if c.extrapolates]
            out[v.symbol] = math.exp(max([0.0, *tested]))
    return out


def _variable_cuts(task: Task, k: int, *, alone: bool) -> Iterator[Cut]:
    """Cuts of one scale variable: by level where it has few, else by share of the rows."""
    values = levels.with_runs_whole(task, levels.log_axis(task)[:, k])
    symbol = task.variables[k].symbol
    labels = np.zeros(len(values), dtype=np.int64)
    for rows in levels.group_rows(task):
        labels[rows], continuous = levels.level_labels(values[rows])
        if continuous:
            yield from _share_cuts(task, values, symbol, 1.0)
            return
    for count in LAST_SIZES if alone else (1, 2):
        held, taken = _top_levels(task, labels, count)
        if alone:
            name = f"{symbol}: last size" if taken == 1 else f"{symbol}: last {taken} sizes"
        else:
            name = f"{symbol}: top level" if taken == 1 else f"{symbol}: top {taken} levels"
        yield _cut(task, name, symbol, values, held, 1.0)


def _top_levels(task: Task, labels: levels.IntArray, count: int) -> tuple[BoolArray, int]:
    """The top levels of every group, more of them until they hold enough rows: the mask, the levels taken."""
    enough = min(max(MIN_HELD_ROWS, MIN_HELD_SHARE * len(labels)), SHARES[-1] * len(labels))
    below = np.zeros(len(labels), dtype=np.int64)
    for rows in levels.group_rows(task):
        below[rows] = labels[rows].max() - labels[rows]
    deepest = int(below.max())
    while np.sum(below < count) < enough and count < deepest:
        count += 1
    return below < count, count


def _share_cuts(task: Task, score: FloatArray, variable: str, unit: float) -> Iterator[Cut]:
    """The rows with the highest scores, by share, within each group."""
    score = levels.with_runs_whole(task, score)
    for share in SHARES:
        held = np.zeros(len(score), dtype=bool)
        for rows in levels.group_rows(task):
            held[rows] = levels.top_share(score[rows], share)
        yield _cut(task, f"{variable}: top {share * 100:.0f} %", variable, score, held, unit)


def _cut(task: Task, name: str, variable: str, score: FloatArray, held: BoolArray, unit: float) -> Cut:
    """A cut that spares groups too small for it; `unit` turns the score into natural logs."""
    held = held.copy()
    for rows in levels.group_rows(task):
        kept = rows[~held[rows]]
        if kept.size < MIN_KEPT or not _keeps_levels(task, rows, kept):
            held[rows] = False
    reach = math.exp(unit * _reach(task, score, ~held, held)) if held.any() else 1.0
    return Cut(name, variable, ~held, held, reach)


def _keeps_levels(task: Task, rows: levels.IntArray, kept: levels.IntArray) -> bool:
    """Every scale variable that varies within the group keeps two levels."""
    logs = levels.log_axis(task)
    return all(
        levels.level_count(logs[kept, k]) >= 2
        for k in levels.scale_indices(task)
        if levels.level_count(logs[rows, k]) >= 2
    )


def _usable(task: Task, cut: Cut, columns: list[int]) -> bool:
    """Both sides have rows, most rows are in groups that are cut, every scale variable keeps two levels."""
    if not cut.held.any() or not cut.kept.any():
        return False
    cut_groups = np.unique(task.group[cut.held])
    if np.mean(np.isin(task.group, cut_groups)) < MIN_CUT_GROUPS:
        return False
    logs = levels.log_axis(task)
    return all(levels.level_count(logs[cut.kept, k]) >= 2 for k in columns)


def _distinct(cuts: Iterable[Cut]) -> list[Cut]:
    """The cuts without those that hold out the same rows as an earlier one."""
    seen: dict[bytes, Cut] = {}
    for cut in cuts:
        seen.setdefault(cut.held.tobytes(), cut)
    return list(seen.values())


def _reach(task: Task, score: FloatArray, kept: BoolArray, held: BoolArray) -> float:
    """Median over the cut groups of the largest held-out less the largest kept score."""
    steps = []
    for rows in levels.group_rows(task):
        if held[rows].any() and kept[rows].any():
            steps.append(float(score[rows[held[rows]]].max() - score[rows[kept[rows]]].max()))
    return float(np.median(steps)) if steps else 0.0


def _joint_unit(task: Task, columns: list[int]) -> float:
    """Natural logs (geometric mean over the variables) per unit of the joint score."""
    return float(levels.log_axis(task)[:, columns].std(axis=0).mean())


def _last_resort(task: Task, columns: list[int]) -> Cut:
    """One cut for rows that allow none of the usual ones: the largest value, or the last fifth, of one scale
    variable.

    Raises TableError where no variable leaves two levels or two rows behind.
    """
    logs = levels.log_axis(task)
    for k in columns:
        symbol, values = task.variables[k].symbol, logs[:, k]
        for name in ("top level", "top 20 %"):
            held = np.zeros(len(values), dtype=bool)
            for rows in levels.group_rows(task):
                labels, _ = levels.level_labels(values[rows])
                top = labels == labels.max() if name == "top level" else levels.top_share(values[rows], 0.2)
                if np.sum(~top) >= 2 and np.ptp(values[rows[~top]]) > 0:
                    held[rows] = top
            if held.any():
                return Cut(
                    f"{symbol}: {name}", symbol, ~held, held, math.exp(_reach(task, values, ~held, held))
                )
    names = ", ".join(v.name for v in task.variables)
    raise TableError(
        f"{task.source or task.name}: {len(task.X)} training rows over {names} are too few to hold out "
        "larger scale and fit the rest; add rows at more sizes"
    )
