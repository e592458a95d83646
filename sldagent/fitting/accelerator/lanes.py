"""Levenberg-Marquardt with variable projection on W lanes at once; a lane is one start of one problem.

The rules are those of `sldagent.fitting.solver.minimise`.  Every pass evaluates each lane's trial point once, whatever the
lane is doing, so lanes need not be at the same stage, and a lane that ends can be given to another start between calls.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from sldagent.fitting.accelerator.algebra import bounded_step
from sldagent.fitting.accelerator.objective import LaneData, evaluate, step

START, START_PROJECTED, TRIAL, TRIAL_PROJECTED, DONE = range(5)
"""Phases: what the trial point of a lane is.  The projected ones have their affine parameters re-solved."""

traces: Counter[tuple[int, ...]] = Counter()
"""How often `advance` was traced, which is when it compiles, by the shapes of its arrays (for tests and benchmarks)."""


class State(NamedTuple):
    """Where the lanes are: accepted point, its matrices, and the point to evaluate next."""

    phase: Any
    """(W,) int32"""
    local: Any
    """(W, blocks, pl)"""
    shared: Any
    """(W, ps)"""
    trial_local: Any
    trial_shared: Any
    H: Any
    """(W, blocks, p, p)"""
    g: Any
    """(W, blocks, p)"""
    objective: Any
    """(W,)"""
    damping: Any
    small: Any
    """(W,) accepted steps in a row that gained less than the tolerance."""
    count: Any
    """(W,) evaluations."""


def empty_state(W: int, blocks: int, pl: int, ps: int) -> State:
    """Lanes that have nothing to do."""
    p = pl + ps
    local, shared, none = jnp.zeros((W, blocks, pl)), jnp.zeros((W, ps)), jnp.zeros(W, jnp.int32)
    matrices, gradients = jnp.zeros((W, blocks, p, p)), jnp.zeros((W, blocks, p))
    idle = jnp.full(W, DONE, jnp.int32)
    return State(idle, local, shared, local, shared, matrices, gradients, jnp.zeros(W), jnp.zeros(W), none, none)


@jax.jit
def restart(state: State, fresh: Array, local: Array, shared: Array) -> State:
    """`state` with the lanes marked in `fresh` (W,) put at new starts."""
    three, two = fresh[:, None, None], fresh[:, None]
    return state._replace(
        phase=jnp.where(fresh, START, state.phase),
        local=jnp.where(three, local, state.local),
        shared=jnp.where(two, shared, state.shared),
        trial_local=jnp.where(three, local, state.trial_local),
        trial_shared=jnp.where(two, shared, state.trial_shared),
        objective=jnp.where(fresh, jnp.inf, state.objective),
        damping=jnp.where(fresh, 1e-2, state.damping),
        small=jnp.where(fresh, 0, state.small),
        count=jnp.where(fresh, 0, state.count),
    )


@jax.jit
def advance(lane: LaneData, state: State, passes: Array) -> State:
    """At most `passes` evaluations of every lane that is not done."""
    traces[(*lane.y.shape, lane.tape.ops.shape[-1], lane.features.shape[1], *lane.transform.shape[1:])] += 1

    def more(carry: tuple[Array, State]) -> Array:
        return (carry[0] < passes) & jnp.any(carry[1].phase != DONE)

    def once(carry: tuple[Array, State]) -> tuple[Array, State]:
        return carry[0] + 1, _pass(lane, carry[1])

    return lax.while_loop(more, once, (jnp.zeros_like(passes), state))[1]


def _pass(lane: LaneData, state: State) -> State:
    """One evaluation of every lane, and what follows from it."""
    pl = state.local.shape[-1]
    active = state.phase != DONE
    starting = state.phase <= START_PROJECTED
    value, H, g = evaluate(lane, state.trial_local, state.trial_shared)
    finite = value < jnp.inf
    count = state.count + active
    linear = lane.linear[:, :pl]
    inner = lane.inner & jnp.any(linear, axis=-1)

    # a point that is not projected yet: re-solve its affine parameters, and evaluate there next
    unprojected = active & inner & ((state.phase == START) | (state.phase == TRIAL))
    due = unprojected & finite
    move, change = _projection(lane, linear, due, state.trial_local, H, g)
    promising = (state.phase == START) | (value + change < state.objective * (1.0 + 1e-9))
    going = due & promising
    projected = jnp.clip(state.trial_local + move, lane.lower[:, None, :pl], lane.upper[:, None, :pl])

    # a point that counts: accept or reject
    deciding = active & ~going
    accepted = deciding & finite & (starting | (~unprojected & (value < state.objective)))
    gain = (state.objective - value) / state.objective
    small = jnp.where(accepted & ~starting, jnp.where(gain < lane.tolerance, state.small + 1, 0), state.small)
    damping = jnp.where(accepted & ~starting, jnp.maximum(0.2 * state.damping, 1e-12), state.damping)
    damping = jnp.where(deciding & ~accepted, 5.0 * state.damping, damping)
    objective = jnp.where(accepted, value, state.objective)
    take = accepted[:, None, None]
    local = jnp.where(take, state.trial_local, state.local)
    shared = jnp.where(accepted[:, None], state.trial_shared, state.shared)
    H, g = jnp.where(take[..., None], H, state.H), jnp.where(take, g, state.g)

    # a problem that is affine throughout is solved by its first projection
    solved = (state.phase == START_PROJECTED) & lane.affine
    ended = (deciding & starting & ~accepted) | (accepted & solved)
    ended |= deciding & ((small >= 2) | (damping > 1e9) | (objective < 1e-290) | (count >= lane.limit))
    dl, ds = step(lane, local, shared, H, g, damping, inner)
    trial_local = jnp.clip(local + dl, lane.lower[:, None, :pl], lane.upper[:, None, :pl])
    trial_shared = jnp.clip(shared + ds, lane.lower[:, pl:], lane.upper[:, pl:])
    go, decide = going[:, None, None], deciding[:, None, None]
    phase = jnp.where(ended, DONE, jnp.where(going, state.phase + 1, jnp.where(deciding, TRIAL, state.phase)))
    return State(
        phase,
        local,
        shared,
        jnp.where(go, projected, jnp.where(decide, trial_local, state.trial_local)),
        jnp.where(deciding[:, None], trial_shared, state.trial_shared),
        H,
        g,
        objective,
        damping,
        small,
        count,
    )


def _projection(lane: LaneData, linear: Array, due: Array, local: Array, H: Array, g: Array) -> tuple[Array, Array]:
    """Change of the affine parameters (W, blocks, pl) and of the objective (W,) that re-solving them predicts."""
    pl = local.shape[-1]
    chosen = jnp.broadcast_to(due[:, None, None] & linear[:, None], local.shape)
    lower = jnp.broadcast_to(lane.lower[:, None, :pl], local.shape)
    upper = jnp.broadcast_to(lane.upper[:, None, :pl], local.shape)

    def solve() -> tuple[Array, Array]:
        ok = due[:, None, None]
        d, change = bounded_step(
            jnp.where(ok[..., None], H[..., :pl, :pl], 0.0), jnp.where(ok, g[..., :pl], 0.0), chosen, local, lower, upper
        )
        return d, jnp.sum(change, axis=-1)

    def nothing() -> tuple[Array, Array]:
        return jnp.zeros_like(local), jnp.zeros(local.shape[0])

    found: tuple[Array, Array] = lax.cond(jnp.any(due), solve, nothing)
    return found
