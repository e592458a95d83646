"""A declared law as custom fitting code sees it: predictions, residuals and exact derivatives on the rows of one fit.

Stand-alone: numpy and `tape.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tape
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


class Law:
    """Predictions of a law's tapes on fixed rows.

    Attributes:
        names: of the fitted parameters, in the order of every parameter vector.
        lower, upper: declared bounds (parameters,), infinite where there is none.
        targets: measured values (rows, targets).
    """

    def __init__(
        self,
        tapes: list[tuple[Any, Any, Any, Any]],
        features: Floats,
        targets: Floats,
        names: tuple[str, ...],
        lower: Floats,
        upper: Floats,
        logarithmic: bool,
    ) -> None:
        self._tapes = tapes
        self._features = features
        self._logarithmic = logarithmic
        self.targets = targets
        self.names = names
        self.lower = lower
        self.upper = upper

    def predictions(self, parameters: ArrayLike) -> Floats:
        """Predictions (rows, targets)."""
        p = self._vector(parameters)
        columns = [tape.run(*arrays, self._features, p) for arrays in self._tapes]
        return np.stack([np.broadcast_to(c, (self._features.shape[1],)) for c in columns], axis=1)

    def residuals(self, parameters: ArrayLike) -> Floats:
        """Prediction minus measurement, target after target (rows * targets,); of logarithms in a logarithmic recipe."""
        predicted = self.predictions(parameters)
        with np.errstate(all="ignore"):
            gap = np.log(predicted) - np.log(self.targets) if self._logarithmic else predicted - self.targets
        return gap.T.ravel()

    def jacobian(self, parameters: ArrayLike) -> Floats:
        """Derivatives of `residuals` by the parameters (rows * targets, parameters), by forward differentiation."""
        p = self._vector(parameters)
        blocks = []
        with np.errstate(all="ignore"):
            for arrays in self._tapes:
                value, slope = _forward(*arrays, self._features, p)
                blocks.append(slope / value[:, None] if self._logarithmic else slope)
        return np.concatenate(blocks)

    def _vector(self, parameters: ArrayLike) -> Floats:
        p = np.asarray(parameters, dtype=np.float64)
        if p.shape != (len(self.names),):
            raise ValueError(f"the law has {len(self.names)} parameters, not {p.shape}: {', '.join(self.names)}")
        return p


def from_arrays(arrays: Mapping[str, Floats], options: Mapping[str, Any], rows: NDArray[np.bool_]) -> Law:
    """The law of one group's rows.

    `arrays`: ops, left, right, value (targets, instructions) and lengths (targets,) of the tapes; features (features, rows);
    targets (rows, targets); lower, upper (parameters,), optional.  `options`: parameters, their names; log, whether the
    residuals are of logarithms.
    """
    tapes = []
    for t, length in enumerate(arrays["lengths"].astype(np.int64)):
        codes = [arrays[name][t, :length].astype(np.int64).tolist() for name in ("ops", "left", "right")]
        tapes.append((*codes, arrays["value"][t, :length].tolist()))
    names = tuple(str(name) for name in options["parameters"])
    lower = arrays.get("lower", np.full(len(names), -np.inf))
    upper = arrays.get("upper", np.full(len(names), np.inf))
    return Law(
        tapes, arrays["features"][:, rows], arrays["targets"][rows], names, lower, upper, bool(options.get("log", False))
    )


def _forward(ops: Any, left: Any, right: Any, value: Any, features: Floats, p: Floats) -> tuple[Floats, Floats]:
    """Value (rows,) and derivatives (rows, parameters) of a tape: each node carries its own (dual numbers)."""
    rows, count = features.shape[1], len(p)
    nodes: list[Floats] = []
    slopes: list[Floats | None] = []  # None: does not depend on the parameters
    for code, x, y, constant in zip(ops, left, right, value, strict=True):
        slope: Floats | None = None
        if code == tape.CONST:
            node = np.full(rows, constant)
        elif code == tape.FEATURE:
            node = features[x]
        elif code == tape.PARAMETER:
            node = np.full(rows, p[x])
            slope = np.zeros((rows, count))
            slope[:, x] = 1.0
        elif code in tape.BINARY:
            node = tape.FUNCTIONS[code](nodes[x], nodes[y])
            by_left, by_right = _partial(code, nodes[x], nodes[y])
            slope = _sum(_scaled(by_left, slopes[x]), _scaled(by_right, slopes[y]))
        else:
            node = tape.FUNCTIONS[code](nodes[x])
            slope = _scaled(_derivative(code, nodes[x], node), slopes[x])
        nodes.append(node)
        slopes.append(slope)
    last = slopes[-1]
    return nodes[-1], np.zeros((rows, count)) if last is None else last


def _partial(code: int, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Partial derivatives of a binary operation."""
    one = np.ones_like(x)
    if code == tape.ADD:
        return one, one
    if code == tape.SUB:
        return one, -one
    if code == tape.MUL:
        return y, x
    return 1.0 / y, -x / y**2


def _derivative(code: int, x: Floats, node: Floats) -> Floats:
    """Derivative of a function of one argument, from argument and value."""
    if code == tape.NEG:
        return -np.ones_like(x)
    if code == tape.EXP:
        return node
    if code in (tape.LOG, tape.FLOORED_LOG):
        return 1.0 / x
    if code == tape.SQRT:
        return 0.5 / node
    if code == tape.TANH:
        return 1.0 - node**2
    if code == tape.SIGMOID:
        return node * (1.0 - node)
    return tape.sigmoid(x)  # softplus


def _scaled(factor: Floats, slope: Floats | None) -> Floats | None:
    return None if slope is None else factor[:, None] * slope


def _sum(a: Floats | None, b: Floats | None) -> Floats | None:
    if a is None or b is None:
        return b if a is None else a
    return a + b
