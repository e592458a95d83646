"""Measure a fit's `Spread`: residual noise, covariance of the parameters, growth of the error over cuts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from sldagent.errors import FitError, TableError
from sldagent.evaluation.evaluate import Evaluator
from sldagent.evaluation.grounds import cell_ids
from sldagent.evaluation.result import CutScore
from sldagent.fitting.fit import scalar_penalties
from sldagent.fitting.fixed import fixed
from sldagent.fitting.result import FitResult, Point, collect, make_blocks, predict_point
from sldagent.fitting.rows import Rows
from sldagent.fitting.tape import CompiledLaw, compile_law, layout_of
from sldagent.fitting.uncertainty import Linearised, linearise
from sldagent.laws.program import Program
from sldagent.tasks.cuts import blind_cuts, targeted_cuts
from sldagent.tasks.levels import log_axis, scale_indices
from sldagent.tasks.task import Cut, Task
from sldagent.uncertainty.reach import Box, box_of
from sldagent.uncertainty.spread import LEVELS, Block, Spread

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

ENOUGH = 40
"""Rows of a target from which the residuals' own quantiles are taken instead of Student's t."""
SHRINK = 4.0
"""Degrees of freedom with which a group's noise is drawn towards that of all groups."""
MIN_REACH = 0.02
"""A cut whose held rows lie less far beyond its kept rows (in standard deviations of log scale) says nothing of growth."""
MAX_LEVERAGE = 0.99


@dataclass(frozen=True)
class _Residuals:
    """Per target and row (flattened as `Linearised.position`), in the target's units."""

    unit: FloatArray
    """Noise per unit of `Spread.noise`."""
    left_out: FloatArray
    """Leave-one-out residuals; NaN where the fit is not finite."""
    plain: FloatArray


def measure(
    program: Program,
    task: Task,
    parameters: Mapping[str, FloatArray],
    cuts: Sequence[CutScore] | None = None,
) -> Spread:
    """The spread of a law with fitted parameters on the training rows `task`.

    Args:
        parameters: the fitted values, as in `Fitted.parameters`.
        cuts: the law's scores on the task's cuts where they are known; None, or scores of other
            cuts: they are evaluated now, if the rows allow any; empty: growth is left at zero.

    Raises FitError where the law and the rows do not belong together.
    """
    law = compile_law(program.law, layout_of(task))
    rows = Rows.of_task(task)
    result = fixed(law, rows, program.recipe, point_of(law, rows, parameters))
    if not result.ok:
        raise FitError(f"no interval: on the rows of '{task.name}' {result.failure}")
    lines = linearise(result, rows, program.recipe)
    penalty = scalar_penalties(result, rows, program.recipe)
    inverse, _ = lines.inverse(penalty)
    leverage = np.clip(np.einsum("ij,jk,ik->i", lines.J, inverse, lines.J) * lines.weight, 0.0, MAX_LEVERAGE)
    covariance = _covariance(lines, inverse, leverage, cell_ids(task)[rows.order], rows.n)
    relative = task.noise.kind == "proportional" or program.recipe.space != "raw"
    residuals = _residuals(task, law, rows, result, lines, leverage, relative)
    noise, freedom = _noise(residuals, lines, leverage, rows)
    spread = _parameter_variance(lines, covariance, rows)
    growth, told = _growth(program, task, rows, residuals, cuts, (lines, penalty))
    return Spread(
        relative=relative,
        column=task.noise.column if task.noise.kind == "column" else None,
        typical=float(np.median(task.noise_scale)) if task.noise.kind == "column" else 1.0,
        noise=noise,
        freedom=freedom,
        tail=_tails(residuals, noise, spread, freedom, rows),
        blocks=_blocks(law, rows, result, covariance),
        box=_box(task).plain(),
        growth=growth,
        growth_relative=task.noise.kind == "proportional",
        cuts=told,
    )


def point_of(law: CompiledLaw, rows: Rows, parameters: Mapping[str, FloatArray]) -> Point:
    """The engine's point of parameters by name (the inverse of `collect`)."""
    blocks = make_blocks(law, rows)
    nb, problems = len(blocks.group), len(blocks.problems) - 1
    local, shared = np.zeros((nb, law.local)), np.zeros((problems, law.shared))
    for q, (name, element) in enumerate(law.slots):
        table = np.asarray(parameters[name], dtype=float)
        for b in range(nb if q < law.local else problems):
            # without shared parameters problems are blocks; with them, and several targets, problems are targets
            first = b if q < law.local else int(blocks.problems[b])
            index = _index(law, name, element, int(blocks.target[first]))
            value = table[(int(blocks.group[first]) if q < law.local else 0, *index)]
            value = np.log(max(value, 1e-300)) if law.transform[q] == 1 else value
            (local if q < law.local else shared)[b, q if q < law.local else q - law.local] = value
    return Point(local, shared)


def _index(law: CompiledLaw, name: str, element: tuple[int, ...], target: int) -> tuple[int, ...]:
    axis = law.target_axis[name]
    return element if target <= 0 else (*element[:axis], target, *element[axis + 1 :])


def _covariance(lines: Linearised, inverse: FloatArray, leverage: FloatArray, cells: IntArray, n: int) -> FloatArray:
    """Cluster sandwich of the leave-one-out scores (HC3 within cells: MacKinnon and White 1985; Liang and Zeger 1986)."""
    score = lines.J * (lines.weight * lines.residual / (1.0 - leverage))[:, None]
    label = np.unique(cells[lines.position % n], return_inverse=True)[1].ravel()
    if label.size and int(label.max()) + 1 > lines.J.shape[1]:
        summed = np.zeros((int(label.max()) + 1, lines.J.shape[1]))
        np.add.at(summed, label, score)
        score = summed
    return np.asarray(inverse @ (score.T @ score) @ inverse)


def _residuals(
    task: Task, law: CompiledLaw, rows: Rows, result: FitResult, lines: Linearised, leverage: FloatArray, relative: bool
) -> _Residuals:
    f = predict_point(law, law.tapes, rows, result.blocks, result.point)
    unit = np.ones_like(f)
    if relative:
        unit = np.maximum(np.abs(f), 1e-300)
    if task.noise.kind == "column":
        unit = unit * task.noise_scale[rows.order]
    plain = f - rows.Y
    left_out = np.full(f.size, np.nan)
    left_out[lines.position] = plain.ravel()[lines.position] / (1.0 - leverage)
    return _Residuals(unit, left_out.reshape(f.shape), plain)


def _noise(residuals: _Residuals, lines: Linearised, leverage: FloatArray, rows: Rows) -> tuple[FloatArray, FloatArray]:
    """Noise (targets, groups), and degrees of freedom (targets,): rows less the leverages that the parameters take."""
    targets = residuals.plain.shape[0]
    every = np.zeros(residuals.plain.size)
    every[lines.position] = leverage
    taken = every.reshape(residuals.plain.shape)
    noise, freedom = np.zeros((targets, rows.groups)), np.zeros(targets)
    for t in range(targets):
        square = (residuals.plain[t] / residuals.unit[t]) ** 2
        left = np.array([float(np.sum(1.0 - taken[t, rows.group == g])) for g in range(rows.groups)])
        sums = np.array([float(np.sum(square[rows.group == g])) for g in range(rows.groups)])
        freedom[t] = max(left.sum(), 1.0)
        pooled = sums.sum() / freedom[t]
        noise[t] = np.sqrt((sums + SHRINK * pooled) / (left + SHRINK))
    return noise, freedom


def _parameter_variance(lines: Linearised, covariance: FloatArray, rows: Rows) -> FloatArray:
    """(targets, rows) variance of the predictions; NaN where the fit is not finite."""
    out = np.full(rows.Y.size, np.nan)
    raw = lines.J / lines.slope[:, None]
    out[lines.position] = np.einsum("ij,jk,ik->i", raw, covariance, raw)
    return out.reshape(rows.Y.shape)


def _tails(
    residuals: _Residuals, noise: FloatArray, spread: FloatArray, freedom: FloatArray, rows: Rows
) -> FloatArray:
    """(targets, LEVELS): conformal ranks of the studentised leave-one-out residuals, over Student's t."""
    out = np.ones((len(noise), len(LEVELS)))
    for t in range(len(noise)):
        deviation = np.sqrt((noise[t, rows.group] * residuals.unit[t]) ** 2 + spread[t])
        ratio = np.abs(residuals.left_out[t]) / np.maximum(deviation, 1e-300)
        ratio = np.sort(ratio[np.isfinite(ratio)])
        if len(ratio) < ENOUGH or not ratio[-1] > 0.0:
            continue
        for k, level in enumerate(LEVELS):
            rank = min(int(np.ceil((len(ratio) + 1) * level)), len(ratio)) - 1
            out[t, k] = ratio[rank] / stdtrit(freedom[t], 0.5 + 0.5 * level)
    return out


def _blocks(law: CompiledLaw, rows: Rows, result: FitResult, covariance: FloatArray) -> tuple[Block, ...]:
    """The covariance by block, of the parameters themselves (those on a log scale by the delta method)."""
    blocks, pl, ps = result.blocks, law.local, law.shared
    nb = len(blocks.group)
    problem_of = np.searchsorted(blocks.problems, np.arange(nb), side="right") - 1
    parameters = collect(law, rows.groups, blocks, result.point)
    out = []
    for b in range(nb):
        own = list(range(b * pl, (b + 1) * pl))
        common = [nb * pl + int(problem_of[b]) * ps + q for q in range(ps)]
        names = []
        for q, (name, element) in enumerate(law.slots):
            index = _index(law, name, element, int(blocks.target[b]))
            names.append((name, (int(blocks.group[b]) if q < pl else 0, *index)))
        values = np.array([parameters[name][index] for name, index in names])
        scale = np.where(law.transform == 1, values, 1.0)
        part = covariance[np.ix_(own + common, own + common)] * scale[:, None] * scale[None, :]
        out.append(Block(int(blocks.group[b]), int(blocks.target[b]), tuple(names), part))
    return tuple(out)


def _box(task: Task) -> Box:
    return box_of(log_axis(task), task.group, len(task.groups), scale_indices(task))


def _growth(
    program: Program,
    task: Task,
    rows: Rows,
    residuals: _Residuals,
    scores: Sequence[CutScore] | None,
    at: tuple[Linearised, FloatArray | None],
) -> tuple[FloatArray, tuple[dict[str, object], ...]]:
    """Growth (targets, groups) and the cuts behind it.

    The squared error of a cut's held rows beyond that of the fit to all rows and beyond what the spread of the parameters on
    the kept rows explains (which an interval has apart), over their squared distance beyond the kept ones; sums over a
    variable's cuts, then the mean over variables.

    Args:
        at: the fit near its optimum, and the curvature of its penalties.
    """
    none = np.zeros((len(task.targets), rows.groups))
    try:
        cuts = blind_cuts(task) if task.at is None else targeted_cuts(task, task.at)
    except TableError:
        return none, ()
    evaluator = Evaluator(task, cuts)
    if scores is None or (scores and not {s.cut for s in scores} & {c.name for c in cuts}):
        if program.custom_fit is not None:
            return none, ()
        scores = evaluator.evaluate(program).cuts
    grounds = evaluator.grounds
    reach = {cut.name: _distance(task, cut) for cut in cuts}
    beyond = {score.cut for score in scores if reach.get(score.cut, 0.0) >= MIN_REACH and np.isfinite(score.log_mse)}
    known = {cut.name: _explained(cut, rows, grounds.scale, *at) for cut in cuts if cut.name in beyond}
    inside = np.mean((residuals.plain * rows.weight / grounds.scale[:, rows.group]) ** 2, axis=1)
    growth, told = none.copy(), []
    for t, target in enumerate(task.targets):
        sums: dict[str, list[float]] = {}
        for score in scores:
            if score.target != target.name or score.cut not in known or not np.isfinite(score.log_mse):
                continue
            distance = reach[score.cut]
            held = float(np.exp(score.log_mse))
            part = sums.setdefault(score.variable, [0.0, 0.0])
            part[0] += max(held - float(inside[t] + known[score.cut][t]), 0.0)
            part[1] += distance**2
            told.append({
                "cut": score.cut, "target": target.name, "reach": distance,
                "inside": float(np.exp(0.5 * score.kept_log_mse)), "beyond": held**0.5,
            })  # fmt: skip
        if sums:
            rate = float(np.sqrt(np.mean([a / b for a, b in sums.values()])))
            growth[t] = rate * grounds.scale[t] * _per_unit(task, t)
    return growth, tuple(told)


def _explained(cut: Cut, rows: Rows, scale: FloatArray, lines: Linearised, penalty: FloatArray | None) -> FloatArray:
    """(targets,) mean squared error on a cut's held rows that the spread of the parameters on its kept rows explains.

    By the linearised fit to all rows, with the residual variance of that fit; in units of `scale` (targets, groups) and
    weighted, as scores of cuts are.
    """
    target, place = np.divmod(lines.position, rows.n)
    kept, held = cut.kept[rows.order[place]], cut.held[rows.order[place]]
    part = Linearised(lines.J[kept], lines.residual[kept], lines.weight[kept], lines.slope[kept], lines.position[kept])
    inverse, _ = part.inverse(penalty)
    (n, p), out = lines.J.shape, np.zeros(len(rows.Y))
    for t in range(len(out)):
        own, ahead = target == t, held & (target == t)
        if not ahead.any():
            continue
        variance = np.mean(lines.weight[own] * lines.residual[own] ** 2) * n / max(n - p, 1)
        spread = np.einsum("ij,jk,ik->i", lines.J[ahead], inverse, lines.J[ahead]) * variance / lines.slope[ahead] ** 2
        factor = rows.weight[t, place[ahead]] / scale[t, rows.group[place[ahead]]]
        out[t] = np.mean(np.maximum(spread, 0.0) * factor**2)
    return out


def _per_unit(task: Task, target: int) -> float:
    """What turns a residual weighted by the noise model into the noise model's unit."""
    if task.noise.kind != "proportional":
        return 1.0
    return float(1.0 / np.exp(np.mean(np.log(np.maximum(np.abs(task.Y[:, target]), 1e-300)))))


def _distance(task: Task, cut: Cut) -> float:
    """Root mean square distance of a cut's held rows beyond its kept ones, in spreads of all rows."""
    axis, whole = log_axis(task), _box(task)
    kept = box_of(axis[cut.kept], task.group[cut.kept], len(task.groups), list(whole.columns))
    if kept.columns != whole.columns:
        return 0.0
    factor = float(np.mean(kept.spread / whole.spread))
    return float(np.sqrt(np.mean(kept.beyond(axis[cut.held], task.group[cut.held]) ** 2))) * factor
