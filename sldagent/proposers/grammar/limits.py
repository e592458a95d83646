"""What a law of the grammar may cost, and where its formula is defined."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from sldagent.laws.complexity import complexity
from sldagent.laws.expr import TARGET_INDEX, Expr
from sldagent.laws.inspect import parameter_axes
from sldagent.laws.program import Law, Parameter
from sldagent.proposers.grammar.profile import Profile
from sldagent.proposers.grammar.tree import factors, scalars_in


@dataclass(frozen=True)
class Limits:
    """Limits on proposals."""

    scalars: int = 12
    """Scalar parameters of a law (per target and group); array parameters are exempt."""
    tree: int = 45
    """Tree size as in the complexity measure; elements of array parameters and named vectors are exempt."""
    share: float = 0.4
    """Fitted scalars of a group per row and target of the group."""
    tries: int = 20
    """Operators tried for one child before a fresh law is drawn."""


def parameter_counts(law: Law, sizes: Mapping[str, int], targets: int) -> tuple[int, float, float]:
    """(scalar parameters, fitted scalars of a group over all targets, the same with shared ones not counted).

    `sizes`: length of each vector of the task.
    """
    lengths = {**sizes, **{name: len(elements) for name, elements in law.vectors}}
    axes = parameter_axes(law)
    plain, every, own = 0, 0.0, 0.0
    for p in law.parameters:
        size = 1
        for axis in axes[p.name]:
            size *= targets if axis == TARGET_INDEX else lengths[axis]
        plain += all(axis == TARGET_INDEX for axis in axes[p.name])
        every += size
        own += size if p.scope == "group" else 0
    return plain, every, own


def cap(profile: Profile, limits: Limits) -> float:
    """Fitted scalars per target and group that a law may have, arrays by element."""
    most = profile.max_parameters if profile.max_parameters is not None else math.inf
    return min(limits.share * profile.rows, most)


def excess(law: Law, profile: Profile, limits: Limits) -> str:
    """Why the law (in canonical form) is too large for the task; '' if it is not."""
    return too_many(law, profile, limits) or (
        "too large a tree" if complexity(law, profile.sizes).tree > limits.tree else ""
    )


def too_many(law: Law, profile: Profile, limits: Limits, slack: int = 0) -> str:
    """Why the law has too many parameters; '' if it has not.

    `slack`: scalars per target that the canonical form may still merge away.
    """
    plain, every, own = parameter_counts(law, profile.sizes, profile.targets)
    every, own, plain = every - slack * profile.targets, own - slack * profile.targets, plain - slack
    if plain > limits.scalars:
        return "too many scalar parameters"
    if own + (every - own) / profile.groups > limits.share * profile.rows * profile.targets + 1e-9:
        return "too many parameters for the rows"
    if profile.max_parameters is not None and every / profile.targets > profile.max_parameters:
        return "too many parameters for the task's limit"
    return ""


# -- domains ----------------------------------------------------------------------------------------------------------

Interval = tuple[float, float]
ANY: Interval = (-math.inf, math.inf)
TINY = 1e-300


def undefined(law: Law, profile: Profile) -> str:
    """Why the formula is not defined on the task's box, by interval arithmetic; '' if it is, or if only rows can tell.

    A logarithm, root or fractional power of something that is not provably positive is refused where it contains a
    variable that can be zero or negative (a proportion, a setting with zeros, a column that is a logarithm).
    """
    members = {v.symbol: v for v in (*profile.views, *profile.members)}
    box: dict[str, Interval] = {s: (v.low, v.high) for s, v in members.items()}
    box |= {r.symbol: (0.0, 1.0) for r in profile.vectors}
    safe = {s for s, v in members.items() if v.positive}
    kinds = {p.name: p for p in law.parameters}
    for name, elements in law.vectors:
        ranges = [_range(e, box, kinds, safe) for e in elements]
        if any(isinstance(r, str) for r in ranges):
            return "undefined element of a vector"
        pairs = [r for r in ranges if not isinstance(r, str)]
        box[name] = (min(r[0] for r in pairs), max(r[1] for r in pairs))
    result = _range(law.expr, box, kinds, safe | {n for n, _ in law.vectors})
    return result if isinstance(result, str) else ""


def _range(e: Expr, box: Mapping[str, Interval], kinds: Mapping[str, Parameter], safe: set[str]) -> Interval | str:
    """Range of an expression over the box, or what is undefined in it."""
    match e.op:
        case "num":
            return e.value, e.value
        case "var":
            return box.get(e.name, ANY)
        case "par":
            p = kinds[e.name]
            return (TINY, math.inf) if p.kind == "positive" else (p.lower, p.upper)
    parts: list[Interval] = []
    for a in e.args:
        part = _range(a, box, kinds, safe)
        if isinstance(part, str):
            return part
        parts.append(part)
    if e.op in ("log", "sqrt", "pow") and not _defined(e, parts[0], safe):
        return f"{e.op} of something that can be zero"
    if e.op == "pow" and _both(e):
        return "a variable in a power's base and exponent"
    if e.op == "div" and parts[1][0] <= 0.0 <= parts[1][1] and not set(scalars_in(e.args[1])) <= safe:
        return "division by something that can be zero"
    if e.op == "sum" and _weighted_mean(e, box, kinds, safe):
        return TINY, parts[0][1]
    return _image(e, parts)


def _weighted_mean(e: Expr, box: Mapping[str, Interval], kinds: Mapping[str, Parameter], safe: set[str]) -> bool:
    """Whether a sum over proportions is one of positive weights times the bare proportions.

    It is positive, since the proportions add up to one.
    """
    shares: list[Expr] = []
    others: list[Expr] = []
    for part in factors(e.args[0]):
        (shares if part.op == "var" and part.name == e.over and part.index == (e.name,) else others).append(part)
    ranges = [_range(part, box, kinds, safe) for part in others]
    return e.over not in safe and len(shares) == 1 and all(not isinstance(r, str) and r[0] > 0 for r in ranges)


def _defined(e: Expr, base: Interval, safe: set[str]) -> bool:
    if base[0] > 0:
        return True
    if e.op == "pow":
        exponent = e.args[1]
        if exponent.op == "num" and exponent.value == int(exponent.value):
            return exponent.value > 0 or set(scalars_in(e.args[0])) <= safe
    if e.op == "sqrt" and base[0] >= 0:
        return True
    return bool(scalars_in(e.args[0])) and set(scalars_in(e.args[0])) <= safe


def _both(e: Expr) -> bool:
    return bool(set(scalars_in(e.args[0])) & set(scalars_in(e.args[1])))


def _image(e: Expr, parts: list[Interval]) -> Interval:
    low, high = parts[0]
    match e.op:
        case "neg":
            return -high, -low
        case "add":
            return sum(p[0] for p in parts), sum(p[1] for p in parts)
        case "sum":
            return low if low >= 0 else -math.inf, high if high <= 0 else math.inf
        case "mul":
            for p in parts[1:]:
                low, high = _corners(low, high, *p)
            return low, high
        case "div":
            bottom = parts[1]
            if not (bottom[0] > 0 or bottom[1] < 0):
                return ANY
            edges = sorted((1.0 / bottom[0], 1.0 / bottom[1]))
            return _corners(low, high, edges[0] or TINY, edges[1] or -TINY)
        case "exp":
            return max(TINY, _exp(low)), max(TINY, _exp(high))  # positive, also where it underflows
        case "log":
            return (math.log(low) if low > 0 else -math.inf), (math.log(high) if 0 < high < math.inf else math.inf)
        case "sqrt":
            return math.sqrt(max(low, 0.0)), math.sqrt(max(high, 0.0))
        case "tanh":
            return math.tanh(low), math.tanh(high)
        case "sigmoid":
            return TINY, 1.0
        case "softplus":
            return TINY, max(high, 0.0) + 1.0
        case "pow":
            if low > 0:
                return TINY, math.inf
            exponent = e.args[1]
            even = exponent.op == "num" and exponent.value % 2 == 0
            return (0.0, math.inf) if even or low >= 0 else ANY
        case _:
            return min(p[0] for p in parts[:2]) if e.op != "smoothmin" else -math.inf, math.inf


def _corners(a: float, b: float, c: float, d: float) -> Interval:
    products = [0.0 if x == 0 or y == 0 else x * y for x in (a, b) for y in (c, d)]
    low = min(products)
    if low == 0.0 and a > 0 and c > 0:
        low = TINY  # underflow of two positive numbers
    return low, max(products)


def _exp(x: float) -> float:
    return math.exp(x) if x < 700 else math.inf
