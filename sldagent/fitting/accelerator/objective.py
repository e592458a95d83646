"""The fitted objective on the device: loss, its Gauss-Newton matrices, and the damped step of the bordered system."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from sldagent.fitting.accelerator.algebra import solve_semidefinite
from sldagent.fitting.accelerator.interpret import TapeArrays, values_and_gradients


class LaneData(NamedTuple):
    """What is minimised, for W lanes; the axes are those of `SizeClass`."""

    tape: TapeArrays
    """(W, targets, ...)"""
    transform: Any
    """(W, parameters) True where the engine works on the logarithm."""
    lower: Any
    upper: Any
    linear: Any
    """(W, parameters) True where variable projection re-solves the parameter."""
    affine: Any
    """(W,) all parameters are affine and the loss is squared: one projection solves the problem."""
    logarithmic: Any
    """(W,) residuals are log f - y."""
    robust: Any
    """(W,) Huber's loss instead of squares."""
    features: Any
    """(W, features, targets, blocks * rows)"""
    y: Any
    """(W, targets, blocks, rows)"""
    unit: Any
    """(W, targets, blocks, rows) units of the residuals (1, or 1 / |y|)."""
    weight: Any
    """(W, targets, blocks, rows) square roots of the weights; 0 for padding and for rows that a cut leaves out."""
    ridge: Any
    """(W, parameters)"""
    delta: Any
    """(W,) threshold of Huber's loss."""
    curvature: Any
    """(W,) root of the share of the reweighted curvature beyond it that is taken (`equations._residuals`)."""
    inner: Any
    """(W,) variable projection is on."""
    limit: Any
    """(W,) trial points."""
    tolerance: Any
    """(W,) relative gain of an accepted step below which a lane has converged."""


def evaluate(lane: LaneData, local: Array, shared: Array) -> tuple[Array, Array, Array]:
    """Objective (W,), Gauss-Newton matrices (W, blocks, p, p) and gradients (W, blocks, p) at local (W, blocks, pl) and
    shared (W, ps) parameters; +inf where predictions or derivatives are not finite on a row of positive weight.
    """
    W, T, B, R = lane.y.shape
    theta = jnp.concatenate([local, jnp.broadcast_to(shared[:, None], (W, B, shared.shape[1]))], axis=-1)
    p = theta.shape[-1]
    log_scale = lane.transform[:, None]
    physical = jnp.where(log_scale, jnp.exp(jnp.where(log_scale, theta, 0.0)), theta)
    slope = jnp.where(log_scale, physical, 1.0)
    spread = jnp.broadcast_to(jnp.moveaxis(physical, -1, 0)[:, :, None, :, None], (p, W, T, B, R))
    tape = TapeArrays(*(a.reshape(W * T, *a.shape[2:]) for a in lane.tape))
    features = jnp.moveaxis(lane.features, 1, 0).reshape(-1, W * T, B * R)
    f, J = values_and_gradients(tape, features, spread.reshape(p, W * T, B * R))
    total, r, s = _residuals(lane, f.reshape(W, T, B, R))
    live = lane.weight > 0.0
    J = jnp.where(live, J.reshape(p, W, T, B, R) * s, 0.0) * jnp.moveaxis(slope, -1, 0)[:, :, None, :, None]
    H = jnp.einsum("pwtbr,qwtbr->wbpq", J, J)
    g = jnp.einsum("pwtbr,wtbr->wbp", J, r)
    # the penalty of shared parameters is counted once, with the first block
    once = jnp.where((jnp.arange(p) < local.shape[-1]) | (jnp.arange(B) == 0)[:, None], lane.ridge[:, None], 0.0)
    total = total + 0.5 * jnp.sum(once * physical**2, axis=(1, 2))
    g = g + once * physical * slope
    H = H + (once * slope**2)[..., None] * jnp.eye(p)
    good = jnp.isfinite(g).all((1, 2)) & jnp.isfinite(H).all((1, 2, 3)) & (total < jnp.inf)
    return jnp.where(good, total, jnp.inf), H, g


def _residuals(lane: LaneData, f: Array) -> tuple[Array, Array, Array]:
    """Loss (W,); weighted residuals; weights that turn df into their Jacobian."""
    logarithmic = lane.logarithmic[:, None, None, None]
    delta = lane.delta[:, None, None, None]
    safe = jnp.where(logarithmic, f, 1.0)
    e = jnp.where(logarithmic, jnp.log(safe) - lane.y, lane.unit * (f - lane.y))
    scale = jnp.where(logarithmic, 1.0 / safe, lane.unit)
    size = jnp.abs(e)
    tail = lane.robust[:, None, None, None] & (size > delta)
    rho = jnp.where(tail, delta * (size - 0.5 * delta), 0.5 * e * e)
    root = lane.weight * jnp.where(tail, jnp.sqrt(delta / jnp.where(tail, size, 1.0)), 1.0)
    live = lane.weight > 0.0
    total = jnp.sum(jnp.where(live, lane.weight**2 * rho, 0.0), axis=(1, 2, 3))
    turn = jnp.where(tail, lane.curvature[:, None, None, None], 1.0)
    return total, jnp.where(live, root * e / turn, 0.0), jnp.where(live, root * scale * turn, 0.0)


def step(
    lane: LaneData, local: Array, shared: Array, H: Array, g: Array, damping: Array, inner: Array
) -> tuple[Array, Array]:
    """Damped Gauss-Newton step (local, shared) by the Schur complement over blocks.

    Coordinates held at a bound by the gradient do not move; under variable projection the affine ones are not damped.
    """
    pl = local.shape[-1]
    lower, upper = lane.lower, lane.upper
    A, gl = H[..., :pl, :pl], g[..., :pl]
    stuck = ((local <= lower[:, None, :pl]) & (gl > 0.0)) | ((local >= upper[:, None, :pl]) & (gl < 0.0))
    sl = _scales(jnp.diagonal(A, axis1=-2, axis2=-1), stuck)
    affine = (inner[:, None] & lane.linear[:, :pl])[:, None]
    left = jnp.where(inner[:, None, None], _projected(A, sl, affine), 1.0)
    A = _unit_diagonal(A, sl, jnp.where(affine, 1e-12, damping[:, None, None] * left))
    rhs = (-gl * sl)[..., None]
    if shared.shape[-1] == 0:
        return solve_semidefinite(A, rhs)[..., 0] * sl, jnp.zeros_like(shared)
    C, gs = jnp.sum(H[..., pl:, pl:], axis=1), jnp.sum(g[..., pl:], axis=1)
    stuck = ((shared <= lower[:, pl:]) & (gs > 0.0)) | ((shared >= upper[:, pl:]) & (gs < 0.0))
    ss = _scales(jnp.diagonal(C, axis1=-2, axis2=-1), stuck)
    border = H[..., :pl, pl:] * sl[..., None] * ss[:, None, None]
    X = solve_semidefinite(A, jnp.concatenate([border, rhs], axis=-1))
    across, own = X[..., :-1], X[..., -1]
    S = _unit_diagonal(C, ss, jnp.where(ss > 0.0, damping[:, None], 0.0)) - jnp.einsum("wbqu,wbqv->wuv", border, across)
    t = -gs * ss - jnp.einsum("wbqu,wbq->wu", border, own)
    ds = solve_semidefinite(S, t[..., None])[..., 0]
    return (own - jnp.einsum("wbqu,wu->wbq", across, ds)) * sl, ds * ss


def _projected(A: Array, scale: Array, affine: Array) -> Array:
    """What is left of every column (of unit length) after projection on the affine ones; see `solver._projected`."""
    unit = A * scale[..., :, None] * scale[..., None, :]
    pair = affine[..., :, None] & affine[..., None, :]
    eye = jnp.eye(A.shape[-1])
    inside = jnp.where(pair, unit * (1.0 - eye), 0.0) + (1.0 + 1e-12) * eye
    columns = jnp.where(affine[..., :, None], unit, 0.0)
    return jnp.maximum(1.0 - jnp.sum(columns * solve_semidefinite(inside, columns), axis=-2), 1e-7)


def _scales(diagonal: Array, stuck: Array) -> Array:
    moves = (diagonal > 0.0) & ~stuck
    return jnp.where(moves, 1.0 / jnp.sqrt(jnp.where(moves, diagonal, 1.0)), 0.0)


def _unit_diagonal(A: Array, scale: Array, extra: Array) -> Array:
    """A with its coordinates scaled to diagonal 1, plus `extra` there; rows of scale 0 become those of identity."""
    eye = jnp.eye(A.shape[-1])
    scaled = A * scale[..., :, None] * scale[..., None, :]
    return scaled * (1.0 - eye) + (1.0 + extra)[..., None] * eye
