"""A program file: its text, what the lint says of it, and its two functions as jailed calls."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import LawError
from sldagent.evaluation.custom import Caller, failure_of, round_significant
from sldagent.evaluation.feedback import marked
from sldagent.evaluation.result import Failure
from sldagent.foreign.lint import MAX_BYTES, Lint, lint_program
from sldagent.sandbox.types import Answer, JailFailure, Job, Limits

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

FIT_SECONDS = 60.0
PREDICT_SECONDS = 10.0
BUDGET = 300.0
"""Seconds that all calls of one program may take together."""
_FOREIGN = re.compile(rb"^(def )?(scaling_law_func|fit_scaling_law)(?(1)\b|\s*=)", re.MULTILINE)
_LAW = re.compile(rb"^(\xef\xbb\xbf)?def\s+law\b", re.MULTILINE)


@dataclass(frozen=True)
class ForeignProgram:
    """A program in SLDAgent's format; untrusted."""

    name: str
    source: str
    lint: Lint

    @property
    def precision(self) -> float:
        """Relative difference that rounding can make: jax computes in single precision."""
        return 1e-5 if "jax" in self.lint.modules else 1e-8


def read_program(path: Path) -> ForeignProgram:
    """The program in a file; whatever is wrong with its text is `lint.refusal`.

    Raises LawError where there is no such file.
    """
    if not path.is_file():
        raise LawError(f"{path}: no such program file")
    size = path.stat().st_size
    if size > MAX_BYTES:
        refusal = f"the source has {size / 1e6:.1f} MB; at most {MAX_BYTES // 1024} kB are read"
        return ForeignProgram(path.name, "", Lint(refusal=refusal))
    raw = path.read_bytes()
    return ForeignProgram(path.name, raw.decode("utf-8-sig", "replace"), lint_program(raw))


def is_foreign(path: Path) -> bool:
    """Whether a ``.py`` file is a program in SLDAgent's format rather than one in the law language."""
    with path.open("rb") as file:
        text = file.read(MAX_BYTES)
    return _FOREIGN.search(text) is not None or _LAW.search(text) is None


@dataclass(frozen=True)
class Fit:
    """What `fit_scaling_law` gave for every group, or why there is nothing."""

    parameters: FloatArray | None = None
    """(groups, p) or (groups, targets, p), as returned; NaN for groups without rows."""
    failure: Failure | None = None
    feedback: str = ""
    """What the code printed and raised, marked untrusted."""

    @property
    def rounded(self) -> FloatArray:
        assert self.parameters is not None
        return round_significant(self.parameters)


@dataclass(frozen=True)
class Prediction:
    """What `scaling_law_func` gave, or why there is nothing."""

    values: FloatArray | None = None
    """(rows, targets)."""
    failure: Failure | None = None
    feedback: str = ""


class Runner:
    """Runs one program's functions, each call in a fresh jail; targets of rows to be judged never enter it."""

    def __init__(self, program: ForeignProgram, jail: Caller, targets: int) -> None:
        self.program = program
        self._jail = jail
        self._targets = targets
        self._left = BUDGET

    def fit(self, X: FloatArray, Y: FloatArray, group: IntArray, groups: int) -> Fit:
        """Fit every group present.

        Args:
            X: (n, variables); Y: (n, targets); group: (n,) below `groups`.
        """
        present = np.unique(group)
        answer = self._call("fit", {"X": X, "Y": Y, "group": np.searchsorted(present, group)}, FIT_SECONDS)
        feedback = _feedback(answer)
        if answer.failure is not None:
            return Fit(None, failure_of(answer), feedback)
        found = [answer.arrays.get(f"params/{g}", np.zeros(0)) for g in range(len(present))]
        shapes = {values.shape for values in found}
        if len(shapes) > 1:
            said = "fit_scaling_law returned arrays of different shapes for different groups"
            return Fit(None, Failure("program", said), feedback)
        shape = shapes.pop()
        if not 0 < len(shape) <= 2 or 0 in shape:
            return Fit(None, Failure("program", f"fit_scaling_law returned an array of shape {shape}"), feedback)
        if not all(np.isfinite(values).all() for values in found):
            return Fit(None, Failure("program", "fit_scaling_law returned a parameter that is not finite"), feedback)
        every = np.full((groups, *shape), np.nan)
        every[present] = np.stack(found)
        return Fit(every, None, feedback)

    def predict(self, X: FloatArray, group: IntArray, parameters: FloatArray) -> Prediction:
        """Predictions for rows of groups that `parameters` (groups, ...) has."""
        present = np.unique(group)
        arrays: dict[str, NDArray[Any]] = {"X": X, "group": np.searchsorted(present, group)}
        arrays.update({f"params/{g}": parameters[k] for g, k in enumerate(present)})
        answer = self._call("predict", arrays, PREDICT_SECONDS)
        feedback = _feedback(answer)
        if answer.failure is not None:
            return Prediction(None, failure_of(answer), feedback)
        values = np.asarray(answer.arrays.get("prediction", np.zeros(0)))
        if values.shape != (len(X), self._targets):
            said = f"scaling_law_func predicted shape {values.shape} for {len(X)} rows and {self._targets} targets"
            return Prediction(None, Failure("program", said), feedback)
        if not np.isfinite(values).all():
            return Prediction(None, Failure("program", "scaling_law_func predicted a number that is not finite"), feedback)
        return Prediction(values, None, feedback)

    def _call(self, entry: str, arrays: Mapping[str, NDArray[Any]], seconds: float) -> Answer:
        if self._left <= 0.0:
            said = f"the program's calls took more than {BUDGET:g} s together"
            return Answer(failure=JailFailure("wall-time", said))
        limits = Limits(wall_seconds=min(seconds, max(1.0, self._left)))
        plain = {name: np.ascontiguousarray(values, dtype=np.float64) for name, values in arrays.items()}
        answer = self._jail.call(Job(self.program.source, entry, plain, {"targets": self._targets}), limits)
        self._left -= answer.wall_seconds
        return answer


def _feedback(answer: Answer) -> str:
    return marked(answer.log, "" if answer.failure is None else answer.failure.message)
