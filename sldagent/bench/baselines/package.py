"""What a symbolic-regression package is asked and what it gives back: plain values, for it runs in a process of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sldagent.laws.expr import Expr, names, par

FloatArray = NDArray[np.float64]
LIMIT = 100
"""Most expressions per target that are put to our choice rule."""


@dataclass(frozen=True)
class Question:
    """One target of one task."""

    X: FloatArray
    """(rows, features)."""
    z: FloatArray
    """(rows,) standardised target."""
    wanted: FloatArray
    """(m, features): where the package's own choice shall predict."""
    seed: int
    threads: int
    seconds: float | None
    evaluations: int | None
    """Ends the search where there is no bound in time."""


@dataclass(frozen=True)
class Expression:
    """One law of the package's front or population."""

    text: str
    """As the package prints it."""
    expr: Expr | None
    """Over variables ``x0``, ``x1``, ... and parameters ``c0``, ``c1``, ...; None: the law language lacks a function."""
    constants: tuple[float, ...]
    """Values of ``c0``, ``c1``, ..."""
    fitted: FloatArray
    """(rows,) what the package itself predicts for its training rows."""
    size: int

    @property
    def constant(self) -> bool:
        """Whether it depends on no feature."""
        return self.expr is not None and not names(self.expr, "var")


@dataclass(frozen=True)
class Findings:
    """The end of a search."""

    expressions: tuple[Expression, ...]
    """Distinct, the most promising first."""
    own_text: str
    own_error: float
    """Of the package's own choice: its training criterion, lower is better."""
    own_wanted: FloatArray
    """(m,) the own choice's predictions at `Question.wanted`."""
    evaluations: int


class Constants:
    """Numbers of an expression, turned into parameters one by one."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def take(self, value: float) -> Expr:
        self.values.append(float(value))
        return par(f"c{len(self.values) - 1}")


def promising(expressions: list[Expression], z: FloatArray) -> tuple[Expression, ...]:
    """Distinct expressions: first those that no smaller one fits better than, then the others by error; at most `LIMIT`."""
    errors = {}
    distinct: dict[str, Expression] = {}
    for e in expressions:
        if e.text not in distinct:
            distinct[e.text] = e
            error = float(np.mean((e.fitted - z) ** 2))
            errors[e.text] = error if np.isfinite(error) else np.inf
    ranked = sorted(distinct.values(), key=lambda e: (e.size, errors[e.text], e.text))
    front: list[Expression] = []
    for e in ranked:
        if not front or errors[e.text] < errors[front[-1].text]:
            front.append(e)
    chosen = {e.text for e in front}
    rest = sorted((e for e in ranked if e.text not in chosen), key=lambda e: (errors[e.text], e.size, e.text))
    return tuple([*front, *rest][:LIMIT])
