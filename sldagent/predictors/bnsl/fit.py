"""Fit curves with the project's engine: every curve is a group of one batched problem."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import PredictorError
from sldagent.predictors.bnsl import form

if TYPE_CHECKING:
    from sldagent.predictors.tables import Inputs, Targets

FloatArray = NDArray[np.float64]

MAX_POINTS = 80
"""Points of a curve that a fit uses; longer curves are thinned evenly in log x."""
EFFORT = {0: (32, 4), 1: (64, 6), 2: (48, 8), 3: (32, 8)}
"""By the number of breaks: random starts per two bent parameters, and how many of them are carried to convergence."""


@dataclass(frozen=True)
class Curve:
    """Points of one curve, in ascending order of x."""

    x: FloatArray
    y: FloatArray

    @property
    def origin(self) -> tuple[float, float]:
        """Log of the first x, and the length of the range of log x: the unit of z."""
        return float(np.log(self.x[0])), float(np.log(self.x[-1] / self.x[0]))


def read_curve(given: Inputs, measured: Targets) -> Curve:
    """The curve of a table that `checked` let pass.

    Raises:
        PredictorError: it has fewer than two different x; the rows are named.
    """
    x = given.numbers(0)
    if given.n == 1:
        raise PredictorError(f"{given.table.where(0)} holds the only point: a curve needs at least two different x")
    if len(np.unique(x)) < 2:
        raise PredictorError(
            f"{given.table.where(0)}: column '{given.names[0]}' is {x[0]:g} here and in all other rows, so that the curve "
            "has one point: it needs at least two different x"
        )
    return curve(x, measured.values[:, 0])


def curve(x: FloatArray, y: FloatArray) -> Curve:
    """A curve whose points are sorted."""
    order = np.argsort(x, kind="stable")
    return Curve(x[order], y[order])


def order_note(given: Inputs) -> str:
    """Which row is the first to stand out of the order of x, in words; '' where x never falls.

    A curve has no order but that of x, so that its points are sorted; a table in another order may still be two curves.
    """
    x = given.numbers(0)
    falls = np.flatnonzero(np.diff(x) < 0.0)
    if not falls.size:
        return ""
    row = int(falls[0]) + 1
    return (
        f"{given.table.where(row)}: column '{given.names[0]}' falls from {x[row - 1]:g} to {x[row]:g}; the points were "
        "sorted by it as those of one curve"
    )


def fit_breaks(
    curves: Sequence[Curve],
    n_breaks: int,
    *,
    shift: float = 0.0,
    signed: bool = True,
    first_slope: bool = True,
    seed: int = 0,
) -> list[form.Constants]:
    """Constants of a law with `n_breaks` breaks for every curve: the least squares of log(shift + y); see `form.program`.

    Raises:
        PredictorError: a curve cannot be fitted.
    """
    scale = [1.0 if shift else float(np.median(c.y)) for c in curves]
    thinned = [_thin(c) for c in curves]
    columns = [(np.log(c.x) - c.origin[0]) / c.origin[1] for c in thinned]
    values = [(shift + c.y / s) for c, s in zip(thinned, scale, strict=True)]
    program = form.program(n_breaks, shift, signed=signed, first_slope=first_slope)
    found = run_engine(program, {"z": columns}, values, EFFORT[n_breaks], seed)
    out = []
    for k, (c, s) in enumerate(zip(curves, scale, strict=True)):
        own = {name: float(v[k]) for name, v in found.items()}
        own |= {"a": own["a"] * s, "b": own["b"] * s}
        out.append(form.unit_constants(own, n_breaks, *c.origin))
    return out


def run_engine(
    program: str,
    columns: Mapping[str, Sequence[FloatArray]],
    values: Sequence[FloatArray],
    effort: tuple[int, int],
    seed: int,
) -> dict[str, FloatArray]:
    """Fit one program to many groups of rows, each with its own constants.

    Args:
        columns: by variable, one array for each group.
        values: targets, one array for each group.
        effort: random starts and how many are carried to convergence.

    Returns:
        (groups,) values by parameter.

    Raises:
        PredictorError: no start gave finite predictions.
    """
    from sldagent.fitting.fit import fit_rows
    from sldagent.fitting.graph import Layout
    from sldagent.fitting.result import Effort
    from sldagent.fitting.rows import Rows
    from sldagent.fitting.tape import compile_law
    from sldagent.laws.parse import parse_program

    parsed = parse_program(program, variables=list(columns))
    law = compile_law(parsed.law, Layout({name: k for k, name in enumerate(columns)}, {}, 1))
    X = np.column_stack([np.concatenate(list(parts)) for parts in columns.values()])
    Y = np.concatenate(list(values))[None]
    group = np.repeat(np.arange(len(values)), [len(v) for v in values])
    rows = Rows(X, Y, group, len(values), np.ones_like(Y))
    tries = Effort(starts=effort[0], keep=effort[1], iterations=150)
    result = fit_rows(law, rows, parsed.recipe, np.random.default_rng(seed), effort=tries)
    if not result.ok:
        raise PredictorError(f"the curve cannot be fitted: {result.failure}")
    return {name: np.asarray(v).reshape(len(v), -1)[:, 0] for name, v in result.parameters.items()}


def _thin(c: Curve) -> Curve:
    """At most `MAX_POINTS` points, spread evenly over log x; the first and the last stay."""
    if len(c.x) <= MAX_POINTS:
        return c
    wanted = np.linspace(np.log(c.x[0]), np.log(c.x[-1]), MAX_POINTS)
    keep = np.unique(np.abs(np.log(c.x)[:, None] - wanted[None]).argmin(axis=0))
    return Curve(c.x[keep], c.y[keep])


def rmsle(y: FloatArray, predicted: FloatArray) -> float:
    """Root of the mean squared difference of logarithms; infinite where a prediction is not above 0."""
    if not (predicted > 0.0).all():
        return float("inf")
    return float(np.sqrt(np.mean((np.log(predicted) - np.log(y)) ** 2)))


def checked(X: Any, y: Any, columns: Sequence[str] | None = None) -> tuple[Inputs, Targets]:
    """Inputs (one column above 0) and targets (one column above 0) of a curve.

    Raises:
        PredictorError, TableError: a cell cannot be used; the message names it.
    """
    from sldagent.predictors.tables import inputs, same_length, targets

    given, measured = inputs(X, ("x",), columns), targets(y)
    same_length(given, measured)
    given.positive(0)
    if measured.values.shape[1] != 1:
        raise PredictorError(f"y has {measured.values.shape[1]} columns: a curve has one")
    bad = np.flatnonzero(measured.values[:, 0] <= 0.0)
    if bad.size:
        raise PredictorError(
            f"{given.table.where(int(bad[0]))}: column '{measured.names[0]}' is {measured.values[bad[0], 0]:g}; a curve "
            "that is fitted by logarithms needs values above 0"
        )
    return given, measured
