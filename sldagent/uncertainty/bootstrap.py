"""Bootstraps of a fit: refits to resampled rows, all in one batch, each from the fitted point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import ConfigError, FitError
from sldagent.evaluation.evaluate import Evaluator
from sldagent.fitting.engines import Engine, fit_many
from sldagent.fitting.job import Job
from sldagent.fitting.refits import refit
from sldagent.fitting.result import Effort, FitResult, predict_point
from sldagent.fitting.rows import Rows
from sldagent.fitting.tape import CompiledLaw
from sldagent.fitting.uncertainty import linearise
from sldagent.laws.program import Program, Recipe
from sldagent.tasks.task import Task
from sldagent.uncertainty.resampling import Cluster, clusters, pair_weights, signs

FloatArray = NDArray[np.float64]
Resample = Literal["pairs", "residuals"]
"""``pairs``: rows are drawn; ``residuals``: the rows stay and their residuals change sign (wild bootstrap)."""

WARM = Effort(starts=0, keep=1, iterations=80)
"""Effort of one refit: the fitted point and no other start."""
RESAMPLES = 64
"""Refits behind the intervals of a report."""
LEVEL = 0.90
"""Share of the resamples that an interval holds where nothing else is asked."""
MIN_SHARE = 0.5
"""Share of the refits that must succeed."""


@dataclass(frozen=True)
class Resampling:
    """How a bootstrap draws and refits."""

    count: int
    """Resamples, at least 1."""
    seed: int = 0
    cluster: Cluster = "cell"
    """What is drawn, or changes sign, as a whole."""
    resample: Resample = "pairs"
    engine: Engine = "auto"
    """Of ``pairs``; the other kind has its own targets in every resample and runs on the CPU."""

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ConfigError(f"a bootstrap of {self.count} resamples says nothing: ask for at least 1")
        if self.resample not in get_args(Resample):
            raise ConfigError(f"unknown kind of resample '{self.resample}': use pairs or residuals")


@dataclass(frozen=True)
class Interval:
    """Central interval of a parameter; arrays shaped like the parameter's own."""

    low: FloatArray
    high: FloatArray


@dataclass(frozen=True)
class Bootstrap:
    """Parameters of the refits that succeeded."""

    draws: Mapping[str, FloatArray]
    """By name: (draws, groups or 1, index axes...); NaN where a resample left a parameter without rows."""
    asked: int
    """Refits that were tried."""

    @property
    def count(self) -> int:
        return len(next(iter(self.draws.values()), ()))

    def each(self) -> list[dict[str, FloatArray]]:
        """The parameters of every refit."""
        return [{name: values[s] for name, values in self.draws.items()} for s in range(self.count)]

    def intervals(self, level: float = LEVEL) -> dict[str, Interval]:
        """Percentile intervals (Efron 1979) by parameter name.  Raises ConfigError unless 0 < level < 1."""
        check_level(level)
        tail = 50.0 * (1.0 - level)
        out = {}
        for name, values in self.draws.items():
            low, high = np.nanpercentile(values, [tail, 100.0 - tail], axis=0)
            out[name] = Interval(np.asarray(low), np.asarray(high))
        return out


def check_level(level: float) -> None:
    """Raises ConfigError unless 0 < level < 1."""
    if not 0.0 < level < 1.0:
        raise ConfigError(f"an interval of {level:g} is not a share between 0 and 1: write for example 0.9")


def bootstrap(law: CompiledLaw, task: Task, rows: Rows, recipe: Recipe, fitted: FitResult, how: Resampling) -> Bootstrap:
    """Refit to resamples of the rows.

    Args:
        fitted: the fit to all rows, which every refit starts from.

    Raises:
        FitError: the clusters do not exist, or fewer than half of the refits succeed.
        ConfigError: an unknown cluster or engine.
    """
    rng = np.random.default_rng([how.seed, 4])
    count = how.count
    labels = clusters(task, rows, law, how.cluster)
    found: list[FitResult] | FitError
    if how.resample == "pairs":
        counts = pair_weights(labels, rows, count, rng, how.cluster)
        weights = np.repeat(counts[:, None, :], law.targets, axis=1)
        found = fit_many([Job(law, rows, recipe, rng, weights=weights, warm=fitted.point, effort=WARM)], how.engine)[0]
        if isinstance(found, FitError):
            raise found
    else:
        counts = np.ones((count, rows.n))
        weights = np.ones((count, *rows.Y.shape))
        found = refit(law, rows, recipe, fitted.point, weights, _redrawn(rows, recipe, fitted, signs(labels, count, rng)))
    good = [s for s, r in enumerate(found) if r.ok]
    if len(good) < MIN_SHARE * count:
        raise FitError(f"only {len(good)} of {count} refits to resampled rows succeeded: the rows do not determine the law")
    return Bootstrap(_stacked(found, good, counts, rows), count)


def _stacked(found: list[FitResult], good: list[int], counts: FloatArray, rows: Rows) -> dict[str, FloatArray]:
    """Parameters of the good refits; NaN for a group that was not drawn at all."""
    drawn = np.stack([counts[good][:, rows.group == g].sum(axis=1) > 0 for g in range(rows.groups)], axis=1)
    out = {}
    for name in found[good[0]].parameters:
        values = np.stack([found[s].parameters[name] for s in good])
        if values.shape[1] == rows.groups > 1:
            values[~drawn] = np.nan
        out[name] = values
    return out


def _redrawn(rows: Rows, recipe: Recipe, fitted: FitResult, flips: FloatArray) -> FloatArray:
    """(count, targets, rows) predictions plus residuals with their clusters' signs.

    Residuals are those of the recipe's space, over the root of 1 - leverage: a fit makes them smaller than the noise (HC2,
    MacKinnon and White 1985).
    """
    f = predict_point(fitted.law, fitted.law.tapes, rows, fitted.blocks, fitted.point)
    lines = linearise(fitted, rows, recipe)
    inverse, _ = lines.inverse()
    leverage = np.clip(np.einsum("ij,jk,ik->i", lines.J, inverse, lines.J) * lines.weight, 0.0, 0.99)
    residual = np.zeros(f.size)
    residual[lines.position] = lines.residual / np.sqrt(1.0 - leverage)
    changed = flips[:, None, :] * residual.reshape(f.shape)
    if recipe.space == "log":
        return np.asarray(f * np.exp(changed))
    return np.asarray(f + changed * (np.abs(rows.Y) if recipe.space == "relative" else 1.0))


def bootstrap_of(evaluator: Evaluator, program: Program, how: Resampling) -> Bootstrap:
    """`bootstrap` of a program's fit to the rows of an evaluator.

    Raises as `bootstrap` does, and FitError where the program brings fitting code of its own or cannot be fitted.
    """
    if program.custom_fit is not None:
        raise FitError("a program with fitting code of its own cannot be refitted here: give its law alone")
    fitted, ground = evaluator.fit(program), evaluator.grounds
    if not fitted.result.ok:
        raise FitError(f"the law cannot be fitted to '{ground.task.name}': {fitted.result.failure}")
    return bootstrap(fitted.compiled, ground.task, ground.rows, program.recipe, fitted.result, how)


def refits(evaluator: Evaluator, program: Program, count: int = RESAMPLES, seed: int = 0) -> list[dict[str, FloatArray]]:
    """Parameters of refits to `count` resamples of an evaluator's rows; empty where there can be none (see `bootstrap`)."""
    try:
        return bootstrap_of(evaluator, program, Resampling(count, seed)).each()
    except FitError:
        return []


def parameter_intervals(evaluator: Evaluator, program: Program, seed: int = 0) -> dict[str, Interval]:
    """Intervals by parameter name: 5 % and 95 % points over `refits`; empty where there are none."""
    try:
        return bootstrap_of(evaluator, program, Resampling(RESAMPLES, seed)).intervals()
    except FitError:
        return {}
