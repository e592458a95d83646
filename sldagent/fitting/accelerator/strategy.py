"""The stages of a fit, run in step for many fits so that every stage fills the device.

The order is that of the CPU engine: screen starts by variable projection, converge the best, then the recipe's own loss from
there and from the screened starts directly (the least-squares basin is not always the robust one), then a last polish.
Screening uses all rows: a thinned table would be a further size class.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import FitError
from sldagent.fitting.accelerator.classes import SizeClass, joint_classes
from sldagent.fitting.accelerator.devices import Device, device
from sldagent.fitting.accelerator.encode import Objective, Structure, encode, natural_class, objective
from sldagent.fitting.accelerator.pool import Reached, Request, minimise
from sldagent.fitting.engines import weighted
from sldagent.fitting.fit import finished, normal_matrices
from sldagent.fitting.job import Job
from sldagent.fitting.refine import ILL_CONDITIONED, smallest
from sldagent.fitting.result import Blocks, FitResult, Point, collect, make_blocks, robust_rounds
from sldagent.fitting.rows import Rows
from sldagent.fitting.starts import start_matrix

FloatArray = NDArray[np.float64]
SCREEN = 7
"""Trial points of a screened start."""
Steps = Generator[Request, Reached, list[FitResult]]


@dataclass
class _Starts:
    """Starts of all instances (weight sets times problems), with their objectives once known."""

    local: FloatArray
    """(starts, instances, blocks, pl)"""
    shared: FloatArray
    """(starts, instances, ps)"""
    value: FloatArray
    """(starts, instances)"""

    @classmethod
    def reached(cls, found: Reached) -> _Starts:
        return cls(found.local, found.shared, found.value)

    def beside(self, other: _Starts) -> _Starts:
        pairs = ((self.local, other.local), (self.shared, other.shared), (self.value, other.value))
        return _Starts(*(np.concatenate(pair) for pair in pairs))

    def best(self, keep: int) -> _Starts:
        """The best `keep` starts of every instance on its own; repeats of one optimum come last."""
        order = np.argsort(self.value, axis=0, kind="stable")
        value = np.take_along_axis(self.value, order, axis=0)
        repeat = np.zeros(value.shape, np.bool_)
        repeat[1:] = np.isfinite(value[1:]) & (value[1:] <= value[:-1] * (1 + 1e-7))
        order = np.take_along_axis(order, np.argsort(repeat, axis=0, kind="stable"), axis=0)[:keep]
        across = np.arange(order.shape[1])
        return _Starts(self.local[order, across], self.shared[order, across], self.value[order, across])


def fit_jobs(jobs: Sequence[Job], *, width: int | None = None, on: Device | None = None) -> list[list[FitResult] | FitError]:
    """Fit every job; per job one result for each of its weight sets, or the reason why it cannot be fitted.

    Args:
        width: lanes of the kernel, where not the device's own choice.

    Raises:
        FitError: JAX is not installed.
    """
    where = on or device()
    until = time.monotonic() + sum(job.tries.seconds * (1 if job.weights is None else len(job.weights)) for job in jobs)
    blocks = [make_blocks(job.law, job.rows) for job in jobs]
    sizes = joint_classes([natural_class(job.law, job.rows, b) for job, b in zip(jobs, blocks, strict=True)])
    runs: dict[int, Steps] = {k: _steps(job, blocks[k], sizes[k], until) for k, job in enumerate(jobs)}
    out: dict[int, list[FitResult] | FitError] = {}
    answers: dict[int, Reached | None] = dict.fromkeys(runs)
    while runs:
        requests: dict[int, Request] = {}
        for k, steps in list(runs.items()):
            answer = answers[k]
            try:
                requests[k] = next(steps) if answer is None else steps.send(answer)
            except StopIteration as end:
                out[k] = end.value
                del runs[k]
            except FitError as error:
                out[k] = error
                del runs[k]
        answers = dict(zip(requests, minimise(list(requests.values()), where, width, until), strict=True))
    return [out[k] for k in range(len(jobs))]


def _steps(job: Job, blocks: Blocks, size: SizeClass, until: float) -> Steps:
    """One job's stages; yields what is to be minimised and receives where that ended."""
    law, rows, recipe = job.law, job.rows, replace(job.recipe, shrink=())
    effort = job.tries
    sets = 1 if job.weights is None else len(job.weights)
    if not np.isfinite(law.tapes.matrix(rows)).all():
        return [_no_features(job, blocks) for _ in range(sets)]
    structure = encode(law, rows, blocks, size)
    final = objective(structure, rows, recipe, job.weights, surrogate=False)
    plain = not final.robust and not final.logarithmic
    stage = final if plain else objective(structure, rows, recipe, job.weights, surrogate=True)
    bent = int((~law.linear).sum())
    spent = 0

    starts = _first(job, structure, sets)
    if bent:
        found = yield _request(stage, starts, inner=True, limit=SCREEN, tolerance=1e-3)
        spent += found.evaluations
        starts = _Starts.reached(found).best(effort.keep)
    if job.warm is not None:
        starts = _warm(structure, job.warm, sets).beside(starts)
    direct = starts
    found = yield _request(stage, starts, inner=True, limit=effort.iterations, tolerance=effort.tolerance)
    spent += found.evaluations
    starts = _Starts.reached(found)
    if bent and law.shared == 0 and len(blocks.group) >= 4:
        middle = _middle(structure, starts.best(1), sets)
        found = yield _request(stage, middle, inner=True, limit=effort.iterations, tolerance=effort.tolerance)
        spent += found.evaluations
        starts = starts.beside(_Starts.reached(found))
    if not plain:
        starts = starts.beside(direct)
        for delta in final.deltas:
            for curvature, tolerance in robust_rounds(effort.tolerance) if final.robust else [(1.0, effort.tolerance)]:
                request = _request(final, starts, inner=True, limit=2 * effort.iterations, tolerance=tolerance, delta=delta)
                found = yield replace(request, curvature=curvature)
                spent += found.evaluations
                starts = _Starts.reached(found)
    starts = starts.best(1)
    if effort.polish and (bent or not plain):
        found = yield _request(final, starts, inner=False, limit=effort.polish, tolerance=1e-13, delta=final.deltas[-1])
        spent += found.evaluations
        starts = _Starts.reached(found)
    results = _results(job, structure, final, starts, sets, spent)
    if time.monotonic() >= until:
        late = f"stopped at the cap of {effort.seconds:g} s a fit before the fit had converged."
        return [replace(result, failure=late, reason="time") for result in results]
    return _finished(job, results)


def _request(
    stage: Objective, starts: _Starts, *, inner: bool, limit: int, tolerance: float, delta: FloatArray | None = None
) -> Request:
    return Request(stage, starts.local, starts.shared, inner, limit, tolerance, stage.deltas[-1] if delta is None else delta)


def _first(job: Job, structure: Structure, sets: int) -> _Starts:
    """The same random starts for every instance."""
    size, count = structure.size, job.starts
    theta = structure.place(start_matrix(job.law, job.rows, count, job.rng))
    instances = sets * structure.problems
    local = np.broadcast_to(theta[:, None, None, : size.local], (count, instances, size.blocks, size.local))
    shared = np.broadcast_to(theta[:, None, size.local :], (count, instances, size.shared))
    return _Starts(local, shared, np.full((count, instances), np.inf))


def _warm(structure: Structure, warm: Point, sets: int) -> _Starts:
    local, shared = structure.padded(warm)
    return _Starts(
        np.tile(local, (sets, 1, 1))[None], np.tile(shared, (sets, 1))[None], np.full((1, sets * structure.problems), np.inf)
    )


def _middle(structure: Structure, best: _Starts, sets: int) -> _Starts:
    """One more start for every block: the median of the blocks' optima, which rescues blocks stuck in a poor basin."""
    local = best.local[0].reshape(sets, structure.problems, *best.local.shape[2:]).copy()
    for t in np.unique(structure.tape_of):
        mine = structure.tape_of == t
        local[:, mine] = np.nanmedian(local[:, mine], axis=1, keepdims=True)
    return _Starts(local.reshape(best.local.shape), best.shared, best.value)


def _no_features(job: Job, blocks: Blocks) -> FitResult:
    law = job.law
    problems = len(blocks.problems) - 1
    point = Point(np.full((len(blocks.group), law.local), np.nan), np.full((problems, law.shared), np.nan))
    return FitResult(law, point, blocks, np.inf, 0, "a part of the law without parameters is not finite on some row.")


def _results(job: Job, structure: Structure, final: Objective, starts: _Starts, sets: int, spent: int) -> list[FitResult]:
    """The fit of every weight set; parameters of blocks that one leaves out are NaN."""
    law, blocks = job.law, structure.blocks
    problems = structure.problems
    local = starts.local[0].reshape(sets, problems, *starts.local.shape[2:]).copy()
    local[~(final.weight > 0.0).any(axis=(2, 4))] = np.nan
    own, common = structure.points(local, starts.shared[0].reshape(sets, problems, -1))
    total = starts.value[0].reshape(sets, problems).sum(axis=1)
    scale = {"squared": np.full(sets, 2.0), "huber": np.ones(sets), "absolute": 1.0 / final.deltas[-1]}[job.recipe.loss]
    parameters = _parameters(structure, job.rows.groups, own, common)
    out = []
    for k in range(sets):
        failure = "" if np.isfinite(total[k]) else _why(job, k)
        named = {name: values[k] for name, values in parameters.items()}
        reported = float(total[k] * scale[k])
        out.append(FitResult(law, Point(own[k], common[k]), blocks, reported, spent // sets, failure, named))
    return out


def _finished(job: Job, found: list[FitResult]) -> list[FitResult]:
    """The fits after the CPU engine's last steps (`fit.finished`).

    Where nothing is shrunk only if the first fit's affine parameters are nearly ill-conditioned: that is a property of the
    law and its table, and a look at every one of thousands of weight sets would cost more than their fits.
    """
    if not job.recipe.shrink and not (found[0].ok and _nearly_dependent(job, found[0])):
        return found
    return [_finish(job, result, k) for k, result in enumerate(found)]


def _nearly_dependent(job: Job, found: FitResult) -> bool:
    rows, part = _part(job, found, 0)
    affine = np.nonzero(job.law.linear[: job.law.local])[0]
    if affine.size < 2 or np.isnan(part.point.local).any():
        return False
    return bool((smallest(normal_matrices(part, rows, job.recipe)[0], affine) < 100.0 * ILL_CONDITIONED).any())


def _part(job: Job, found: FitResult, k: int) -> tuple[Rows, FitResult]:
    """The rows that weight set k keeps, with their weights, and its fit without the blocks that it leaves out."""
    rows = job.rows if job.weights is None else weighted(job.rows, job.weights[k])
    blocks = make_blocks(job.law, rows)
    kept = np.isin(found.blocks.group, blocks.group)
    shared = found.point.shared if job.law.shared else found.point.shared[kept]
    return rows, replace(found, point=Point(found.point.local[kept], shared), blocks=blocks)


def _finish(job: Job, found: FitResult, k: int) -> FitResult:
    rows, part = _part(job, found, k)
    if not part.ok or np.isnan(part.point.local).any():  # a block whose rows count for other targets only
        return found
    done = finished(part, rows, job.recipe, job.tries)
    local = np.full_like(found.point.local, np.nan)
    local[np.isin(found.blocks.group, part.blocks.group)] = done.point.local
    shared = done.point.shared if job.law.shared else found.point.shared
    return replace(done, point=Point(local, shared), blocks=found.blocks)


def _why(job: Job, k: int) -> str:
    """Why the fit of weight set k has no finite objective."""
    rows = job.rows
    live = np.ones(rows.Y.shape, np.bool_) if job.weights is None else job.weights[k] > 0.0
    bad = (live & ~np.isfinite(rows.Y * rows.weight)).any(axis=0)
    if bad.any():
        first = rows.order[bad].min()
        return f"the target or its weight is not a finite number on {int(bad.sum())} rows, first on row {first}."
    return "no start gave finite predictions on all rows."


def _parameters(structure: Structure, groups: int, own: FloatArray, common: FloatArray) -> dict[str, FloatArray]:
    """Parameters by name for all weight sets: axes (sets, groups or 1, the law's index axes); see `result.collect`."""
    law, blocks = structure.law, structure.blocks
    first = collect(law, groups, blocks, Point(own[0], common[0]))
    out = {name: np.full((len(own), *values.shape), np.nan) for name, values in first.items()}
    problem = np.searchsorted(blocks.problems, np.arange(len(blocks.group)), side="right") - 1
    for t in np.unique(blocks.target):
        mine = blocks.target == t
        for q, (name, element) in enumerate(law.slots):
            theta = own[:, mine, q] if q < law.local else common[:, problem[mine], q - law.local]
            if t > 0:
                axis = law.target_axis[name]
                element = (*element[:axis], int(t), *element[axis + 1 :])
            where = blocks.group[mine] if q < law.local else np.zeros(int(mine.sum()), np.int64)
            out[name][(slice(None), where, *element)] = np.exp(theta) if law.transform[q] else theta
    return out
