"""Which of several groups will be best at a scale that none has reached: base models by small fine-tuning trials, say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import PlanError
from sldagent.fitted import Fitted
from sldagent.planning.draws import Evidence
from sldagent.planning.plans import Estimate, estimate
from sldagent.planning.surface import surface

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Entrant:
    """A group in its contest."""

    group: str
    prediction: Estimate
    best: float
    """Share of the resampled constants, with residual noise of the law added, under which it is the best of its contest."""


@dataclass(frozen=True)
class Contest:
    """Groups that compete, the best prediction first."""

    name: str
    """What they have in common; '' where all groups compete."""
    entrants: tuple[Entrant, ...]


def contests(groups: tuple[str, ...], pattern: str | None) -> dict[str, list[int]]:
    """Groups by what the pattern's first parenthesis (or the whole pattern) matches in their names.

    Raises PlanError for a pattern that is no regular expression or that a group's name does not match.
    """
    if pattern is None:
        return {"": list(range(len(groups)))}
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise PlanError(f"'{pattern}' is not a regular expression: {error}") from None
    out: dict[str, list[int]] = {}
    for k, name in enumerate(groups):
        found = compiled.search(name)
        if found is None:
            raise PlanError(f"the group '{name}' does not match '{pattern}', so its contest is unknown")
        out.setdefault(found.group(1) if compiled.groups else found.group(0), []).append(k)
    return out


def select(
    law: Fitted,
    at: Mapping[str, float],
    rows: Evidence,
    *,
    target: int = 0,
    pattern: str | None = None,
    highest: bool = False,
    level: float = 0.9,
    seed: int = 0,
) -> tuple[Contest, ...]:
    """Rank a law's groups by their predictions at one input.

    Args:
        at: a value for every variable of the law.
        rows: resampled constants and residuals; without any, every probability is 0 or 1.
        pattern: see `contests`.
        highest: the highest prediction is the best, not the lowest.

    Raises PlanError for an input that is missing or unknown, and for `pattern`.
    """
    symbols = [str(v["symbol"]) for v in law.card["variables"]]
    unknown = next((name for name in at if name not in symbols), None)
    if unknown is not None:
        raise PlanError(f"the law has no variable '{unknown}': it has {', '.join(symbols)}")
    missing = next((name for name in symbols if name not in at), None)
    if missing is not None:
        raise PlanError(f"'{missing}' needs a value: name it with --at {missing}=VALUE")
    x = np.array([[at[s] for s in symbols]])
    sign = -1.0 if highest else 1.0
    rng = np.random.default_rng([seed, 6])
    out = []
    for name, members in contests(law.groups, pattern).items():
        values = np.stack([_predictions(law, group, target, rows, x) for group in members])
        noise = np.zeros(len(members)) if rows.noise is None else np.nan_to_num(rows.noise[members, target])
        drawn = values[:, 1:] if values.shape[1] > 1 else values
        noisy = drawn + noise[:, None] * rng.standard_normal(drawn.shape)
        wins = np.bincount(np.argmin(sign * noisy, axis=0), minlength=len(members)) / noisy.shape[1]
        entrants = [
            Entrant(law.groups[group], estimate(values[k], level), float(wins[k])) for k, group in enumerate(members)
        ]
        out.append(Contest(name, tuple(sorted(entrants, key=lambda e: sign * e.prediction.value))))
    return tuple(out)


def _predictions(law: Fitted, group: int, target: int, rows: Evidence, x: FloatArray) -> FloatArray:
    """(1 + draws,) predictions at one input; infinite ones of resampled constants count as the worst."""
    seen = surface(law, group, target, rows.draws)
    return seen(np.arange(seen.draws), np.repeat(x, seen.draws, axis=0))
