"""The tape of a formula evaluated by numpy: the reference for the compiled engines, and what the jail evaluates laws with.

Stand-alone: numpy only.  A tape is a list of instructions; instruction t computes node t from earlier nodes ``left[t]`` and
``right[t]``, reads row ``left[t]`` of the feature matrix, or reads parameter ``left[t]``.  The last node is the prediction.
"""

from __future__ import annotations

import numpy as np

CONST, FEATURE, PARAMETER, ADD, SUB, MUL, DIV, NEG, EXP, LOG, SQRT, TANH, SIGMOID, SOFTPLUS = range(14)
"""Operation codes."""

FLOORED_LOG = 100
"""log(max(x, 1e-300)), only for features: makes 0**a equal 0, with derivative 0, for a > 0."""


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)) without overflow."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0.0, 1.0 / (1.0 + e), e / (1.0 + e))


def softplus(x: np.ndarray) -> np.ndarray:
    """log(1 + exp(x)) without overflow."""
    return np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))


def floored_log(x: np.ndarray) -> np.ndarray:
    return np.where(x >= 0.0, np.log(np.maximum(x, 1e-300)), np.nan)


FUNCTIONS = {
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


def run(ops, left, right, value, features: np.ndarray, parameters) -> np.ndarray:
    """Prediction (rows,) of a tape.

    Args:
        ops, left, right, value: the tape's arrays, one entry per instruction.
        features: (features, rows).
        parameters: sequence of scalars, or (parameters, rows) for values that differ by row.
    """
    nodes: list[np.ndarray] = []
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
