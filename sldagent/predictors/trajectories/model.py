"""The trajectory forecaster: an ensemble of small quantile transformers over contexts of accuracies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import PredictorError
from sldagent.predictors.base import Predictor
from sldagent.predictors.tables import Inputs, same_length, targets
from sldagent.predictors.trajectories.data import Trajectory, read_trajectories
from sldagent.predictors.trajectories.references import own_references, reference, task_curves
from sldagent.predictors.trajectories.samples import LEAST, UNIT, draw, make_batch

if TYPE_CHECKING:
    from sldagent.predictors.trajectories.network import Weights

FloatArray = NDArray[np.float64]
SAMPLES_PER_STEP = 0.5
"""Fresh training samples drawn, as a share of those used: each is seen twice."""
HELD = 6
"""Each member is trained without one run in so many, on which its interval is calibrated."""
SHARES = np.linspace(0.0, 1.0, 21)
CALIBRATION = 2000
"""Samples of a calibration."""


class TrajectoryForecaster(Predictor):
    """Quantiles of a run's accuracy at later checkpoints, from its accuracies so far.

    X is long: the columns run, task, step, accuracy (empty at checkpoints to forecast), then any number of columns about the
    losses at the same checkpoint, such as a histogram of exp(-loss).  y is the accuracy at every row, empty where unknown.
    A forecast sees the trajectory's own known accuracies and the losses at the last of them, nothing later, the step of its
    last row (the planned end of the run) and, where the task was in training, the mean accuracy of training runs on it; not
    the model's size.  Needs jax.

    Args:
        ratio: share of a trajectory that contexts will hold, around which training contexts are drawn.
        losses: whether the loss columns are read; without, they may be absent.
        width, layers: of each transformer; width is a multiple of 8.
        members: networks whose quantiles are averaged, each trained without a sixth of the runs.
        steps, batch: of training.
        keep: probability that a context checkpoint stays in a training sample.
        seed: of samples and initial weights.

    Attributes:
        weights_: one tree of arrays per member.
        curves_: by task, mean accuracy of the training runs over the share of their length (see `references`).
        line_share_: share in the medians of the line that is straight in the task's mean curve, chosen on runs that a member
            did not learn from.
        widening_: factor on the quantiles' distances from the median, by conformal calibration on the same runs.
        pinball_: (members,) training losses, in points of accuracy.
        trained_on_: trajectories learnt from.
    """

    name: ClassVar[str] = "trajectories"
    error_name: ClassVar[str] = "MAE (points)"

    weights_: list[Any]
    curves_: dict[str, FloatArray]
    line_share_: float
    widening_: float
    pinball_: FloatArray
    trained_on_: int

    def __init__(
        self,
        ratio: float = 0.2,
        losses: bool = False,
        width: int = 32,
        layers: int = 2,
        members: int = 2,
        steps: int = 500,
        batch: int = 128,
        keep: float = 0.6,
        seed: int = 0,
    ) -> None:
        self.ratio = ratio
        self.losses = losses
        self.width = width
        self.layers = layers
        self.members = members
        self.steps = steps
        self.batch = batch
        self.keep = keep
        self.seed = seed

    def fit(self, X: Any, y: Any) -> Self:
        """Train the networks on all trajectories.

        Raises:
            PredictorError, TableError: a parameter is out of range, a row cannot be used, or no trajectory has more than
                four known checkpoints.
        """
        self._check()
        trajectories, given = read_trajectories(X)
        measured = targets(y, missing=True)
        same_length(given, measured)
        if measured.values.shape[1] != 1:
            raise PredictorError(f"y has {measured.values.shape[1]} columns; a trajectory has one accuracy")
        self.fit_trajectories(_measured(trajectories, measured.values[:, 0]))
        self.feature_names_in_ = given.names if self.losses else given.names[:4]
        self.target_names_ = measured.names
        return self

    def fit_trajectories(self, trajectories: tuple[Trajectory, ...]) -> None:
        """`fit` for trajectories that are already read."""
        from sldagent.predictors.trajectories.training import Schedule, forecast, train

        usable = [t for t in trajectories if np.isfinite(t.accuracy).sum() >= LEAST + 2]
        if not usable:
            raise PredictorError(
                f"no trajectory has {LEAST + 2} checkpoints with known accuracy: there is nothing to learn from"
            )
        if self.losses and usable[0].losses.shape[1] == 0:
            raise PredictorError("losses=True needs loss columns after run, task, step and accuracy")
        schedule = Schedule(self.steps, self.batch)
        weights, losses, checks = [], [], []
        count = max(int(SAMPLES_PER_STEP * self.steps * self.batch), self.batch)
        beside = own_references(usable)
        for member in range(self.members):
            rng = np.random.default_rng([self.seed, member])
            kept, held = (([usable[k] for k in part], [beside[k] for k in part]) for part in _held_out(usable, rng))
            drawn = draw(*kept, count, self.ratio, self.keep, rng)
            found, loss = train(drawn, self.width, self.layers, self.losses, schedule, 1000 * self.seed + member)
            weights.append(_numpy(found))
            losses.append(100.0 * UNIT * loss)
            if held[0]:
                check = draw(*held, CALIBRATION, self.ratio, 1.0, rng, trended=0.0)
                checks.append((forecast(found, check), check.lines[:, -1].astype(np.float64), check.y.astype(np.float64)))
        self.line_share_ = _line_share(checks)
        widths = [_widening(_moved(quantiles, line, self.line_share_), y) for quantiles, line, y in checks]
        self.widening_ = float(np.mean(widths)) if widths else 1.0
        self.weights_ = weights
        self.curves_ = task_curves(usable)
        self.pinball_ = np.array(losses)
        self.trained_on_ = len(usable)
        self.target_names_ = ("accuracy",)

    def predict(self, X: Any) -> FloatArray:
        """(n,) medians at the rows without accuracy; rows with a known one keep it."""
        return self.predict_quantiles(X)[:, 2]

    def predict_quantiles(self, X: Any) -> FloatArray:
        """(n, 5) quantiles 0.1, 0.25, 0.5, 0.75 and 0.9, in [0, 1]; all five are the known accuracy where it is known.

        Raises:
            PredictorError, TableError: a trajectory has fewer than three known accuracies, or a row to forecast lies before
                the last of them; the row is named.
        """
        self._check_fitted()
        trajectories, given = read_trajectories(X, self.feature_names_in_ if hasattr(X, "columns") else None)
        out = np.full((given.n, 5), np.nan)
        index, ends, wanted = [], [], []
        for k, t in enumerate(trajectories):
            known = np.isfinite(t.accuracy)
            out[t.rows[known]] = t.accuracy[known, None]
            for j in np.flatnonzero(~known):
                _check_row(t, int(j), given)
                index.append(k)
                ends.append(t.context - 1)
                wanted.append(j)
        if index:
            rows = np.array([trajectories[k].rows[j] for k, j in zip(index, wanted, strict=True)])
            out[rows] = self.forecast(trajectories, np.array(index), np.array(ends), np.array(wanted))
        return out

    def forecast(
        self,
        trajectories: tuple[Trajectory, ...],
        index: NDArray[np.int64],
        ends: NDArray[np.int64],
        wanted: NDArray[np.int64],
    ) -> FloatArray:
        """(n, 5) quantiles of accuracy for samples as `make_batch` takes them."""
        from sldagent.predictors.trajectories.training import forecast

        beside = [reference(self.curves_, t.task) for t in trajectories]
        samples = make_batch(trajectories, index, ends, wanted, [beside[k] for k in index])
        mean = np.mean([forecast(w, samples) for w in self.weights_], axis=0)
        mean = _moved(mean, samples.lines[:, -1].astype(np.float64), self.line_share_)
        median = mean[:, 2:3]
        calibrated = median + self.widening_ * (mean - median)
        return np.asarray(np.clip(samples.level[:, None] + UNIT * calibrated, 0.0, 1.0))

    def _error(self, y: FloatArray, predicted: FloatArray) -> float:
        return 100.0 * float(np.nanmean(np.abs(y - predicted)))

    def _check(self) -> None:
        if not 0.0 < self.ratio < 1.0 or not 0.0 < self.keep <= 1.0:
            raise PredictorError(f"ratio is {self.ratio} and keep {self.keep}: give shares between 0 and 1")
        if self.width < 8 or self.width % 8 or min(self.layers, self.members, self.steps, self.batch) < 1:
            raise PredictorError("width is a multiple of 8; layers, members, steps and batch are 1 or more")


def _measured(trajectories: tuple[Trajectory, ...], y: FloatArray) -> tuple[Trajectory, ...]:
    """The trajectories with the accuracies measured, where X leaves them open."""
    from dataclasses import replace

    return tuple(replace(t, accuracy=np.where(np.isfinite(y[t.rows]), y[t.rows], t.accuracy)) for t in trajectories)


def _check_row(t: Trajectory, j: int, given: Inputs) -> None:
    known = int(np.isfinite(t.accuracy).sum())
    where = given.table.where(int(t.rows[j]))
    if known < LEAST:
        raise PredictorError(
            f"{where}: run '{t.run}', task '{t.task}' has {known} known accuracies; a forecast needs {LEAST}"
        )
    if j < t.context:
        raise PredictorError(
            f"{where}: run '{t.run}', task '{t.task}' has a known accuracy after this checkpoint, and only later ones are "
            "forecast: fill the cell or remove the row"
        )


def _held_out(trajectories: list[Trajectory], rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """Trajectories to train a member on, and those of a sixth of the runs, to calibrate it; none of these with few runs."""
    runs = sorted({t.run for t in trajectories})
    out = {runs[i] for i in rng.permutation(len(runs))[: len(runs) // HELD]}
    inside = [t.run in out for t in trajectories]
    return [k for k, held in enumerate(inside) if not held], [k for k, held in enumerate(inside) if held]


def _moved(quantiles: FloatArray, line: FloatArray, share: float) -> FloatArray:
    """(n, 5) quantiles whose median has moved by `share` of the way to (n,) `line`, the others with it."""
    return quantiles + share * (line[:, None] - quantiles[:, 2:3])


def _line_share(checks: Sequence[tuple[FloatArray, FloatArray, FloatArray]]) -> float:
    """The share of the line with the lowest mean absolute error over quantiles, lines and y of runs held out of training.

    The network's errors and the line's differ in kind: one is learnt from all runs, the other follows its own context.
    """
    if not checks:
        return 0.0
    medians, lines, y = (np.concatenate(parts) for parts in zip(*((q[:, 2], line, y) for q, line, y in checks), strict=True))
    errors = [np.abs(y - medians - share * (lines - medians)).mean() for share in SHARES]
    return float(SHARES[int(np.argmin(errors))])


def _widening(quantiles: FloatArray, y: FloatArray) -> float:
    """Factor on the distances to the median at which the outer quantiles hold four fifths of y (conformal calibration)."""
    miss = y - quantiles[:, 2]
    reach = np.where(miss > 0.0, quantiles[:, 4] - quantiles[:, 2], quantiles[:, 2] - quantiles[:, 0])
    return float(np.quantile(np.abs(miss) / np.maximum(reach, 1e-9), 0.8))


def _numpy(weights: Weights) -> Any:
    """The tree with float64 arrays, as a predictor's file keeps them (exact for float32)."""
    import jax

    return jax.tree.map(lambda w: np.asarray(w, dtype=np.float64), weights)
