"""One program on one task: fit, judge by extrapolation, describe."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import FitError
from sldagent.evaluation.custom import SECONDS, CustomFitFailed, JailSource, custom_fit
from sldagent.evaluation.grounds import BOOTSTRAPS, Grounds, PreparedCut, prepare
from sldagent.evaluation.result import CutScore, Evaluation, Failure
from sldagent.evaluation.units import hidden_constants
from sldagent.evaluation.validity import why_invalid
from sldagent.fitting.diagnosis import at_bounds
from sldagent.fitting.fit import fit_rows, normal_matrices
from sldagent.fitting.result import Effort, FitResult, Point, predict_point
from sldagent.fitting.rows import Rows
from sldagent.fitting.tape import CompiledLaw, compile_law, layout_of
from sldagent.laws.canonical import structure_hash
from sldagent.laws.complexity import Complexity, complexity
from sldagent.laws.program import Program
from sldagent.tasks.task import Cut, Task

FloatArray = NDArray[np.float64]

FULL = Effort(starts=16, keep=3, iterations=250)
"""Effort of the fit to all training rows."""
REFIT = Effort(starts=5, keep=1, iterations=60, tolerance=1e-6, polish=0)
"""Effort of the refit on a cut's kept rows, beside the warm start."""

JOINT_WEIGHT = 0.5


@dataclass(frozen=True)
class Fitted:
    """A program fitted to all training rows, for those who need more than its `Evaluation`."""

    compiled: CompiledLaw
    result: FitResult


class Evaluator:
    """Judges programs on one task.  Deterministic given the program: its random starts are seeded by its structure."""

    def __init__(
        self, task: Task, cuts: Sequence[Cut], jail: JailSource | None = None, *, polish: bool = False
    ) -> None:
        """`jail` runs fitting code that programs bring (None: such a program fails); `polish` lets the engine go on from
        what it found."""
        self._jail, self._polish, self._left = jail, polish, SECONDS
        self.grounds: Grounds = prepare(task, cuts)
        self.layout = layout_of(task)
        self.sizes = {name: len(symbols) for name, symbols in task.vectors.items()}

    @np.errstate(all="ignore")  # a law may leave the floating-point range anywhere: that is judged, not told
    def evaluate(self, program: Program) -> Evaluation:
        """Fit and judge; every failure of the program is a value."""
        started = time.perf_counter()
        try:
            fitted = self.fit(program)
        except FitError as error:
            return Evaluation(failure=Failure("limits", str(error)), seconds=time.perf_counter() - started)
        cost = complexity(program.law, self.sizes)
        result = fitted.result
        if not result.ok:
            return Evaluation(
                complexity=cost.total,
                tree=cost.tree,
                scalars=cost.scalars,
                evaluations=result.evaluations,
                failure=Failure(result.reason, result.failure),
                seconds=time.perf_counter() - started,
                fitted_by=result.by,
                feedback=result.feedback,
            )
        try:
            evaluation = self._judge(program, fitted, cost, started)
        except CustomFitFailed as error:
            failed = error.result
            return Evaluation(
                failure=Failure(failed.reason, f"on a cut: {failed.failure}"),
                seconds=time.perf_counter() - started,
                fitted_by=failed.by,
                feedback=failed.feedback,
            )
        self.grounds.rows.forget()
        for cut in self.grounds.cuts:
            cut.kept.forget()
            cut.held.forget()
        return evaluation

    def fit(self, program: Program) -> Fitted:
        """Fit to all training rows.

        Raises:
            FitError: the law does not belong to this task, or the loss does not suit its targets.
        """
        compiled = compile_law(program.law, self.layout)
        return Fitted(compiled, self._solve(program, compiled, self.grounds.rows, 0, FULL))

    def _solve(
        self, program: Program, law: CompiledLaw, rows: Rows, purpose: int, effort: Effort, warm: Point | None = None
    ) -> FitResult:
        """Constants for `rows`: by the engine, or by the program's own code in the jail."""
        if program.custom_fit is not None:
            return self._by_own_code(program, law, rows, purpose)
        return fit_rows(law, rows, program.recipe, _generator(program, purpose), warm=warm, effort=effort)

    def _by_own_code(self, program: Program, law: CompiledLaw, rows: Rows, purpose: int) -> FitResult:
        """Constants by the program's own code; `CustomFitFailed` where it finds none on a cut."""
        began = time.perf_counter()
        if purpose == 0:
            self._left = SECONDS
        task, polish = self.grounds.task, self._polish
        result = custom_fit(program, law, rows, task, self._jail, polish=polish, seconds=self._left)
        self._left -= time.perf_counter() - began
        if purpose and not result.ok:
            raise CustomFitFailed(result)
        return result

    def _judge(self, program: Program, fitted: Fitted, cost: Complexity, started: float) -> Evaluation:
        law, result, ground = fitted.compiled, fitted.result, self.grounds
        predicted = predict_point(law, law.tapes, ground.rows, result.blocks, result.point)
        scores: list[CutScore] = []
        boots: dict[str, list[FloatArray]] = {}
        spent = result.evaluations
        for number, cut in enumerate(ground.cuts):
            part, boot, used = self._cut(program, fitted, cut, number + 1)
            scores.extend(part)
            boots.setdefault(cut.cut.variable, []).append(boot)
            spent += used
        x = float(combine({v: np.array([s.log_mse for s in scores if s.variable == v]) for v in boots}))
        x_boot = combine({v: np.stack(b) for v, b in boots.items()}) if np.isfinite(x) else np.zeros(0)
        deficient, effective = self._determination(fitted, program)
        effective += hidden_constants(ground, result)
        probe = predict_point(law, law.tapes, ground.probe, result.blocks, result.point)
        reason = why_invalid(ground, result, probe)
        return Evaluation(
            x=x,
            x_se=float(np.std(x_boot)) if x_boot.size else np.inf,
            mdl=self._description_length(predicted, effective, cost),
            complexity=cost.total,
            tree=cost.tree,
            scalars=cost.scalars,
            valid=not reason and bool(np.isfinite(x)),
            invalid_reason=reason or ("" if np.isfinite(x) else "the refit is not finite on a cut"),
            train_r2=_r2(ground.rows.Y, predicted),
            rank_deficient=deficient,
            at_bounds=at_bounds(law, result.point),
            parameters=result.parameters,
            cuts=tuple(scores),
            x_boot=x_boot.astype(np.float32).astype(np.float64),
            fingerprint=self._fingerprint(predicted, probe),
            evaluations=spent,
            seconds=time.perf_counter() - started,
            fitted_by=result.by,
            feedback=result.feedback,
        )

    def _cut(
        self, program: Program, fitted: Fitted, cut: PreparedCut, number: int
    ) -> tuple[list[CutScore], FloatArray, int]:
        """Refit on the kept rows, judge on the held ones."""
        law = fitted.compiled
        T = law.targets
        name, variable = cut.cut.name, cut.cut.variable
        symbols = [t.name for t in self.grounds.task.targets]
        worst = [CutScore(name, variable, symbols[t], cut.held.n, np.inf, np.inf) for t in range(T)]
        per_block = law.local / (1 if law.split else T)
        counts = np.diff(cut.kept.starts)
        if counts[counts > 0].min() <= per_block:
            return worst, np.full(BOOTSTRAPS, np.inf), 0
        warm = _restrict(fitted.result, law, cut.kept)
        refit = self._solve(program, law, cut.kept, number, REFIT, warm)
        if not refit.ok:
            return worst, np.full(BOOTSTRAPS, np.inf), refit.evaluations
        held = self.normalised(cut.held, predict_point(law, law.tapes, cut.held, refit.blocks, refit.point))
        kept = self.normalised(cut.kept, predict_point(law, law.tapes, cut.kept, refit.blocks, refit.point))
        scores, boots = [], []
        for t in range(T):
            values, boot = self.unit_scores(cut, held[t], t)
            floor = self._floor(cut.kept, np.arange(cut.kept.n), t)
            inside = float(np.log(max(np.mean(kept[t] ** 2), floor)))
            scores.append(CutScore(name, variable, symbols[t], cut.held.n, values, inside))
            boots.append(boot)
        return scores, np.mean(boots, axis=0), refit.evaluations

    def normalised(self, rows: Rows, predicted: FloatArray) -> FloatArray:
        """Residuals (targets, rows) under the noise model, in units of the group's standard deviation."""
        return np.asarray((predicted - rows.Y) * rows.weight / self.grounds.scale[:, rows.group])

    def _floor(self, rows: Rows, index: NDArray[np.int64], target: int) -> float:
        """Mean square below which the normalised residuals of these rows only show replicate noise or rounding."""
        factor = rows.weight[target, index] / self.grounds.scale[target, rows.group[index]]
        return float(self.grounds.floor[target] * np.mean(factor**2))

    def unit_scores(self, cut: PreparedCut, residual: FloatArray, target: int) -> tuple[float, FloatArray]:
        values, boots = [], []
        for unit in cut.units:
            square = residual[unit.rows] ** 2
            floor = self._floor(cut.held, unit.rows, target)
            if not np.isfinite(square).all():
                return np.inf, np.full(BOOTSTRAPS, np.inf)
            values.append(np.log(max(float(square.mean()), floor)))
            sums = np.bincount(unit.cell, weights=square)
            sizes = np.bincount(unit.cell)
            boots.append(np.log(np.maximum(unit.resample @ sums / np.maximum(unit.resample @ sizes, 1e-9), floor)))
        return float(np.mean(values)), np.asarray(np.mean(boots, axis=0))

    def _description_length(self, predicted: FloatArray, effective: float, cost: Complexity) -> float:
        """Minimum description length in nats (see the README for the definition)."""
        ground = self.grounds
        residual = self.normalised(ground.rows, predicted)
        sizes = np.diff(ground.rows.starts)
        large = sizes >= 8
        blocks = [np.nonzero(ground.rows.group == g)[0] for g in np.nonzero(large)[0]]
        weights = [float(ground.effective_rows[g]) for g in np.nonzero(large)[0]]
        rest = np.nonzero(~large[ground.rows.group])[0]
        if rest.size:
            blocks.append(rest)
            weights.append(float(ground.effective_rows[~large].sum()))
        total = 0.0
        for t in range(residual.shape[0]):
            for rows, n in zip(blocks, weights, strict=True):
                floor = self._floor(ground.rows, rows, t)
                mse = max(float(np.mean(residual[t, rows] ** 2)), floor)
                total += 0.5 * n * float(np.log(mse))
        n_eff = float(ground.effective_rows.sum())
        return total + 0.5 * effective * float(np.log(n_eff)) + cost.tree * float(np.log(12.0))

    def _determination(self, fitted: Fitted, program: Program) -> tuple[int, float]:
        """Undetermined directions (largest over blocks), and fitted scalars (effective ones under a penalty)."""
        law, result = fitted.compiled, fitted.result
        matrices, ridge = normal_matrices(result, self.grounds.rows, program.recipe)
        deficient, effective = 0, 0.0
        pl = law.local
        for H, own in zip(matrices, ridge, strict=True):
            lost, used = _directions(H[:pl, :pl], own[:pl])
            deficient, effective = max(deficient, lost), effective + used
        if law.shared:
            for lo, hi in pairwise(result.blocks.problems):
                reduced = np.sum([_reduced(H, pl) for H in matrices[lo:hi]], axis=0)
                lost, used = _directions(reduced, ridge[lo, pl:])
                deficient, effective = deficient + lost, effective + used
        return deficient, effective

    def _fingerprint(self, predicted: FloatArray, probe: FloatArray) -> str:
        """Hash of predictions on training rows and probe points, rounded to 1e-4 of the target's spread."""
        spread = np.std(self.grounds.rows.Y, axis=1, keepdims=True) + 1e-300
        every = max(1, predicted.shape[1] // 256)
        parts = np.concatenate([predicted[:, ::every] / spread, np.clip(probe / spread, -1e4, 1e4)], axis=1)
        rounded = np.round(np.nan_to_num(parts, nan=-9e9), 4) + 0.0
        return hashlib.sha1(rounded.tobytes()).hexdigest()


def _directions(H: FloatArray, ridge: FloatArray) -> tuple[int, float]:
    """Undetermined directions of a normal matrix (penalty included), and its effective number of parameters."""
    p = len(H)
    if p == 0:
        return 0, 0.0
    size = np.sqrt(np.maximum(np.diag(H), 1e-300))
    lost = int((np.linalg.eigvalsh(H / size[:, None] / size[None, :]) < 1e-10).sum())
    if not ridge.any():
        return lost, float(p)
    return lost, p - float(np.trace(np.linalg.lstsq(H, np.diag(ridge), rcond=None)[0]))


def _reduced(H: FloatArray, local: int) -> FloatArray:
    """What one block says of the shared parameters once its own are fitted: the Schur complement."""
    if local == 0:
        return H
    own, cross, shared = H[:local, :local], H[:local, local:], H[local:, local:]
    size = np.sqrt(np.maximum(np.diag(own), 1e-300))
    inverse = np.linalg.pinv(own / size[:, None] / size[None, :], rcond=1e-12, hermitian=True) / size[:, None] / size
    return np.asarray(shared - cross.T @ inverse @ cross)


def _generator(program: Program, purpose: int) -> np.random.Generator:
    return np.random.default_rng([int(structure_hash(program.law)[:15], 16), purpose])


def combine(by_variable: Mapping[str, FloatArray]) -> FloatArray:
    """X from the errors of every cut: the mean within a variable's cuts (first axis), then over variables.

    The joint direction, where there is one, weighs as much as the single variables together: what is asked of a law often
    lies beyond the data in all scale variables at once (`experiments/selection/README.md` has the evidence).
    """
    means = {v: np.mean(values, axis=0) for v, values in by_variable.items()}
    joint = means.pop("joint", None)
    if joint is None:
        return np.asarray(np.mean(list(means.values()), axis=0) if means else np.inf)
    if not means:
        return np.asarray(joint)
    return np.asarray(JOINT_WEIGHT * joint + (1.0 - JOINT_WEIGHT) * np.mean(list(means.values()), axis=0))


def _restrict(result: FitResult, law: CompiledLaw, rows: Rows) -> Point:
    """The fitted point with the blocks of the groups present in `rows`."""
    keep = (np.diff(rows.starts) > 0)[result.blocks.group]
    return Point(result.point.local[keep], result.point.shared if law.shared else np.zeros((int(keep.sum()), 0)))


def _r2(Y: FloatArray, predicted: FloatArray) -> float:
    nmse = np.mean((predicted - Y) ** 2, axis=1) / np.maximum(np.var(Y, axis=1), 1e-300)
    return float(1.0 - np.mean(nmse))
