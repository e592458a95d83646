"""What a benchmark keeps of every run, and the JSON file it keeps it in."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sldagent.errors import ConfigError
from sldagent.jsonable import to_json

OURS = "sldagent"
"""Method of the project's own discoveries."""


@dataclass(frozen=True)
class Settings:
    """The budget that every method gets for one task and seed."""

    minutes: float | None
    candidates: int | None
    workers: int


@dataclass(frozen=True)
class Scored:
    """One law of a finished run, scored.  Figures that were not taken, or are not finite, are None."""

    law: str
    formula: str
    x: float | None
    complexity: float | None
    mdl: float | None
    r2: float | None
    """Test R2, not clipped; None without test rows, or where a prediction is not finite."""
    nmae: float | None


@dataclass(frozen=True)
class Key:
    """What tells results apart."""

    task: str
    method: str
    seed: int
    mode: str
    settings: Settings


@dataclass(frozen=True)
class Result:
    """One method on one task with one seed."""

    task: str
    seed: int
    mode: str
    """``blind``, or ``targeted`` where the method was told at which inputs predictions are wanted."""
    settings: Settings
    candidates: int
    """Laws tried; for a symbolic-regression package its own evaluations."""
    failures: int
    """Laws that our evaluator could not use."""
    seconds: float
    cpu_seconds: float
    """Processor time of this process and of every process that it started."""
    test_rows: int
    choice: Scored | None
    """By the choice rule; None where no law was valid."""
    shortlist: tuple[Scored, ...]
    method: str = OURS
    own_choice: Scored | None = None
    """By the method's own training criterion; None for methods that have none."""
    judged: int | None = None
    """Laws that our evaluator judged, where that is less than `candidates`."""
    skipped: int = 0
    """Expressions that the law language cannot state as they were meant."""
    note: str = ""
    """What went wrong, in one sentence."""
    blend: float | None = None
    """Test R2 of the mean of the short list's predictions, not clipped, of our method; None without test rows, where it is
    not finite, and in results from before it was taken."""

    @property
    def key(self) -> Key:
        return Key(self.task, self.method, self.seed, self.mode, self.settings)


def write_results(results: Sequence[Result], path: Path) -> None:
    """All results as JSON; the file is replaced in one step.

    Raises:
        ConfigError: the file cannot be written.
    """
    partial = path.with_name(path.name + ".part")
    try:
        partial.write_text(to_json({"results": [asdict(r) for r in results]}) + "\n", encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        raise ConfigError(f"the results cannot be written to '{path}' ({error}): name another file with --out") from None


def read_results(path: Path) -> list[Result]:
    """Results written by `write_results`.

    Raises:
        ConfigError: the file is not such a file.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["results"]
        return [_result(row) for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"'{path}' is not a benchmark's result file ({error}); name another with --out") from None


def _result(row: Mapping[str, Any]) -> Result:
    return Result(
        **{
            **row,
            "settings": Settings(**row["settings"]),
            "choice": _scored(row["choice"]),
            "own_choice": _scored(row.get("own_choice")),
            "shortlist": tuple(Scored(**s) for s in row["shortlist"]),
        }
    )


def _scored(row: Mapping[str, Any] | None) -> Scored | None:
    return None if row is None else Scored(**row)
