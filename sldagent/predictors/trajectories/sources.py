"""Public checkpoint tables as trajectories: Gemstones (arXiv 2502.06857) and the OLMo ladder (arXiv 2412.04403)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sldagent.errors import TableError
from sldagent.predictors.trajectories.data import Trajectory

FloatArray = NDArray[np.float64]
GEMSTONES = ("lighteval_accuracy.csv", "task_loss_distributions.csv")
OLMO = ("ladder_runs.csv",)
TASK_NAMES = {"arcc": "arc:challenge", "arce": "arc:easy", "coqa": "commonsense_qa", "openbook": "openbookqa"}
SIZES = {"190M": 190e6, "370M": 370e6, "760M": 760e6, "1B": 1e9, "3B": 3e9}


@dataclass(frozen=True)
class Source:
    """One family's trajectories."""

    name: str
    trajectories: tuple[Trajectory, ...]
    size: Mapping[str, float]
    """Parameters of each run's model; models are held out by it, no method reads it."""
    loss: tuple[FloatArray, ...]
    """Per trajectory, (T,) the loss that the zero-shot logistic reads, future checkpoints included."""
    losses: str
    """What the trajectories' loss columns hold."""


def read_gemstones(folder: Path) -> Source:
    """22 models x 9 tasks x 35 checkpoints; losses are histograms (16 bins) of exp(-loss) of each question's answer."""
    accuracy, losses = (_read(folder / name) for name in GEMSTONES)
    losses = losses.assign(task=losses["task"].map(lambda t: TASK_NAMES.get(t, t)))
    long = accuracy.melt(id_vars=["model", "step"], var_name="task", value_name="accuracy")
    table = long.merge(losses, on=["model", "step", "task"]).sort_values(["model", "task", "step"])
    if len(table) != len(long):
        raise TableError(f"{folder}: {len(long) - len(table)} accuracies of {GEMSTONES[0]} have no losses in {GEMSTONES[1]}")
    bins = [c for c in table.columns if c.startswith("invp_bin")]
    trajectories, loss, size = [], [], {}
    for (model, task), rows in table.groupby(["model", "task"]):
        size[str(model)] = float(12 * rows["width"].iloc[0] ** 2 * rows["depth"].iloc[0])
        trajectories.append(_trajectory(str(model), str(task), rows["step"], rows["accuracy"], rows[bins]))
        loss.append(rows["loss_mean"].to_numpy(dtype=np.float64))
    return Source("gemstones", tuple(trajectories), size, tuple(loss), "histogram of exp(-loss) of the task's answers")


def read_olmo(folder: Path) -> Source:
    """30 runs x 20 tasks x 37 to 202 checkpoints; losses are exp(-loss) on 11 validation corpora."""
    table = _read(folder / OLMO[0]).sort_values(["run", "_step"])
    tasks = [c for c in table.columns if (c.endswith("_len_norm") and "_mc_" not in c) or c == "boolq_val_acc"]
    corpora = [c for c in table.columns if c.endswith("__ce")]
    trajectories, loss, size = [], [], {}
    table[corpora] = np.exp(-table[corpora].to_numpy(dtype=np.float64))
    for run, rows in table.groupby("run"):
        size[str(run)] = SIZES[str(rows["size"].iloc[0])]
        for task in tasks:
            name = task.removesuffix("_len_norm").removesuffix("_acc")
            trajectories.append(_trajectory(str(run), name, rows["_step"], rows[task], rows[corpora]))
            loss.append(rows[f"{name}_bpb"].to_numpy(dtype=np.float64))
    return Source("olmo_ladder", tuple(trajectories), size, tuple(loss), "exp(-loss) on 11 validation corpora")


def _trajectory(run: str, task: str, steps: pd.Series, accuracy: pd.Series, losses: pd.DataFrame) -> Trajectory:
    return Trajectory(
        run,
        task,
        steps.to_numpy(dtype=np.float64),
        accuracy.to_numpy(dtype=np.float64),
        losses.to_numpy(dtype=np.float64),
        np.arange(len(steps)),
    )


def _read(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise TableError(f"'{path}' cannot be read: {error}") from None
