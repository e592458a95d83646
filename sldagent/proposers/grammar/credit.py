"""Operator weights that follow success."""

from __future__ import annotations

from collections.abc import Mapping

PRIOR = 10
"""Children of average success that every operator is credited with before it has any."""
FLOOR = 0.02
"""Smallest share of an operator."""


def adapted(weights: Mapping[str, float], credit: Mapping[str, tuple[int, int]]) -> dict[str, float]:
    """Shares (adding up to 1) of the operators: start weight times success relative to the mean, at least 2 % each.

    `credit`: operator -> (children, improvements); the name of a child made by two operators, ``a+b``, counts for both.
    """
    children = dict.fromkeys(weights, 0)
    improvements = dict.fromkeys(weights, 0)
    for name, (n, better) in credit.items():
        for part in name.split("+"):
            if part in weights:
                children[part] += n
                improvements[part] += better
    mean = (sum(improvements.values()) + 1.0) / (sum(children.values()) + PRIOR)
    raw = {}
    for name, weight in weights.items():
        rate = (improvements[name] + PRIOR * mean) / (children[name] + PRIOR)
        raw[name] = weight * min(4.0, max(0.25, rate / mean))
    total = sum(raw.values())
    floor = min(FLOOR, 1.0 / len(raw))
    free = {name: max(value / total - floor, 0.0) for name, value in raw.items()}
    spread = (1.0 - floor * len(raw)) / max(sum(free.values()), 1e-300)
    return {name: floor + value * spread for name, value in free.items()}
