"""The choice rule: which law of a run to recommend, from training rows alone."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from sldagent.evaluation.result import Evaluation

NEAR = math.log(1.5)
"""Laws within this of the best X are candidates for the choice."""
FAR = math.log(2.0)
"""Laws further than this from the best X never are, however uncertain."""
GATE = math.log(3.0)
"""Nor are laws whose error along any one variable's cuts is this much above that of the law of best X."""
WORSE = 60.0
"""A law whose description length is this much (nats) above the lowest ..."""
MISFIT = 2.0
"""... and that leaves more than this times as much of the training variance unexplained as that law does, is not believed
whatever its X: it misses a part of the table that another law explains."""
ROUNDING = 1e-12
"""Shares of the variance below this are alike."""
CLOSE = 2.0
"""Description lengths (nats) closer than this to the lowest are alike: X decides among them."""

SHORTLIST = 3


@dataclass(frozen=True)
class Choice:
    """What a run recommends."""

    index: int
    shortlist: tuple[int, ...]
    """Up to three laws, the choice first."""
    reason: str
    """One sentence."""


def paired_error(a: Evaluation, b: Evaluation) -> float:
    """Standard error of X(a) - X(b) on common resamples of the held-out cells."""
    if a.x_boot.size == 0 or a.x_boot.shape != b.x_boot.shape:
        return math.inf
    return float(np.std(a.x_boot - b.x_boot))


def by_variable(evaluation: Evaluation) -> dict[str, float]:
    """Mean log error over the cuts of each variable (``joint``: of the joint direction)."""
    errors: dict[str, list[float]] = {}
    for cut in evaluation.cuts:
        errors.setdefault(cut.variable, []).append(cut.log_mse)
    return {variable: float(np.mean(values)) for variable, values in errors.items()}


def choose(entries: Sequence[tuple[int, Evaluation]], catalogue: Collection[int] = ()) -> Choice | None:
    """Recommend one of the evaluated laws, or None when no law is valid.

    Among valid laws that are believed (`believed`), whose X is within max(ln 1.5, one paired standard error), at most
    ln 2, of the best, and that along no variable's cuts give way by more than ln 3, those within 2 nats of the lowest MDL;
    of these the lowest X.  If that law does not beat the best catalogue law by one paired standard error, the catalogue law
    is recommended.

    Args:
        entries: (candidate index, evaluation), in any order; equal laws resolve to the earlier index.
        catalogue: indices of published laws among them.
    """
    usable = sorted(((k, e) for k, e in entries if e.failure is None and e.valid and math.isfinite(e.x)), key=lambda i: i[0])
    if not usable:
        return None
    usable = believed(usable)
    pick = winner = _pick(usable)
    near = "one law" if len(pick.near) == 1 else f"{len(pick.near)} laws"
    shortest = f"lowest description length (within {CLOSE:g} nats)"
    reason = f"{shortest} among the {near} whose extrapolation error is indistinguishable from the best"
    if len(pick.near) == 1:
        reason = "no other law's extrapolation error comes near"
    published = set(catalogue)
    known = [(k, e) for k, e in usable if k in published]
    if known and winner.index not in published:
        _, best = min(known, key=lambda i: (i[1].x, i[0]))
        if not winner.evaluation.x < best.x - paired_error(winner.evaluation, best):
            reason = "no law beats the best published law by one standard error"
            winner = _pick(known)
    return Choice(winner.index, _shortlist(winner.index, pick, usable), reason)


def believed(usable: Sequence[tuple[int, Evaluation]]) -> list[tuple[int, Evaluation]]:
    """Those of some valid laws that do not miss what the law of lowest MDL explains of the training rows.

    Where few held-out rows show one regime of the table (overfitting to repeated data, say), a law that misses the regime
    may have the lowest X by luck, although it is far from the training rows.
    """
    _, shortest = min(usable, key=lambda i: (i[1].mdl, i[0]))
    most = MISFIT * max(1.0 - shortest.train_r2, ROUNDING)
    return [(k, e) for k, e in usable if e.mdl <= shortest.mdl + WORSE or 1.0 - e.train_r2 <= most]


@dataclass(frozen=True)
class _Pick:
    index: int
    evaluation: Evaluation
    near: list[int]
    """Laws near the best X: those of lowest MDL by rising X, then the others by rising MDL."""


def _pick(usable: Sequence[tuple[int, Evaluation]]) -> _Pick:
    """See `choose`: near the best X, then nearly the lowest MDL, then the lowest X."""
    _, best = min(usable, key=lambda i: (i[1].x, i[0]))
    along = by_variable(best)
    near = []
    for k, e in usable:
        gap = e.x - best.x
        if not (gap <= NEAR or (gap <= FAR and gap <= paired_error(e, best))):
            continue
        if all(error <= along.get(variable, math.inf) + GATE for variable, error in by_variable(e).items()):
            near.append((e.mdl, k, e))
    lowest = min(mdl for mdl, _, _ in near)
    near.sort(key=lambda i: (0, i[2].x, i[1]) if i[0] <= lowest + CLOSE else (1, i[0], i[1]))
    return _Pick(near[0][1], near[0][2], [k for _, k, _ in near])


def _shortlist(choice: int, pick: _Pick, usable: Sequence[tuple[int, Evaluation]]) -> tuple[int, ...]:
    """The choice, the runner-up by MDL, and the law of lowest X; filled up by rising X."""
    by_x = [k for k, _ in sorted(usable, key=lambda i: (i[1].x, i[0]))]
    ranked = list(dict.fromkeys([choice, *pick.near[:2]]))[:2]
    return tuple(dict.fromkeys([*ranked, by_x[0], *pick.near, *by_x]))[:SHORTLIST]
