"""Pose BNSL's and Sloth's own problems as law-discovery tasks: write tables beside the cards of this folder's copy.

    python experiments/predictors/tables.py DATA OUT

DATA is the folder of the development tables, OUT a new folder.  Test rows are marked in the column ``split``; discovery
reads only the others.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from sldagent.predictors.bnsl.bench import FILES, read_tasks
from sldagent.predictors.sloth.protocol import read_ground

HERE = Path(__file__).parent
POINTS = 40
"""Points of a curve that discovery sees: spread evenly over log x."""


def curves(folder: Path) -> pd.DataFrame:
    """All points of the 92 curves; scale in units of the curve's largest fitted x."""
    parts = []
    for k, task in enumerate(read_tasks(folder)):
        wanted = np.linspace(*np.log(task.fitted.x[[0, -1]]), POINTS)
        keep = np.unique(np.abs(np.log(task.fitted.x)[:, None] - wanted[None]).argmin(axis=0))
        for split, x, y in (("train", task.fitted.x[keep], task.fitted.y[keep]), ("test", task.held.x, task.held.y)):
            part = pd.DataFrame({"curve": f"{k:02d} {task.domain} {task.name}", "split": split, "loss": y})
            parts.append(part.assign(x=x / task.fitted.x[-1]))
    return pd.concat(parts, ignore_index=True)


def scores(folder: Path, table: str = "v2") -> pd.DataFrame:
    """Scores of the models that are in training in every fold, long: one row for each model and benchmark.

    A model that any fold tests is marked ``test``.
    """
    ground = read_ground(folder, table)
    tested = np.any([fold.test for fold in ground.folds], axis=0)
    parts = []
    for j, benchmark in enumerate(ground.benchmarks):
        parts.append(
            pd.DataFrame(
                {
                    "benchmark": benchmark,
                    "split": np.where(tested, "test", "train"),
                    "N": ground.params,
                    "D": ground.tokens,
                    "score": ground.scores[:, j],
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def main(data: Path, out: Path) -> None:
    """Write both tables and their cards."""
    out.mkdir(parents=True)
    assert all((data / "bnsl" / name).is_file() for name in FILES)
    curves(data / "bnsl").to_csv(out / "curves.csv", index=False)
    scores(data / "sloth").to_csv(out / "scores.csv", index=False)
    for card in ("curves.toml", "scores.toml"):
        shutil.copy(HERE / card, out / card)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
