"""Raw features to a power, BFGS from ones: the style of a first attempt."""
import numpy as np
from scipy.optimize import minimize

# EVOLVE-BLOCK-START


def scaling_law_func(data_points, params):
    X = np.atleast_2d(np.asarray(data_points))
    features = X.shape[1]
    params = np.asarray(params)
    if params.ndim == 1:
        params = params[None, :]
    targets = params.shape[0]
    weights = params[:, :features]
    powers = params[:, features : 2 * features]
    floor = params[:, -1]
    out = (weights[None, :, :] * (X[:, None, :] ** powers[None, :, :])).sum(axis=2) + floor[None, :]
    return out[:, 0] if targets == 1 else out


def fit_scaling_law(data_points, loss_values):
    X = np.atleast_2d(np.asarray(data_points))
    y = np.asarray(loss_values)
    y2 = y[:, None] if y.ndim == 1 else y
    n, features = X.shape
    targets = y2.shape[1]
    size = 2 * features + 1
    start = np.ones((targets, size))

    def objective(flat):
        predicted = scaling_law_func(X, flat.reshape(targets, size)).reshape(n, targets)
        return np.mean((predicted - y2) ** 2)

    found = minimize(objective, start.ravel(), method="BFGS")
    params = found.x.reshape(targets, size) if found.success else start
    return params[0] if targets == 1 else params
# EVOLVE-BLOCK-END
