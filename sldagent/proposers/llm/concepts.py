"""What promises taught: a small library of residuals that could be mended, and how, quoted by later prompts.

Every child that a model wrote promised to shrink one residual (`sldagent.diagnosis.promise`); when the child is finished
that is measured.  A *concept* is a promise made by one operator, with the evidence for it: how often it held, and the
hypothesis behind the child that gained most (LaSR's concept library, Grayeli et al. 2024, arXiv:2409.09359, with a
measurement in place of a model's opinion).
"""

from __future__ import annotations

from dataclasses import dataclass

from sldagent.archive.records import AskedRecord

LINES = 6
"""Concepts quoted in a prompt."""
BROKEN = 2
"""Of these, at most so many that never held."""


@dataclass(frozen=True)
class Concept:
    """Evidence for one promise made by one operator."""

    promise: str
    operator: str
    kept: int = 0
    tried: int = 0
    """Children whose promise could be measured."""
    gain: float = 0.0
    """Largest fall of the extrapolation error X below the first parent's, among children that kept the promise."""
    hypothesis: str = ""
    """Of the child of that gain; written by a model, so untrusted."""

    @property
    def line(self) -> str:
        """As a prompt quotes it."""
        if not self.kept:
            return f"{self.promise}, by {self.operator}: tried {self.tried} times, never held"
        gained = f", best gain {self.gain:.2g} in X" if self.gain > 0 else ", X did not fall"
        said = f": {self.hypothesis}" if self.hypothesis else ""
        return f"{self.promise}, by {self.operator}: held {self.kept} of {self.tried} times{gained}{said}"


class Concepts:
    """A fold over committed candidates, in order.

    Attributes:
        known: the evidence by promise and operator, in the order in which they came up.
    """

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], Concept] = {}

    def add(self, asked: AskedRecord, gain: float) -> None:
        """Take one finished child in; `gain`: how far its X fell below its first parent's, in nats."""
        if asked.kept is None or not asked.promise:
            return
        key = (asked.promise, asked.operator)
        old = self.known.get(key, Concept(*key))
        better = asked.kept and (not old.kept or gain > old.gain)
        self.known[key] = Concept(
            *key, old.kept + asked.kept, old.tried + 1,
            max(gain, 0.0) if better else old.gain, asked.hypothesis if better else old.hypothesis,
        )  # fmt: skip

    def lines(self) -> tuple[str, ...]:
        """The best evidence first; what was tried more than once and never held comes last."""
        held = [c for c in self.known.values() if c.kept]
        held.sort(key=lambda c: (-c.gain, -c.kept, c.promise, c.operator))
        broken = [c for c in self.known.values() if not c.kept and c.tried > 1]
        broken.sort(key=lambda c: (-c.tried, c.promise, c.operator))
        broken = broken[:BROKEN]
        return tuple(c.line for c in [*held[: LINES - len(broken)], *broken])
