"""Profile-likelihood interval of one parameter: how far it can be moved while the others make up for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import fdtri

from sldagent.errors import FitError
from sldagent.fitting.fixed import fixed
from sldagent.fitting.refits import refit
from sldagent.fitting.result import FitResult, Point
from sldagent.fitting.rows import Rows
from sldagent.fitting.tape import CompiledLaw, compile_law, layout_of
from sldagent.fitting.uncertainty import linearise
from sldagent.laws.program import Program, Recipe
from sldagent.tasks.task import Task
from sldagent.uncertainty.bootstrap import check_level
from sldagent.uncertainty.measure import point_of

FloatArray = NDArray[np.float64]

DOUBLINGS = 40
"""Steps outwards, each twice as long as the last, before an end counts as open."""


@dataclass(frozen=True)
class Profile:
    """Interval of one parameter's value in one group (or in all, '' where it is shared or there is one group)."""

    group: str
    value: float
    low: float
    """The parameter's bound (or -inf) where the rows do not exclude it."""
    high: float
    closed: tuple[bool, bool]
    """Whether the likelihood ratio ends the interval below and above."""


def profile(
    program: Program, task: Task, parameters: Mapping[str, FloatArray], name: str, level: float
) -> tuple[Profile, ...]:
    """Profile-likelihood intervals of the scalar parameter `name`, one per group that has its own value.

    Args:
        task: the training rows.
        parameters: fitted values, as in `Fitted.parameters`.

    A value v is inside where 2 (L(v) - L) k <= F(1, n - p), with L the minimised loss (r^2 / 2, or Huber's), L(v) the same
    with the parameter held at v, and k = sum psi' / sum w psi^2 * (n - p) / n from the residuals, psi the loss's derivative
    and w the rows' weights.  For the squared loss 1 / k is the usual noise variance, and on a linear law this is the F
    interval.  For Huber's loss it is the robust likelihood ratio of Heritier and Ronchetti (1994): the loss itself is no
    likelihood, so the spread of its derivative sets the scale.

    Raises:
        FitError: the parameter does not exist, has several elements, or the law, its loss or its rows allow no profile.
        ConfigError: `level` is not between 0 and 1.
    """
    check_level(level)
    law = compile_law(program.law, layout_of(task))
    _check(program, law, name)
    rows = Rows.of_task(task)
    q = next(k for k, slot in enumerate(law.slots) if slot[0] == name)
    whole = q >= law.local or rows.groups == 1
    if not whole and law.shared:
        raise FitError(
            f"'{name}' has a value per group and the law shares others between groups: its profile would move them all. "
            "Ask for a shared parameter, or use --bootstrap"
        )
    out = []
    for g in [-1] if whole else np.unique(rows.group):
        part = rows if g < 0 else rows.take(np.nonzero(rows.group == g)[0])
        result = fixed(law, part, program.recipe, point_of(law, part, parameters), polish=40)
        group = task.groups[g] if g >= 0 else ""
        out.append(_Curve(law, part, program.recipe, result, q, level).interval(group))
    return tuple(out)


def _check(program: Program, law: CompiledLaw, name: str) -> None:
    names = [slot[0] for slot in law.slots]
    if name not in names:
        raise FitError(f"the law has no parameter '{name}' to profile: it has {', '.join(dict.fromkeys(names))}")
    if names.count(name) > 1 or law.targets > 1:
        raise FitError(f"'{name}' stands for several values (elements or targets), and a profile moves one: use --bootstrap")
    if program.recipe.loss == "absolute":
        raise FitError("the absolute loss has no curvature to profile: use --bootstrap, or a Huber loss")
    if program.custom_fit is not None:
        raise FitError("a program with fitting code of its own has no profile here: give its law alone")


class _Curve:
    """Scaled likelihood ratio of one parameter's values (in the engine's space), each refitted from its neighbour."""

    def __init__(self, law: CompiledLaw, rows: Rows, recipe: Recipe, best: FitResult, q: int, level: float) -> None:
        self.law, self.rows, self.recipe, self.best, self.q = law, rows, recipe, best, q
        lines = linearise(best, rows, recipe)
        n, p = lines.J.shape
        if n <= p:
            raise FitError(f"{n} rows and {p} parameters leave no residual to profile with")
        own = rows.weights(recipe.emphasis).ravel()[lines.position] ** 2
        squared = recipe.loss == "squared"
        psi = lines.residual if squared else np.clip(lines.residual, -recipe.delta, recipe.delta)
        bend = float(n) if squared else float(np.sum(np.abs(lines.residual) <= recipe.delta))
        scatter = float(np.sum(own * psi**2))
        if bend == 0.0 or scatter <= 0.0:
            raise FitError("no profile: every residual is zero, or all are beyond the Huber threshold (take a larger one)")
        self.scale = bend / scatter * (n - p) / n
        self.factor = 1.0 if squared else 2.0  # the squared loss is reported without its half
        self.limit = float(fdtri(1, n - p, level))
        inverse, _ = lines.inverse()
        # the column of a value that all blocks share, or of the only block
        column = q if q < law.local else lines.J.shape[1] - law.shared + (q - law.local)
        self.step = float(np.sqrt(max(inverse[column, column] * self.limit / self.scale, 0.0)))

    def interval(self, group: str) -> Profile:
        """Both ends."""
        start = self._theta(self.best.point)
        ends = [self._end(start, side) for side in (-1.0, 1.0)]
        values = [self._value(theta) for theta, _ in ends]
        return Profile(group, self._value(start), values[0], values[1], (ends[0][1], ends[1][1]))

    def _end(self, start: float, side: float) -> tuple[float, bool]:
        bound = float(self.law.lower[self.q] if side < 0 else self.law.upper[self.q])
        step = self.step if np.isfinite(self.step) and self.step > 0 else 1e-3 * max(abs(start), 1.0)
        excess = self._walk()
        inner = start
        for _ in range(DOUBLINGS):
            outer = start + side * step
            if (outer - bound) * side >= 0.0:
                outer = bound
            if excess(outer) > 0.0:
                inner, outer = sorted((inner, outer))
                return float(brentq(excess, inner, outer, xtol=1e-7 * step, rtol=1e-12)), True
            if outer == bound:
                break
            inner, step = outer, 2.0 * step
        return bound, False

    def _walk(self) -> Callable[[float], float]:
        """LR(theta) - limit, every refit from the nearest point seen so far."""
        seen: dict[float, tuple[Point, float]] = {self._theta(self.best.point): (self.best.point, -self.limit)}

        def excess(theta: float) -> float:
            if theta not in seen:
                near = seen[min(seen, key=lambda v: abs(v - theta))][0]
                seen[theta] = self._held(theta, near)
            return seen[theta][1]

        return excess

    def _held(self, theta: float, near: Point) -> tuple[Point, float]:
        lower, upper = self.law.lower.copy(), self.law.upper.copy()
        lower[self.q] = upper[self.q] = theta
        law = replace(self.law, lower=lower, upper=upper)
        local, shared = near.local.copy(), near.shared.copy()
        if self.q < self.law.local:
            local[:, self.q] = theta
        else:
            shared[:, self.q - self.law.local] = theta
        weights = np.ones((1, *self.rows.Y.shape))
        found = refit(law, self.rows, self.recipe, Point(local, shared), weights)[0]
        if not found.ok:
            return near, np.finfo(float).max
        return found.point, self.factor * (found.objective - self.best.objective) * self.scale - self.limit

    def _theta(self, point: Point) -> float:
        return float(point.local[0, self.q] if self.q < self.law.local else point.shared[0, self.q - self.law.local])

    def _value(self, theta: float) -> float:
        return float(np.exp(min(theta, 700.0)) if self.law.transform[self.q] == 1 else theta)
