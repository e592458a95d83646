"""Programs, rows and limits that the jail's tests share."""

from __future__ import annotations

import os

import numpy as np

from sldagent.sandbox import Limits

ATTACK = bool(os.environ.get("SLDAGENT_ATTACK"))
"""Run the thousands instead of the dozens."""

X = np.geomspace(1.0, 1e4, 30)[:, None]
ROWS = {"X": X, "Y": 1.0 + 3.0 * X**-0.3, "group": np.zeros(30)}
SHORT = Limits(wall_seconds=60.0, memory_bytes=256 << 20)

POWER_LAW = """
import numpy as np
from scipy.optimize import curve_fit

def scaling_law_func(data_points, params):
    return params[0] + params[1] * data_points[:, 0] ** -params[2]

def fit_scaling_law(data_points, loss_values):
    print("fitting", len(loss_values))
    law = lambda x, e, a, b: e + a * x ** -b
    return curve_fit(law, data_points[:, 0], loss_values, p0=[1, 1, 0.5], maxfev=5000)[0]
"""


def body(text: str) -> str:
    """A program whose fitting function is `text`."""
    lines = "\n".join("    " + line for line in text.splitlines())
    return f"import ctypes, os, sys, time\nimport numpy as np\ndef fit_scaling_law(data_points, loss_values):\n{lines}\n"
