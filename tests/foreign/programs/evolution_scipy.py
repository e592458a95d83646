"""A saturating law of one product, fitted by differential evolution."""
import numpy as np
from scipy.optimize import differential_evolution


def scaling_law_func(data_points, params):
    N, D = np.asarray(data_points, dtype=float).T
    c, k, a, b = params[:4]
    return c + 10.0 ** (k - a * np.log10(N) - b * np.log10(D))


def fit_scaling_law(data_points, loss_values):
    X = np.asarray(data_points, dtype=float)
    y = np.asarray(loss_values, dtype=float).ravel()

    def error(p):
        return float(np.mean((scaling_law_func(X, p) - y) ** 2))

    bounds = [(0.0, float(y.min())), (0.0, 5.0), (0.0, 0.8), (0.0, 0.8)]
    return differential_evolution(error, bounds, seed=1, maxiter=40, popsize=8, tol=1e-8).x
