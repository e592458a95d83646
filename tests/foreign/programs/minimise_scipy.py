"""Positive amplitudes through exp, exponents kept positive by abs; scipy.optimize.minimize with several starts."""
import numpy as np
from scipy.optimize import minimize


def _unpack(params):
    p = np.asarray(params, dtype=float)
    if p.ndim == 2:
        p = p[0]
    return np.exp(p[0]), np.exp(p[1]), np.exp(p[2]), np.abs(p[3]), np.abs(p[4])


def scaling_law_func(data_points, params):
    X = np.asarray(data_points)
    if X.ndim == 1:
        X = X.reshape(1, -1)
    E, A, B, a, b = _unpack(params)
    total = E * np.ones(X.shape[0])
    for coefficient, exponent, k in ((A, a, 0), (B, b, 1)):
        total = total + coefficient * np.exp(-exponent * np.log(X[:, k]))
    return np.clip(total, 1e-8, 1e8)


def fit_scaling_law(data_points, loss_values):
    X, y = np.asarray(data_points, float), np.asarray(loss_values, float).ravel()

    def objective(p):
        r = scaling_law_func(X, p) - y
        return float(np.mean(r * r))

    starts = [[np.log(y.min()), 5.0, 5.0, e, e] for e in (0.3, 0.45)]
    fits = [minimize(objective, s, method="L-BFGS-B", options={"maxiter": 400, "ftol": 1e-15}) for s in starts]
    return min(fits, key=lambda f: f.fun).x
