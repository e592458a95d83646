"""Ridge on logarithms: the coefficients are the parameters, the estimator is rebuilt for every prediction."""
import numpy as np
from sklearn.linear_model import Ridge
from sklearn.preprocessing import PolynomialFeatures


def _features(X):
    return PolynomialFeatures(2, include_bias=False).fit_transform(np.log(np.asarray(X, dtype=float)))


def scaling_law_func(data_points, params):
    p = np.asarray(params, dtype=float).ravel()
    return np.exp(_features(data_points) @ p[1:] + p[0])


def fit_scaling_law(data_points, loss_values):
    model = Ridge(alpha=1e-3)
    model.fit(_features(data_points), np.log(np.asarray(loss_values, dtype=float).ravel()))
    return np.concatenate([[model.intercept_], model.coef_])
