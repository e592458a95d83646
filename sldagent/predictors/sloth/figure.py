"""The paper's figure of the loadings: how strongly each benchmark draws on each skill."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sldagent.export.files import write_whole
from sldagent.predictors.sloth.interpret import interpret
from sldagent.predictors.sloth.model import Sloth


def draw_loadings(model: Sloth, path: Path) -> None:
    """Draw a fitted model's rotated loadings as a table of colours.

    Raises:
        PredictorError: two skills coincide.
        ExportError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    loadings = interpret(model).loadings
    size = float(np.abs(loadings).max())
    figure = Figure(figsize=(1.2 + 0.75 * loadings.shape[1], 1.4 + 0.5 * loadings.shape[0]), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(loadings, cmap="RdBu_r", vmin=-size, vmax=size, aspect="auto")
    for (k, j), value in np.ndenumerate(loadings):
        color = "white" if abs(value) > 0.6 * size else "black"
        axes.text(j, k, f"{value:.2f}", ha="center", va="center", fontsize=8, color=color)
    axes.set_xticks(range(loadings.shape[1]), model.target_names_, rotation=35, ha="right", fontsize=8)
    axes.set_yticks(range(loadings.shape[0]), [f"skill {k + 1}" for k in range(loadings.shape[0])], fontsize=8)
    figure.colorbar(image, ax=axes, label="loading")
    write_whole(path, lambda place: figure.savefig(place, format=path.suffix.lstrip(".") or "png", dpi=150))
