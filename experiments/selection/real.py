"""Further real tables of the selection study: learning curves by data set, model ladders, shapes, families of models.

Every table's largest models, longest runs or largest compute are judged; curves with a split of their own keep it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from sldagent.tasks.build import build_task
from sldagent.tasks.guess import complete
from sldagent.tasks.roles import Roles
from sldagent.tasks.table import table_from_frame
from sldagent.tasks.task import Target, Task, Variable

DATA = Path(os.environ.get("SLDAGENT_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
SIZES = {"190M": 190e6, "370M": 370e6, "760M": 760e6, "1B": 1.3e9, "3B": 3.2e9}
"""Parameters of the OLMo ladder's models."""
UNIT = (0.0, 1.0)
POSITIVE = (0.0, np.inf)


def tabulate(
    name: str,
    frame: pd.DataFrame,
    judged: pd.Series | np.ndarray,
    variables: Sequence[str],
    targets: Sequence[str],
    *,
    within: tuple[float, float] = POSITIVE,
    settings: Sequence[str] = (),
    group: str = "",
    run: str | None = None,
) -> Task:
    """The task of a frame: `judged` rows become test rows, everything else trains."""
    columns = [*variables, *targets, *([group] if group else []), *([run] if run else [])]
    table = frame[columns].copy()
    table["split"] = np.where(np.asarray(judged), "test", "train")
    roles = Roles(
        name=name,
        variables=tuple(Variable(v, v, "setting" if v in settings else "scale") for v in variables),
        targets=tuple(Target(t, within) for t in targets),
        ranged=frozenset(targets),
        group=group,
        split="split",
        run=run,
    )
    read = table_from_frame(table, name)
    return build_task(complete(roles, read), read)


def thin(frame: pd.DataFrame, by: Sequence[str], most: int) -> pd.DataFrame:
    """At most about `most` evenly spaced rows of every combination of `by`, the last one included."""
    order = frame.groupby(list(by)).cumcount(ascending=False)
    size = frame.groupby(list(by))[by[0]].transform("size")
    return frame[order % np.maximum(size // most, 1) == 0]


def curves(name: str, file: str, task: str | None = None, domain: str | None = None) -> Task:
    """All curves of one task or domain of the extrapolation benchmark, one group each, with its own split."""
    frame = pd.read_csv(DATA / "bnsl" / file).drop_duplicates()
    frame = frame[(frame["Task"] == task) if task else (frame["Domain"] == domain)]
    frame = frame.assign(curve=frame["Task"] + " " + frame["Model"].astype(str)).sort_values(["curve", "Seen Examples"])
    frame = thin(frame, ["curve", "Training"], 24).rename(columns={"Seen Examples": "x", "Loss": "loss"})
    return tabulate(name, frame, frame["Training"] == 0, ["x"], ["loss"], group="curve")


def addition() -> Task:
    """Cross-entropy of four-digit addition against examples: a late, sharp fall; three points judged, as published."""
    frame = pd.read_csv(DATA / "bnsl" / "four_digit_addition.csv")
    frame = frame.rename(columns={"train_dataset_size": "examples", "test_cross_entropy": "loss"})
    return tabulate("addition", frame, frame["split"] == "extrapolate", ["examples"], ["loss"])


def _gemstones() -> pd.DataFrame:
    """One row per checkpoint: width, depth, N (weights of the blocks), D, a mean loss per task, accuracies as acc_*."""
    losses = pd.read_csv(DATA / "gemstones" / "task_loss_distributions.csv")
    index = ["model", "width", "depth", "step", "tokens"]
    frame = losses.pivot_table(index=index, columns="task", values="loss_mean").reset_index()
    accuracy = pd.read_csv(DATA / "gemstones" / "lighteval_accuracy.csv").add_prefix("acc_")
    accuracy = accuracy.rename(columns={"acc_model": "model", "acc_step": "step", "acc_arc:easy": "acc_arce"})
    frame = frame.merge(accuracy, on=["model", "step"]).rename(columns={"tokens": "D"})
    frame["N"] = 12.0 * frame["width"] ** 2 * frame["depth"]
    return thin(frame.sort_values(["model", "D"]), ["model"], 11)


def gemstones(name: str, variables: Sequence[str], targets: Sequence[str], within: tuple[float, float] = POSITIVE) -> Task:
    """Checkpoints of 22 models of many shapes; the largest four, and late checkpoints of the next, are judged."""
    frame = _gemstones()
    judged = (frame["N"] > 7e8) | ((frame["D"] > 2.6e11) & (frame["N"] > 2.5e8))
    return tabulate(name, frame, judged, variables, targets, within=within, run="model")


def _ladder(*, last: bool) -> pd.DataFrame:
    """Rows of the OLMo ladder with N, D, the run's length H; final ones, or 14 checkpoints a run after the first tenth."""
    frame = pd.read_csv(DATA / "olmo_ladder" / "ladder_runs.csv").sort_values(["run", "_step"])
    frame = frame.assign(N=frame["size"].map(SIZES), D=frame["total_tokens"])
    frame["H"] = frame.groupby("run")["D"].transform("max")
    frame["h"] = frame["D"] / frame["H"]
    if last:
        return frame.groupby("run").tail(1)
    return thin(frame[frame["h"] > 0.1], ["run"], 14)


def ladder_final(name: str, targets: Sequence[str], within: tuple[float, float] = POSITIVE) -> Task:
    """Final values of the ladder's runs; the largest size is judged."""
    frame = _ladder(last=True)
    return tabulate(name, frame, frame["N"] > 3e9, ["N", "D"], targets, within=within)


def ladder_runs(name: str, variables: Sequence[str], target: str, within: tuple[float, float] = POSITIVE) -> Task:
    """Checkpoints of the ladder's runs, which all anneal; the largest size is judged."""
    frame = _ladder(last=False)
    return tabulate(name, frame, frame["N"] > 3e9, variables, [target], within=within, settings=["h"], run="run")


def ladder_far() -> Task:
    """Final losses of the ladder up to 1.3B; 3B, 7B and 13B models are judged, up to 8 times the tokens."""
    frame = _ladder(last=True)[["N", "D", "pile__ce"]]
    large = pd.read_csv(DATA / "olmo_ladder" / "peteish_7b_13b_runs.csv")
    seven = float(large.loc[large["run"] == "peteish7_eval_anneal", "pile__ce"].iloc[-1])
    thirteen = float(large.loc[large["run"] == "peteish13_eval_final"].sort_values("_step")["pile__ce"].iloc[-1])
    far = pd.DataFrame({"N": [6.9e9, 13.2e9], "D": [3.945e12, 5.0e12], "pile__ce": [seven, thirteen]})
    frame = pd.concat([frame, far], ignore_index=True)
    return tabulate("ladder_far", frame, frame["N"] > 3e9, ["N", "D"], ["pile__ce"])


def _leaderboard() -> pd.DataFrame:
    """Base models that are not trained on code, with size, tokens and compute known."""
    frame = pd.read_csv(DATA / "obsscaling" / "base_llm_benchmark_eval.csv")
    renamed = {"Model Size (B)": "N", "Pretraining Data Size (T)": "D", "FLOPs (1E21)": "C", "Model Family": "family"}
    frame = frame.rename(columns=renamed).dropna(subset=["N", "D", "C"])
    code = frame["family"].str.contains("Code|StarCoder|Coder|SmolLM") | (frame["D"] > 100)
    return frame[~code]


def families() -> Task:
    """HellaSwag against compute within six families of models; each family's two largest are judged."""
    frame = _leaderboard()
    frame = frame[frame["family"].isin(["Pythia", "OPT", "Qwen1.5", "Cerebras-GPT", "BLOOM", "GPT-Neo/J"])]
    rank = frame.groupby("family")["C"].rank(ascending=False)
    largest = rank <= np.where(frame.groupby("family")["C"].transform("size") > 5, 2, 1)
    return tabulate("families", frame, largest, ["C"], ["HellaSwag"], within=UNIT, group="family")


def leaderboard(name: str, target: str) -> Task:
    """A benchmark over size and tokens of base models of all makers; the fifth with the most compute is judged."""
    frame = _leaderboard().dropna(subset=[target])
    return tabulate(name, frame, frame["C"] > frame["C"].quantile(0.8), ["N", "D"], [target], within=UNIT)


VISION = [f"{data}_{shots}" for data in ("bird", "c", "cal", "inet") for shots in (5, 10, 25)]

MORE: dict[str, Callable[[], Task]] = {
    **{f"vision_{t}": partial(curves, f"vision_{t}", "benchmark.vision.csv", t) for t in VISION},
    "lang_nmt": lambda: curves("lang_nmt", "benchmark.lang.csv", domain="NMT"),
    "lang_lm": lambda: curves("lang_lm", "benchmark.lang.csv", domain="LM"),
    "lang_bb": lambda: curves("lang_bb", "benchmark.lang.csv", domain="BB"),
    "addition": addition,
    "gemstones_shape": lambda: gemstones("gemstones_shape", ["width", "depth", "D"], ["hellaswag"]),
    "gemstones_size": lambda: gemstones("gemstones_size", ["N", "D"], ["arce"]),
    "gemstones_tasks": lambda: gemstones("gemstones_tasks", ["N", "D"], ["hellaswag", "mmlu", "piqa", "arcc"]),
    "gemstones_accuracy": lambda: gemstones("gemstones_accuracy", ["N", "D"], ["acc_hellaswag"], UNIT),
    "ladder_losses": lambda: ladder_final("ladder_losses", ["pile__ce", "dolma_stack__ce", "dolma_wiki__ce"]),
    "ladder_tasks": lambda: ladder_final(
        "ladder_tasks", ["hellaswag_val_bpb", "arc_challenge_test_bpb", "mmlu_stem_test_bpb"]
    ),
    "ladder_accuracy": lambda: ladder_final("ladder_accuracy", ["hellaswag_val_len_norm"], UNIT),
    "ladder_runs": lambda: ladder_runs("ladder_runs", ["N", "D", "H"], "c4_en__ce"),
    "ladder_schedule": lambda: ladder_runs("ladder_schedule", ["N", "D", "h"], "dolma_stack__ce"),
    "ladder_runs_task": lambda: ladder_runs("ladder_runs_task", ["N", "D", "H"], "hellaswag_val_bpb"),
    "ladder_far": ladder_far,
    "families": families,
    "leaderboard_hellaswag": lambda: leaderboard("leaderboard_hellaswag", "HellaSwag"),
    "leaderboard_mmlu": lambda: leaderboard("leaderboard_mmlu", "MMLU"),
}
