"""The tape interpreter in JAX: values and reverse-mode derivatives of many tapes at once.

Nodes of a lane's tape are numbered parameters, features (constants included), operations; operations are aligned to the end,
so that the prediction is the last node of every tape.  All operations are computed for every instruction and the right one
is selected: which operation a lane runs is data, never code.  The first axis of arrays is the node, then come the tapes
(Z = lanes x targets) and the rows (M = blocks x rows of a block).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from sldagent.fitting.reference import reference as op

LARGEST = 709.0
"""Arguments of exp are clamped here, as in the CPU engine: larger ones overflow."""


class TapeArrays(NamedTuple):
    """Tapes of Z lanes and targets, one column per instruction (see `encode.TapePart`)."""

    ops: Any
    """(Z, operations) operation codes, int32."""
    left: Any
    """(Z, operations) node of the left operand."""
    right: Any
    """(Z, operations) node of the right operand (of the left one again for unary operations)."""
    grad_left: Any
    """(Z, operations) adjoint of the left operand: parameters, operations, then one place for what needs none."""
    grad_right: Any
    """(Z, operations) adjoint of the right operand."""


def _operation(code: Array, u: Array, v: Array) -> tuple[Array, Array, Array]:
    """Value and partial derivatives of operation `code` (Z, 1) at operands (Z, M)."""

    def pick(default: Array, **cases: Array) -> Array:
        out = default
        for name, value in cases.items():
            out = jnp.where(code == getattr(op, name), value, out)
        return out

    size = jnp.abs(u)
    e = jnp.exp(pick(-size, EXP=jnp.minimum(u, LARGEST), TANH=-2.0 * size))  # exp(-|u|) of the squashing functions
    positive = u >= 0.0
    inverse = 1.0 / pick(1.0 + e, DIV=v, LOG=u)
    sigmoid = jnp.where(positive, inverse, e * inverse)
    tanh = jnp.where(positive, 1.0, -1.0) * (1.0 - e) * inverse
    log = jnp.where(u > 0.0, jnp.log(jnp.where(code == op.LOG, u, 1.0)), jnp.nan)
    root = jnp.sqrt(jnp.where(code == op.SQRT, u, 1.0))
    softplus = jnp.maximum(u, 0.0) + jnp.log1p(jnp.where(code == op.SOFTPLUS, e, 0.0))
    value = pick(
        u, ADD=u + v, SUB=u - v, MUL=u * v, DIV=u * inverse, NEG=-u, EXP=e, LOG=log, SQRT=root,
        TANH=tanh, SIGMOID=sigmoid, SOFTPLUS=softplus,
    )  # fmt: skip
    value = jnp.where(code == op.DIV, u / v, value)
    one = jnp.ones_like(u)
    by_left = pick(
        one, MUL=v, DIV=inverse, NEG=-one, EXP=e, LOG=inverse, SQRT=0.5 / root,
        TANH=1.0 - tanh * tanh, SIGMOID=sigmoid * (1.0 - sigmoid), SOFTPLUS=sigmoid,
    )  # fmt: skip
    by_right = pick(jnp.zeros_like(u), ADD=one, SUB=-one, MUL=u, DIV=-value * inverse)
    return value, by_left, by_right


def values_and_gradients(tape: TapeArrays, features: Array, parameters: Array) -> tuple[Array, Array]:
    """Predictions (Z, M) and their derivatives (parameters, Z, M).

    Args:
        tape: of Z tapes.
        features: (features, Z, M).
        parameters: (parameters, Z, M) physical values, broadcast over rows.
    """
    p, f = parameters.shape[0], features.shape[0]
    n = tape.ops.shape[1]
    z = jnp.arange(tape.ops.shape[0])
    shape = features.shape[1:]
    nodes = jnp.concatenate([parameters, features, jnp.zeros((n, *shape), features.dtype)])
    partial = jnp.zeros((n, *shape), features.dtype)

    def forward(t: Array, carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        nodes, by_left, by_right = carry
        u = nodes[tape.left[:, t], z]
        v = nodes[tape.right[:, t], z]
        value, dl, dr = _operation(tape.ops[:, t, None], u, v)
        set_at = lax.dynamic_update_index_in_dim
        return set_at(nodes, value, p + f + t, 0), set_at(by_left, dl, t, 0), set_at(by_right, dr, t, 0)

    nodes, by_left, by_right = lax.fori_loop(0, n, forward, (nodes, partial, partial))
    adjoint = jnp.zeros((p + n + 1, *shape), features.dtype).at[p + n - 1].set(1.0)

    def backward(k: Array, adjoint: Array) -> Array:
        t = n - 1 - k
        g = adjoint[p + t]
        mode: dict[str, Any] = {"unique_indices": True, "mode": "promise_in_bounds"}
        adjoint = adjoint.at[tape.grad_left[:, t], z].add(g * by_left[t], **mode)
        return adjoint.at[tape.grad_right[:, t], z].add(g * by_right[t], **mode)

    adjoint = lax.fori_loop(0, n, backward, adjoint)
    return nodes[-1], adjoint[:p]
