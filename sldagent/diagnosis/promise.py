"""What a proposal promises to fix, in a small fixed vocabulary, and whether it did.

A promise names a residual of the parent.  It is kept where that residual, measured in the same way on parent and child,
shrank by a tenth or more; it is neither kept nor broken where the parent had nothing there to fix, or where either law
cannot be measured.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from sldagent.diagnosis.study import LawStudy, Study

SHRANK = 0.9
"""A residual has shrunk when no more than this share of it is left."""
SIGNIFICANT = 2.0
"""Standard errors from which on a mean or slope counts as something to fix."""


@dataclass(frozen=True)
class Promise:
    """A residual, by the kind's words and the symbols that it concerns."""

    kind: str
    """A key of `KINDS`."""
    symbols: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join([self.kind, " and ".join(self.symbols)]).strip()


@dataclass(frozen=True)
class Outcome:
    """Whether a promise was kept, and the residual before and after."""

    kept: bool | None
    before: float = math.nan
    after: float = math.nan
    why: str = ""
    """Where `kept` is None: what could not be told, one sentence."""


@dataclass(frozen=True)
class Kind:
    """One entry of the vocabulary."""

    symbols: int
    over: str
    """What the symbols may be: ``any`` variable, ``scale``, ``setting``, ``cut`` (a cut's variable) or '' for none."""
    meaning: str
    measure: Callable[[LawStudy, tuple[str, ...]], tuple[float, float]]
    """(size of the residual, size below which there is nothing to fix); NaN where it cannot be measured."""


def vocabulary(study: Study) -> tuple[tuple[str, str], ...]:
    """(phrase, meaning) of every kind that this task has symbols for, X, Y and S standing for them."""
    out = []
    for name, kind in KINDS.items():
        if len(_allowed(study, kind.over)) >= kind.symbols:
            letters = ("S",) if kind.over == "setting" else ("X", "Y")
            out.append((" ".join([name, " and ".join(letters[: kind.symbols])]).strip(), kind.meaning))
    return tuple(out)


def parse_promise(text: str, study: Study) -> Promise | None:
    """The promise in a phrase such as ``bias at large D``; None where it is none of the vocabulary.

    Case, quotes and small words do not matter; symbols may be written in another case where that is unambiguous.
    """
    words = re.sub(r"[`'\"*.,;:()×]", " ", text).split()
    said = " ".join(w.lower() for w in words)
    for name, kind in sorted(KINDS.items(), key=lambda item: -len(item[0])):
        start = f" {said} ".find(f" {name} ")
        if start < 0:
            continue
        rest = words[len(said[:start].split()) + len(name.split()) :]
        symbols = _symbols(rest, _allowed(study, kind.over), kind.symbols)
        if symbols is not None:
            return Promise(name, symbols)
    return None


def kept(promise: Promise, parent: LawStudy, child: LawStudy) -> Outcome:
    """Whether the residual that was promised to shrink did, from parent to child."""
    kind = KINDS[promise.kind]
    before, nothing = kind.measure(parent, promise.symbols)
    after, _ = kind.measure(child, promise.symbols)
    if not (math.isfinite(before) or before == math.inf) or math.isnan(after):
        return Outcome(None, before, after, "the residual cannot be measured on both laws")
    if before <= nothing:
        return Outcome(None, before, after, "the parent had nothing there to fix")
    return Outcome(bool(after <= SHRANK * before) if math.isfinite(before) else math.isfinite(after), before, after)


def _allowed(study: Study, over: str) -> tuple[str, ...]:
    axes = study.axes
    if over == "any":
        return tuple(axes.symbols[k] for k in axes.varies)
    if over == "cut":
        return tuple(dict.fromkeys(c.cut.variable for c in study.evaluator.grounds.cuts))
    return tuple(axes.symbols[k] for k in axes.of_role(over)) if over else ()


def _symbols(words: Iterable[str], allowed: tuple[str, ...], count: int) -> tuple[str, ...] | None:
    found: list[str] = []
    for word in words:
        close = [s for s in allowed if s.lower() == word.lower()]
        exact = word if word in allowed else close[0] if len(close) == 1 else None
        if exact is not None and len(found) < count:
            found.append(exact)
    return tuple(found) if len(found) == count else None


# How each kind is measured -----------------------------------------------------------------------------------------


def _regime(name: str) -> Callable[[LawStudy, tuple[str, ...]], tuple[float, float]]:
    def measure(law: LawStudy, symbols: tuple[str, ...]) -> tuple[float, float]:
        found = [r for r in law.regimes if r.where == ((symbols[0], name),)]
        errors = [r.mean / r.z if r.z else 0.0 for r in found]
        return _rms(r.mean for r in found), SIGNIFICANT * _rms(errors) if found else 0.0

    return measure


def _slope(names: tuple[str, ...]) -> Callable[[LawStudy, tuple[str, ...]], tuple[float, float]]:
    def measure(law: LawStudy, symbols: tuple[str, ...]) -> tuple[float, float]:
        found = [e for e in law.exponents if e.symbol == symbols[0] and e.span in names]
        return _rms(e.difference for e in found), SIGNIFICANT * _rms(e.error for e in found) if found else 0.0

    return measure


def _bias_beyond(law: LawStudy, symbols: tuple[str, ...]) -> tuple[float, float]:
    return _rms(c.bias for c in law.cuts if c.variable == symbols[0]), 0.0


def _error_beyond(law: LawStudy, symbols: tuple[str, ...]) -> tuple[float, float]:
    logs = [s.log_mse for s in law.evaluation.cuts if s.variable == symbols[0]]
    return (float(np.exp(0.5 * np.mean(logs))) if logs else math.nan), 0.0


def _term(law: LawStudy, symbols: tuple[str, ...]) -> tuple[float, float]:
    """Size of the residual along the term, in standard deviations of the target: its correlation times what is left."""
    pair = {symbols[0], symbols[-1]}
    left = {u.target: math.sqrt(max(u.left, 0.0)) for u in law.unexplained}
    found = [(t.correlation, left[t.target]) for t in law.terms if {t.first, t.second} == pair]
    noise = SIGNIFICANT / math.sqrt(max(law.study.rows.n, 1))
    return _rms(c * s for c, s in found), noise * _rms(s for _, s in found) if found else 0.0


def _optimum(law: LawStudy, symbols: tuple[str, ...]) -> tuple[float, float]:
    return _rms(d.scatter for d in law.drifts if d.setting == symbols[0]), 0.0


def _variance(law: LawStudy, _: tuple[str, ...]) -> tuple[float, float]:
    return float(np.mean([u.left for u in law.unexplained])), float(np.mean([u.noise for u in law.unexplained]))


def _undetermined(law: LawStudy, _: tuple[str, ...]) -> tuple[float, float]:
    return float(law.evaluation.rank_deficient + len(law.evaluation.at_bounds)), 0.0


def _range(law: LawStudy, _: tuple[str, ...]) -> tuple[float, float]:
    return (0.0 if law.evaluation.valid else 1.0), 0.0


def _complexity(law: LawStudy, _: tuple[str, ...]) -> tuple[float, float]:
    return law.evaluation.complexity, 0.0


def _rms(values: Iterable[float]) -> float:
    """Root mean square; NaN of nothing."""
    array = np.array(list(values))
    return float(np.sqrt(np.mean(array**2))) if array.size else math.nan


KINDS: dict[str, Kind] = {
    "bias at large": Kind(1, "any", "mean residual in the top third of X", _regime("large")),
    "bias at small": Kind(1, "any", "mean residual in the bottom third of X", _regime("small")),
    "bias beyond": Kind(1, "cut", "signed error on the rows that cuts of X hold out", _bias_beyond),
    "error beyond": Kind(1, "cut", "root mean square error on the rows that cuts of X hold out", _error_beyond),
    "slope at large": Kind(1, "scale", "local exponent of X at its upper end, law against data", _slope(("large", "all"))),
    "slope at small": Kind(1, "scale", "local exponent of X at its lower end, law against data", _slope(("small", "all"))),
    "curvature in": Kind(1, "any", "residual along (log X)^2", _term),
    "interaction of": Kind(2, "any", "residual along log X * log Y", _term),
    "optimum of": Kind(1, "setting", "where the best S lies and how it moves with scale", _optimum),
    "unexplained variance": Kind(0, "", "mean squared residual over all rows", _variance),
    "undetermined parameters": Kind(0, "", "directions not determined, parameters at a bound", _undetermined),
    "range": Kind(0, "", "an invalid law (range, monotonicity, limit) becomes valid", _range),
    "complexity": Kind(0, "", "a simpler law (by 10 % or more in C)", _complexity),
}
"""The vocabulary."""
