"""Nearest training row in logarithms, kept as parameters: memorises, so the guard must stop it."""
import numpy as np


def scaling_law_func(data_points, params):
    table = np.asarray(params, dtype=float).reshape(-1, 3)
    X = np.log(np.asarray(data_points, dtype=float))
    near = ((X[:, None, :] - table[None, :, :2]) ** 2).sum(axis=2).argmin(axis=1)
    return table[near, 2]


def fit_scaling_law(data_points, loss_values):
    return np.column_stack([np.log(data_points), np.asarray(loss_values).ravel()]).ravel()
