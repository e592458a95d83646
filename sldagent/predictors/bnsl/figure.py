"""The paper's figure of one curve: fitted and held-out points, the law, its limit and its breaks, on logarithmic axes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from sldagent.export.files import write_whole
from sldagent.predictors.bnsl.model import BNSL


def draw(model: BNSL, frame: pd.DataFrame, path: Path) -> None:
    """Draw a fitted law beside measured points.

    Args:
        frame: a table with the model's columns; points beyond the fitted range are drawn as extrapolation.
        path: image file; its ending says the format.

    Raises:
        ExportError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    x = frame[model.feature_names_in_[0]].to_numpy(dtype=np.float64)
    y = frame[model.target_names_[0]].to_numpy(dtype=np.float64)
    inside = x <= model.reach_[1]
    figure = Figure(figsize=(5.2, 3.8), layout="constrained")
    axes = figure.subplots()
    grid = np.geomspace(min(x.min(), model.reach_[0]), max(x.max(), model.reach_[1]), 400)
    axes.plot(x[inside], y[inside], "o", ms=4, color="black", label="fitted")
    axes.plot(x[~inside], y[~inside], "o", ms=4, color="tab:green", label="held out")
    axes.plot(grid, model.predict(grid), color="tab:red", lw=1.5, label=f"BNSL, {model.n_breaks_} break(s)")
    for k, position in enumerate(model.breaks_):
        axes.axvline(position, color="tab:blue", lw=0.8, ls=":", label="break" if k == 0 else None)
    if model.limit_ > 0:
        axes.axhline(model.limit_, color="gray", lw=0.8, ls="--", label=f"limit {model.limit_:.4g}")
    axes.set(xscale="log", yscale="log", xlabel=model.feature_names_in_[0], ylabel=model.target_names_[0])
    axes.legend(fontsize=8)
    write_whole(path, lambda place: figure.savefig(place, format=path.suffix.lstrip(".") or "png", dpi=150))
