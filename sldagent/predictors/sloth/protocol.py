"""The protocol of the paper: leave a group of families out, but for their smallest models, and predict the rest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sldagent.errors import PredictorError, TableError
from sldagent.predictors.sloth.fitting import Problem
from sldagent.predictors.sloth.model import features
from sldagent.tasks.read import read_table

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

PARAMS, TOKENS, FLOPS, FAMILY = "#Params (B)", "Pretraining Data Size (T)", "FLOPs (1E21)", "Family2"
INSTRUCT = "Instruct"
TABLES = {"v1": "leaderboard_v1", "v2": "leaderboard_v2", "all12": "all_twelve"}
"""Sets of benchmarks, by the name used here."""
FILES = ("data_v2.csv", "protocol.json")


@dataclass(frozen=True)
class Fold:
    """One group of families that is tested together."""

    families: tuple[str, ...]
    test: BoolArray
    """(n,) the models to predict: all of these families but their smallest."""


@dataclass(frozen=True)
class Ground:
    """A set of benchmarks with its folds."""

    params: FloatArray
    tokens: FloatArray
    flops: FloatArray
    families: NDArray[np.str_]
    tuned: FloatArray
    """(n,) 1 for models tuned to follow instructions, else 0."""
    scores: FloatArray
    """(n, benchmarks), none missing."""
    benchmarks: tuple[str, ...]
    floors: FloatArray
    """(benchmarks,) chance level."""
    folds: tuple[Fold, ...]

    @property
    def one_hot(self) -> FloatArray:
        """(n, families)."""
        names = np.unique(self.families)
        return np.asarray(self.families[:, None] == names[None], dtype=np.float64)

    def problems(self) -> list[Problem]:
        """The fold's training rows as Sloth's problems."""
        design, one_hot = features(self.params, self.tokens), self.one_hot
        known = [np.broadcast_to(~fold.test[:, None], self.scores.shape) for fold in self.folds]
        return [Problem(design, one_hot, self.scores, k, self.floors) for k in known]

    def mae(self, predicted: Sequence[FloatArray]) -> FloatArray:
        """(benchmarks,) mean absolute error in points: over the models of a fold, then over folds.

        Args:
            predicted: by fold, (n, benchmarks).
        """
        by_fold = [
            np.abs(p[fold.test] - self.scores[fold.test]).mean(axis=0) for fold, p in zip(self.folds, predicted, strict=True)
        ]
        return np.asarray(100.0 * np.mean(by_fold, axis=0))


def read_ground(folder: Path, table: str, n_train: int = 1) -> Ground:
    """One of `TABLES` from the shared data.

    Args:
        folder: holds `FILES`.
        table: name of the set.
        n_train: smallest models of each tested family that stay in training, 1 or 2.

    Raises:
        TableError: a file cannot be read.
    """
    try:
        protocol = json.loads((folder / "protocol.json").read_text(encoding="utf-8"))
        benchmarks = protocol["benchmarks"][TABLES[table]]
        groups = protocol["test_families"][f"n_train_{n_train}"][TABLES[table]]
        chance: Mapping[str, float] = protocol["chance_level"]
    except (OSError, ValueError, KeyError) as error:
        raise TableError(f"{folder / 'protocol.json'} is not the protocol's file ({error})") from None
    frame = pd.DataFrame(dict(read_table(folder / "data_v2.csv").columns))
    frame = frame.dropna(subset=[*benchmarks, PARAMS, TOKENS])
    frame = frame[frame.groupby(FAMILY)[FAMILY].transform("size") >= 2].reset_index(drop=True)
    frame["tuned"] = frame[INSTRUCT].astype(str).str.lower().eq("true").astype(np.float64)
    return ground(
        frame.rename(columns={PARAMS: "params", TOKENS: "tokens", FLOPS: "flops", FAMILY: "family"}),
        benchmarks,
        groups,
        n_train=n_train,
        floors=[chance[b] for b in benchmarks],
    )


def ground(
    frame: pd.DataFrame,
    benchmarks: Sequence[str],
    groups: Sequence[Sequence[str]],
    *,
    n_train: int = 1,
    floors: Sequence[float] | None = None,
) -> Ground:
    """Folds over a table with the columns params, tokens, family, the benchmarks and, where known, flops and tuned.

    Raises:
        PredictorError: a group leaves no model to predict, or names a family that the table lacks.
    """
    families = np.asarray([str(f) for f in frame["family"]])
    params = frame["params"].to_numpy(dtype=np.float64)
    folds = []
    for group in groups:
        test = np.zeros(len(frame), dtype=bool)
        for family in group:
            rows = np.flatnonzero(families == family)
            if rows.size == 0:
                raise PredictorError(f"the protocol tests family '{family}', which the table lacks")
            test[rows[np.argsort(params[rows], kind="stable")][n_train:]] = True
        if not test.any():
            raise PredictorError(f"the group {', '.join(group)} has no model beyond the {n_train} smallest to predict")
        folds.append(Fold(tuple(group), test))
    tokens = frame["tokens"].to_numpy(dtype=np.float64)
    return Ground(
        params,
        tokens,
        frame["flops"].to_numpy(dtype=np.float64) if "flops" in frame else 6.0 * params * tokens,
        families,
        frame["tuned"].to_numpy(dtype=np.float64) if "tuned" in frame else np.zeros(len(frame)),
        frame[list(benchmarks)].to_numpy(dtype=np.float64),
        tuple(benchmarks),
        np.zeros(len(benchmarks)) if floors is None else np.asarray(floors, dtype=np.float64),
        tuple(folds),
    )
