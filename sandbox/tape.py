"""The tape of a formula evaluated by numpy: the reference for the compiled engines, and what the jail evaluates laws with.

Stand-alone: numpy only.  A tape is a list of instructions; instruction t computes node t from earlier nodes ``left[t]`` and
``right[t]``, reads row ``left[t]`` of the feature matrix, or reads parameter ``left[t]``.  The last node is the prediction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CONST, FEATURE, PARAMETER, ADD, SUB, MUL, DIV, NEG, EXP, LOG, SQRT, TANH, SIGMOID, SOFTPLUS = range(14)
"""Operation codes."""

FLOORED_LOG = 100
"""log(max(x, 1e-300)), only for features: makes 0**a equal 0, with derivative 0, for a > 0."""


def sigmoid(x: Floats) -> Floats:
    """1 / (1 + exp(-x)) without overflow."""
    e = np.exp(-np.abs(x))
    value: Floats = np.where(x >= 0.0, 1.0 / (1.0 + e), e / (1.0 + e))
    return value


def softplus(x: Floats) -> Floats:
    """log(1 + exp(x)) without overflow."""
    value: Floats = np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))
    return value


def floored_log(x: Floats) -> Floats:
    """log(max(x, 1e-300)); not a number below 0."""
    return np.where(x >= 0.0, np.log(np.maximum(x, 1e-300)), np.nan)


FUNCTIONS: dict[int, Callable[..., Any]] = {
    ADD: np.add,
    SUB: np.subtract,
    MUL: np.multiply,
    DIV: np.divide,
    NEG: np.negative,
    EXP: np.exp,
    LOG: np.log,
    SQRT: np.sqrt,
    TANH: np.tanh,
    SIGMOID: sigmoid,
    SOFTPLUS: softplus,
    FLOORED_LOG: floored_log,
}
"""Every operation on arrays, by code."""

BINARY = frozenset((ADD, SUB, MUL, DIV))


def run(ops: Any, left: Any, right: Any, value: Any, features: Floats, parameters: Any) -> Floats:
    """Prediction (rows,) of a tape.

    Args:
        ops, left, right, value: the tape's arrays, one entry per instruction.
        features: (features, rows).
        parameters: sequence of scalars, or (parameters, rows) for values that differ by row.
    """
    nodes: list[Floats] = []
    with np.errstate(all="ignore"):
        for code, x, y, constant in zip(ops, left, right, value, strict=True):
            if code == CONST:
                nodes.append(np.full(features.shape[1], constant))
            elif code == FEATURE:
                nodes.append(features[x])
            elif code == PARAMETER:
                nodes.append(np.broadcast_to(np.asarray(parameters[x], dtype=float), (features.shape[1],)))
            elif code in BINARY:
                nodes.append(FUNCTIONS[code](nodes[x], nodes[y]))
            else:
                nodes.append(FUNCTIONS[code](nodes[x]))
    return nodes[-1]
