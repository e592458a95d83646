"""Tables of the selection study: each with training rows and a judged part that lies beyond them.

Real tables with their own test rows are taken as they are; of the others the top of the joint scale (or the last rows of
every curve, or the farthest mixtures) is set aside and becomes the judged part.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[2]))

from experiments.selection.real import DATA, MORE
from experiments.selection.simulated import NOISE_PERCENTS, SIMULATED, simulated, table_name
from sldagent.tasks.cuts import blind_cuts
from sldagent.tasks.load import load_task, task_from_frame
from sldagent.tasks.task import Task


def with_own_test(name: str) -> Task:
    return load_task(name, data=DATA)


def set_aside(task: Task, cut: str) -> Task:
    """The task with the held-out rows of one of its blind cuts as test rows; the rest trains."""
    train = task.part("train")
    found = next(c for c in blind_cuts(train) if c.name == cut)
    split = np.where(found.held, "test", "train")
    return replace(train, split=split)


def lr_bsz() -> Task:
    """Largest size that has runs at the two largest data sets, as far as the training rows go."""
    task = with_own_test("lr_bsz").part("train")
    size, data = task.X[:, 3], task.X[:, 2]
    judged = (size >= np.quantile(size, 0.8)) & (data >= np.quantile(data, 0.8))
    return replace(task, split=np.where(judged, "test", "train"))


def data_constrained() -> Task:
    """Most tokens or most parameters, as far as the training rows go."""
    task = with_own_test("data_constrained").part("train")
    params, tokens = task.X[:, 1], task.X[:, 2]
    judged = (params > np.quantile(params, 0.85)) | (tokens > np.quantile(tokens, 0.85))
    return replace(task, split=np.where(judged, "test", "train"))


def chinchilla() -> Task:
    frame = pd.read_csv(DATA / "chinchilla_epoch" / "svg_extracted_data.csv").sort_values("loss").iloc[:240]
    N = frame["Model Size"]
    table = pd.DataFrame({"N": N, "D": frame["Training FLOP"] / (6 * N), "loss": frame["loss"]})
    return set_aside(task_from_frame(table, name="chinchilla", targets=["loss"], variables=["N", "D"]), "joint: top 20 %")


def ladder() -> Task:
    """Final losses of the OLMo ladder; the largest size is judged."""
    frame = pd.read_csv(DATA / "olmo_ladder" / "ladder_runs.csv")
    last = frame.sort_values("_step").groupby("run").tail(1)
    size = last["size"].map({"190M": 190e6, "370M": 370e6, "760M": 760e6, "1B": 1.3e9, "3B": 3.2e9})
    table = pd.DataFrame({"N": size, "D": last["total_tokens"], "loss": last["c4_en__ce"]}).dropna()
    task = task_from_frame(table, name="ladder", targets=["loss"], variables=["N", "D"])
    return replace(task, split=np.where(task.X[:, 0] > 3e9, "test", "train"))


def curves(file: str, picks: slice) -> Callable[[], Task]:
    """Learning curves of the extrapolation benchmark, one group each, with its own split."""

    def load() -> Task:
        frame = pd.read_csv(DATA / "bnsl" / file).drop_duplicates()
        frame["curve"] = frame["Task"] + " " + frame["Model"]
        names = list(dict.fromkeys(frame["curve"]))[picks]
        frame = frame[frame["curve"].isin(names)]
        # thin very long curves evenly: neighbouring checkpoints repeat each other
        frame = frame.groupby("curve", group_keys=False).apply(lambda g: g.iloc[:: max(1, len(g) // 40)])
        table = pd.DataFrame(
            {
                "x": frame["Seen Examples"],
                "curve": frame["Task"] + " " + frame["Model"],
                "split": np.where(frame["Training"] == 1, "train", "test"),
                "loss": frame["Loss"],
            }
        )
        return task_from_frame(table, name="curves", targets=["loss"], variables=["x"], group="curve", split_column="split")

    return load


def known(name: str, noise_percent: float, seed: int) -> Callable[[], Task]:
    """A simulated table, its noise-free rows beyond the training scale judged."""
    return lambda: simulated(name, noise_percent, seed).task


REAL: dict[str, Callable[[], Task]] = {
    "moe": lambda: with_own_test("moe"),
    "vocab": lambda: with_own_test("vocab"),
    "sft": lambda: with_own_test("sft"),
    "parallel": lambda: with_own_test("parallel"),
    "tiny_lm": lambda: with_own_test("tiny_lm"),
    "tiny_lm_lr": lambda: with_own_test("tiny_lm_lr"),
    "data_constrained": data_constrained,
    "lr_bsz": lr_bsz,
    "easy_question": lambda: set_aside(with_own_test("easy_question"), "log_flops: top 20 %"),
    "domain_mixture": lambda: set_aside(with_own_test("domain_mixture"), "mixture: farthest 20 %"),
    "chinchilla": chinchilla,
    "ladder": ladder,
    "curves_vision": curves("benchmark.vision.csv", slice(0, 72, 9)),
    "curves_lang": curves("benchmark.lang.csv", slice(0, 20, 2)),
    **MORE,
}

KNOWN: dict[str, Callable[[], Task]] = {
    table_name(name, percent, seed): known(name, percent, seed)
    for name in SIMULATED
    for percent, seed in (*((p, 0) for p in NOISE_PERCENTS), (1.0, 1), (1.0, 2))
}
"""Simulated tables: seed 0 at every noise level (``sim_moe_n0.3``), other constants at 1 % (``sim_moe_n1_s2``)."""

TABLES: dict[str, Callable[[], Task]] = {**REAL, **KNOWN}


def main() -> None:
    """Print every table's rows, groups, variables and judged rows (simulated ones at 1 % noise, seed 0, only)."""
    names = [*REAL, *(table_name(name, 1.0, 0) for name in SIMULATED)]
    print(f"{'table':24s} {'train':>5s} {'judged':>6s} {'groups':>6s} {'runs':>4s} {'cuts':>4s}  variables -> targets")
    for name in names:
        task = TABLES[name]()
        train, judged = task.part("train"), task.part("test")
        runs = "-" if train.run is None else str(len(np.unique(train.run)))
        roles = ", ".join(v.symbol if v.role == "scale" else f"{v.symbol} ({v.role})" for v in task.variables)
        print(
            f"{name:24s} {len(train.X):5d} {len(judged.X):6d} {len(task.groups):6d} {runs:>4s} {len(blind_cuts(train)):4d}  "
            f"{roles} -> {', '.join(t.name for t in task.targets)}"
        )


if __name__ == "__main__":
    main()
