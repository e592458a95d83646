"""Ridge penalties in standardised units: weights that mean the same whatever the units of the variables and the targets.

A parameter whose *column*, the derivative of the prediction in it, is the same at all values of the parameters (c in
``a + c*log(N)``) is penalised as on standardised features: ``weight * (value * s)**2``, where s is the standard deviation of
the column over the rows (Hoerl and Kennard 1970).  This is scikit-learn's ``Ridge(alpha=weight)`` after its
``StandardScaler``, so a weight counts rows: it leaves the share n / (n + weight) of a lone coefficient.  An intercept, whose
column does not vary, is not penalised.

Any other parameter bends the formula, or multiplies a part that another one bends (alpha and A in ``A*N**-alpha``), and
has no column to standardise by.  It is taken as a pure number, such as an exponent: ``weight * value**2 * v``, where v is
the variance of the target.  This is free of all units for exponents; an amplitude like A has the unit of its power law, so
divide N by a typical value before penalising it.

In the spaces relative and log, where residuals are those of f / |y|, variances are taken with weights 1 / y**2.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sldagent.fitting.graph import Graph
from sldagent.fitting.reference import reference as op
from sldagent.fitting.rows import Rows
from sldagent.fitting.tape import CompiledLaw
from sldagent.laws.program import Recipe

FloatArray = NDArray[np.float64]


def ridge_weights(
    law: CompiledLaw, rows: Rows, recipe: Recipe, square: FloatArray, count: FloatArray, scale: FloatArray
) -> FloatArray:
    """(sets, local + shared) weights of the parameters' squares, for the sum of squared residuals of every weight set.

    Args:
        square: (sets, targets, rows) weights of squared residuals in the target's unit.
        count: (sets, targets, rows) how often each row counts; 0 where it is left out.
        scale: (sets,) variances of the target, in the units of the residuals.
    """
    out = np.zeros((len(square), len(law.slots)))
    given = dict(recipe.ridge)
    named = [q for q, (name, _) in enumerate(law.slots) if given.get(name, 0.0) > 0.0]
    if not named:
        return out
    columns = [fixed_columns(graph, rows) for graph in law.graphs]
    found: list[list[FloatArray]] = [[] for _ in law.slots]
    for t, own in enumerate(columns):
        for local in (True, False):
            fixed = {q: own[q] for q in named if (q < law.local) == local and own.get(q) is not None}
            if fixed:
                spread = _variances(np.array([*fixed.values()]), rows, square[:, t], count[:, t], local)
                for k, q in enumerate(fixed):
                    found[q].append(spread[:, k])
    for q in named:
        bent = any(q in own and own[q] is None for own in columns)
        unit = scale if bent else np.mean(found[q], axis=0) if found[q] else np.zeros_like(scale)
        out[:, q] = given[law.slots[q][0]] * unit
    return out


def target_variance(Y: FloatArray, square: FloatArray, count: FloatArray) -> FloatArray:
    """(sets,) mean over targets and rows of the weighted squared residual of the targets' means.

    Args:
        Y: (targets, rows) in the space of the loss.
        square: (sets, targets, rows) weights of squared residuals.
        count: (sets, targets, rows) as in `ridge_weights`.
    """
    n = count.sum(axis=2, keepdims=True)
    total = count.sum(axis=(1, 2))
    with np.errstate(all="ignore"):  # a row that is left out may hold anything
        mean = np.where(count > 0.0, count * Y, 0.0).sum(axis=2, keepdims=True) / np.where(n > 0.0, n, 1.0)
        part = np.where(square > 0.0, square * (Y - mean) ** 2, 0.0).sum(axis=(1, 2))
    return np.asarray(part / np.where(total > 0.0, total, 1.0))


def fixed_columns(graph: Graph, rows: Rows) -> dict[int, FloatArray | None]:
    """(rows,) derivative of the target's prediction in every parameter that occurs; None where it depends on parameters."""
    unknown: set[int] = set()
    slope: dict[int, FloatArray] = {graph.root: np.ones(())}
    out: dict[int, FloatArray | None] = {}
    for k in reversed(graph.needed()):
        if not graph.depends[k]:
            continue
        code, x, y = graph.code[k], graph.left[k], graph.right[k]
        if code == op.PARAMETER:
            out[x] = None if k in unknown else np.broadcast_to(slope[k], (rows.n,))
            continue
        sides = ((x, y), (y, x)) if code in op.BINARY else ((x, x),)
        for side, (child, other) in enumerate(sides):
            if not graph.depends[child]:
                continue
            if k in unknown or not _straight(graph, code, side, other):
                unknown.add(child)
                continue
            part = slope[k]
            if code in (op.MUL, op.DIV):
                with np.errstate(all="ignore"):
                    part = op.FUNCTIONS[code](part, rows.feature(graph, other))
            elif code == op.NEG or (code == op.SUB and side == 1):
                part = -part
            slope[child] = slope[child] + part if child in slope else part
    return out


def _straight(graph: Graph, code: int, side: int, other: int) -> bool:
    """Whether an operation's derivative in its left (`side` 0) or right operand depends on no parameter."""
    if code in (op.ADD, op.SUB, op.NEG):
        return True
    return not graph.depends[other] and (code == op.MUL or (code == op.DIV and side == 0))


def _variances(columns: FloatArray, rows: Rows, square: FloatArray, count: FloatArray, local: bool) -> FloatArray:
    """(sets, columns) weighted mean squares about the weighted mean, which is that of each group for local parameters.

    Per row that counts, not per unit of weight, as the loss is.
    """
    total = np.zeros((len(square), len(columns)))
    bounds = rows.starts if local else np.array([0, rows.n])
    for lo, hi in pairwise(bounds):
        if lo == hi:
            continue
        c, s = columns[:, lo:hi] - columns[:, lo:hi].mean(axis=1, keepdims=True), square[:, lo:hi]
        weight = s.sum(axis=1, keepdims=True)
        with np.errstate(all="ignore"):  # a column may not be finite: the fit will say so
            total += s @ (c * c).T - (s @ c.T) ** 2 / np.where(weight > 0.0, weight, 1.0)
    n = count.sum(axis=1, keepdims=True)
    return np.asarray(np.maximum(total, 0.0) / np.where(n > 0.0, n, 1.0))
