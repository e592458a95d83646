"""Which parameters of a law are redundant: two that appear once each and only together are one.

A merge must lose nothing: the merged parameter takes every value that the two could produce (up to the ends
of an open range), per group and per index as before.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from sldagent.laws.program import Parameter

Index = tuple[str, ...]


class ParameterPool:
    """The declarations of a law's parameters while they are merged, and how often the law names each."""

    def __init__(
        self,
        parameters: Sequence[Parameter],
        uses: Mapping[str, int],
        merge: bool,
        keep: Collection[str] = (),
    ) -> None:
        self.declared = {p.name: p for p in parameters}
        self.uses = uses
        self.merge = merge
        self.keep = frozenset(keep)
        """Parameters that must stay as they are."""

    def free(self, name: str) -> bool:
        """Whether the parameter appears once, so that it may be replaced."""
        return self.merge and self.uses.get(name, 0) == 1 and name not in self.keep

    def kind(self, name: str) -> str:
        return self.declared[name].kind

    def mask(self, name: str) -> str:
        """What the parameter is, without its name: kind, bounds, scope and number of uses."""
        p = self.declared[name]
        bounds = f"{p.lower:.12g},{p.upper:.12g}" if p.kind == "interval" else ""
        return f"{p.kind[0]}{bounds}{'s' if p.scope == 'shared' else ''}{self.uses.get(name, 0)}"

    def covers(self, one: str, one_index: Index, other: str, other_index: Index) -> bool:
        """Whether `one` varies wherever `other` does (groups, indices), so that it can take it in."""
        scopes = self.declared[one].scope == "group" or self.declared[other].scope == "shared"
        return scopes and set(other_index) <= set(one_index)

    def same_place(self, one: str, one_index: Index, other: str, other_index: Index) -> bool:
        return self.declared[one].scope == self.declared[other].scope and one_index == other_index

    def become(self, name: str, kind: str, lower: float | None = None, upper: float | None = None) -> None:
        """Give the parameter the kind of a merged one; its start range no longer applies."""
        p = Parameter(name, scope=self.declared[name].scope)
        if kind == "positive":
            p = replace(p, kind="positive")
        elif kind == "interval" and lower is not None and upper is not None:
            p = replace(p, kind="interval", lower=lower, upper=upper)
        self.declared[name] = p

    def scale(self, name: str, factor: float) -> None:
        """The parameter takes in a positive factor: its start range moves with it."""
        p = self.declared[name]
        if p.start is not None:
            low, high = p.start[0] * factor, p.start[1] * factor
            valid = abs(low) < float("inf") and abs(high) < float("inf") and (p.kind != "positive" or low > 0)
            self.declared[name] = replace(p, start=(low, high) if valid else None)

    def times(self, one: str, power: float, one_index: Index, other: str, other_power: float, other_index: Index) -> bool:
        """Merge ``one**power * other**other_power`` into `one` (whose exponent becomes 1 or -1); False: not
        possible.
        """
        if not self.covers(one, one_index, other, other_index):
            return False
        if self._narrows(one, one_index, other, other_index) or (
            self.kind(one) == "positive"
            and self.kind(other) != "positive"
            and not self.same_place(one, one_index, other, other_index)
        ):
            return False
        kinds = sorted(((self.kind(one), power), (self.kind(other), other_power)))
        (first, first_power), (second, second_power) = kinds
        if first == second == "positive":
            self.become(one, "positive")
        elif (
            second == "real"
            and abs(second_power) == 1
            and (first == "positive" or first_power == 1 or (first == "real" and first_power == -1))
        ):
            self.become(one, "real")  # a real number times anything that is not always zero is any real number
        elif first == "interval" and first_power == 1 and (second == "positive" or second_power == 1):
            return self._interval_product(one, one_index, other, other_index)
        else:
            return False
        return True

    def _narrows(self, one: str, one_index: Index, other: str, other_index: Index) -> bool:
        """Whether `one` ranges over an interval in more places than `other`: there, their combinations are tied to one
        value of `other`, and a merged parameter would be freer than the two.
        """
        return self.kind(one) == "interval" and not self.same_place(one, one_index, other, other_index)

    def _interval_product(self, one: str, one_index: Index, other: str, other_index: Index) -> bool:
        a, b = self.declared[one], self.declared[other]
        if a.kind == b.kind == "interval":
            if not self.same_place(one, one_index, other, other_index):
                return False
            corners = [x * y for x in (a.lower, a.upper) for y in (b.lower, b.upper)]
            self.become(one, "interval", min(corners), max(corners))
            return True
        bounds = a if a.kind == "interval" else b  # the other one is positive
        if bounds.upper <= 0:
            return False
        self.become(one, "positive" if bounds.lower >= 0 else "real")
        return True

    def plus(self, one: str, sign: float, one_index: Index, other: str, other_sign: float, other_index: Index) -> bool:
        """Merge ``sign*one + other_sign*other`` into ``sign*one``; False: not possible."""
        if not self.covers(one, one_index, other, other_index) or self._narrows(one, one_index, other, other_index):
            return False
        a, b = self.declared[one], self.declared[other]
        if "real" in (a.kind, b.kind):
            self.become(one, "real")
        elif a.kind == b.kind == "positive":
            self.become(one, "positive" if sign == other_sign else "real")
        elif a.kind == b.kind == "interval" and sign == other_sign and self.same_place(one, one_index, other, other_index):
            self.become(one, "interval", a.lower + b.lower, a.upper + b.upper)
        else:
            return False
        return True
