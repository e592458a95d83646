"""Which base model to fine-tune: rules that rank 14 models by small trials, judged at a size that no trial has reached.

python experiments/practical_use/base_models.py DATA [--largest N]     (DATA holds sldbench/sft_scaling_law.csv)

Every rule sees trials of up to N examples (409,600: all training rows); judged are the test rows at 819,200 examples.  Per
data set: Spearman's rank correlation with the measured losses, and the regret, the measured loss of the model ranked first
less the lowest measured loss.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

import sldagent
from sldagent.planning.contest import select
from sldagent.planning.draws import Evidence

WANTED = 819200
GROUP = re.compile(r"\('(.*)', '(.*)'\)")
PARAMETERS = {
    "MBZUAI/LaMini-GPT-124M": 124e6, "MBZUAI/LaMini-GPT-774M": 774e6, "cerebras/Cerebras-GPT-256M": 256e6,
    "cerebras/Cerebras-GPT-1.3B": 1.3e9, "facebook/bart-base": 139e6, "facebook/bart-large": 406e6,
    "facebook/opt-1.3b": 1.3e9, "facebook/opt-350m": 331e6, "facebook/opt-6.7b": 6.7e9, "gpt2": 124e6,
    "t5-base": 223e6, "t5-small": 60.5e6,
    "google/mt5-base": 582e6, "google/mt5-large": 1.23e9,
}  # fmt: skip
"""Sizes as the models' publishers give them."""

Scores = dict[str, float]
Rule = Callable[[pd.DataFrame], Scores]


def by_law(law: str) -> Rule:
    """Predictions of a law with constants per model and data set."""

    def rule(trials: pd.DataFrame) -> Scores:
        fitted = sldagent.fit(trials, law, target="sft_loss", variables=["sft_data_size"], group="group")
        found = select(fitted, {"sft_data_size": WANTED}, Evidence(), pattern=r", '(.*)'")
        return {e.group: e.prediction.value for contest in found for e in contest.entrants}

    return rule


def trial(largest: bool) -> Rule:
    """The measured loss of one trial."""

    def rule(trials: pd.DataFrame) -> Scores:
        ordered = trials.sort_values("sft_data_size").groupby("group")["sft_loss"]
        return (ordered.last() if largest else ordered.first()).to_dict()

    return rule


def by_size(trials: pd.DataFrame) -> Scores:
    """The larger model first."""
    return {g: -PARAMETERS[GROUP.match(g)[1]] for g in trials["group"].unique()}


RULES: dict[str, Rule] = {
    "rectified law (Lin et al. 2024)": by_law("rectified"),
    "power law with floor": by_law("E + A*sft_data_size**-a"),
    "power law": by_law("A*sft_data_size**-a"),
    "largest trial": trial(largest=True),
    "smallest trial": trial(largest=False),
    "model size": by_size,
}


def judge(scores: Scores, measured: Scores) -> tuple[list[float], list[float]]:
    """Rank correlation and regret for every data set."""
    ranks, regrets = [], []
    for data in sorted({GROUP.match(g)[2] for g in measured}):
        groups = [g for g in measured if GROUP.match(g)[2] == data]
        truth = np.array([measured[g] for g in groups])
        said = np.array([scores[g] for g in groups])
        ranks.append(float(spearmanr(said, truth).statistic))
        regrets.append(float(truth[np.argmin(said)] - truth.min()))
    return ranks, regrets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--largest", type=int, default=409600)
    args = parser.parse_args()
    table = pd.read_csv(args.data / "sldbench" / "sft_scaling_law.csv")
    measured = table[table["split"] == "test"].set_index("group")["sft_loss"].to_dict()
    trials = table[(table["split"] == "train") & (table["sft_data_size"] <= args.largest)].drop(columns="split")
    print(f"trials up to {args.largest} examples; rank correlation and regret by data set, and their means")
    for name, rule in RULES.items():
        ranks, regrets = judge(rule(trials), measured)
        line = " ".join(f"{r:6.3f}/{g:.3f}" for r, g in zip(ranks, regrets, strict=True))
        print(f"{name:34s} {line}   {np.mean(ranks):.3f} / {np.mean(regrets):.4f}")


if __name__ == "__main__":
    main()
