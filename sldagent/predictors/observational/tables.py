"""The tables of arXiv 2405.10938: base models with benchmark scores and compute, and their scores on emergent tasks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sldagent.errors import TableError
from sldagent.predictors.observational.split import split_by_cutoff

FloatArray = NDArray[np.float64]
BENCHMARKS = ("MMLU", "ARC-C", "HellaSwag", "Winograd", "TruthfulQA", "GSM8K", "XWinograd", "HumanEval")
FLOPS, SIZE, FAMILY, MODEL = "FLOPs (1E21)", "Model Size (B)", "Model Family", "Model"
FILES = ("protocol.json", "base_llm_benchmark_eval.csv", "base_llm_emergent_capability_eval.csv")
EMERGENT = {
    "word unscrambling": ("word_unscrambling_2_exact_match", 1.0),
    "Persian QA": ("parsinlu_qa_2_acc", 1.0),
    "IPA transliterate (BLEU)": ("ipa_transliterate_2_bleu", 100.0),
    "3-digit subtraction": ("arithmetic_3ds_2_acc", 1.0),
    "3-digit addition": ("arithmetic_3da_2_acc", 1.0),
    "2-digit multiplication": ("arithmetic_2dm_2_acc", 1.0),
    "2-digit addition": ("arithmetic_2da_2_acc", 1.0),
}
"""Column and the largest value of its measure."""


@dataclass(frozen=True)
class BaseModels:
    """The models that the capability space is about."""

    frame: pd.DataFrame
    cutoff: float
    """Models of at most this many FLOPs (in 1e21) are for learning."""


@dataclass(frozen=True)
class EmergentTask:
    """One task: the models that have a score."""

    name: str
    models: tuple[str, ...]
    scores: pd.DataFrame
    """(n, 7) benchmarks without GSM8K, from which arithmetic could be read off."""
    compute: FloatArray
    """(n,) FLOPs in 1e21, NaN where unknown."""
    size: FloatArray
    """(n,) parameters in billions."""
    y: FloatArray
    train: NDArray[np.bool_]


def read_base(folder: Path) -> BaseModels:
    """The protocol's base models with their eight benchmarks.  Raises TableError where a column or model is missing."""
    protocol = json.loads((folder / FILES[0]).read_text(encoding="utf-8"))
    frame = pd.read_csv(folder / FILES[1])
    for column in (MODEL, FAMILY, FLOPS, SIZE, *BENCHMARKS):
        if column not in frame:
            raise TableError(f"{folder / FILES[1]} has no column '{column}', which the benchmark needs")
    kept = frame[frame[MODEL].isin(protocol["base_models"])].reset_index(drop=True)
    lost = sorted(set(protocol["base_models"]) - set(kept[MODEL]))
    if lost:
        raise TableError(f"{folder / FILES[1]} has no row for the model '{lost[0]}' of {FILES[0]}")
    return BaseModels(kept, float(protocol["train_flops_at_most_1e21"]))


def read_emergent(folder: Path, base: BaseModels) -> tuple[EmergentTask, ...]:
    """The seven tasks, each with the base models that have a score, divided at the protocol's cut-off."""
    merged = base.frame.merge(pd.read_csv(folder / FILES[2]), on=MODEL)
    benchmarks = [b for b in BENCHMARKS if b != "GSM8K"]
    tasks = []
    for name, (column, top) in EMERGENT.items():
        rows = merged[merged[column].notna()]
        compute = rows[FLOPS].to_numpy(dtype=np.float64)
        tasks.append(
            EmergentTask(
                name,
                tuple(rows[MODEL]),
                rows[benchmarks].reset_index(drop=True),
                compute,
                rows[SIZE].to_numpy(dtype=np.float64),
                rows[column].to_numpy(dtype=np.float64) / top,
                split_by_cutoff(compute, base.cutoff),
            )
        )
    return tuple(tasks)
