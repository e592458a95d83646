"""A power law in jax.numpy, fitted by Newton's method on exact derivatives."""
import jax
import jax.numpy as jnp
import numpy as np


@jax.jit
def _law(X, p):
    logs = jnp.log(X)
    return jnp.exp(p[0]) + jnp.exp(p[1] - p[2] * logs[:, 0]) + jnp.exp(p[3] - p[4] * logs[:, 1])


def scaling_law_func(data_points, params):
    return np.asarray(_law(jnp.asarray(data_points), jnp.asarray(params)), dtype=float)


def fit_scaling_law(data_points, loss_values):
    X, y = jnp.asarray(data_points), jnp.asarray(loss_values).ravel()
    residual = jax.jit(lambda p: _law(X, p) - y)
    slope = jax.jit(jax.jacfwd(residual))
    p, damping = np.array([0.5, 5.0, 0.35, 6.0, 0.4]), 1e-2
    error = float(np.sum(np.asarray(residual(p)) ** 2))
    for _ in range(60):
        r, J = np.asarray(residual(p), float), np.asarray(slope(p), float)
        H = J.T @ J
        step = np.linalg.solve(H + damping * np.diag(np.diag(H) + 1e-9), -J.T @ r)
        tried = float(np.sum(np.asarray(residual(p + step)) ** 2))
        if tried < error:
            p, error, damping = p + step, tried, damping / 5
        else:
            damping *= 5
    return p
