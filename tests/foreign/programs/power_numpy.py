"""E + A N^-a + B D^-b, fitted by Gauss-Newton steps on a grid of exponents; numpy alone."""
import numpy as np

# EVOLVE-BLOCK-START
EPS = 1e-12


def _design(X, a, b):
    return np.column_stack([np.ones(len(X)), np.power(X[:, 0], -a), np.power(X[:, 1], -b)])


def scaling_law_func(data_points, params):
    X = np.atleast_2d(np.asarray(data_points, dtype=float))
    params = np.asarray(params, dtype=float).ravel()
    E, A, B, a, b = params
    N = np.maximum(X[:, 0], EPS)
    D = np.maximum(X[:, 1], EPS)
    return E + A * N ** (-a) + B * D ** (-b)


def fit_scaling_law(data_points, loss_values):
    X = np.atleast_2d(np.asarray(data_points, dtype=float))
    y = np.asarray(loss_values, dtype=float).ravel()
    best = None
    for a in np.linspace(0.1, 0.8, 29):
        for b in np.linspace(0.1, 0.8, 29):
            M = _design(X, a, b)
            coefficients, *_ = np.linalg.lstsq(M, y, rcond=None)
            error = float(np.sum((M @ coefficients - y) ** 2))
            if best is None or error < best[0]:
                best = (error, coefficients, a, b)
    _, (E, A, B), a, b = best
    print("error", round(best[0], 6))
    return np.array([E, A, B, a, b])
# EVOLVE-BLOCK-END
