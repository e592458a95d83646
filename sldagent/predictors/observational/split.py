"""Cut-off splits: learn from models up to a size, predict those above."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def split_by_cutoff(values: NDArray[np.float64], cutoff: float) -> NDArray[np.bool_]:
    """(n,) true for training rows: those known to be at most `cutoff`.  Unknown values (NaN) are test rows."""
    return np.asarray(np.nan_to_num(values, nan=np.inf) <= cutoff)
