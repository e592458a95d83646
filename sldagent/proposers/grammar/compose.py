"""Fresh laws: which motifs fit a task, and how they are put together."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sldagent.laws.expr import Expr, add, call, mul, power, walk
from sldagent.proposers.grammar.build import Builder, Dice
from sldagent.proposers.grammar.motifs import MOTIFS, Choice, applicable
from sldagent.proposers.grammar.motifs.laws import in_bounds
from sldagent.proposers.grammar.motifs.motif import Form
from sldagent.proposers.grammar.profile import Profile, Slot

BIASED = 0.6
"""How often an island's pick is made from its family of motifs alone."""


class Library:
    """The motifs that fit one task, with the variables they may take."""

    def __init__(self, profile: Profile, cap: float = math.inf) -> None:
        self.profile = profile
        self.cap = cap
        """Fitted scalars per target and group that a law may have."""
        self.choices: dict[Form, tuple[Choice, ...]] = {
            form: applicable([m for m in MOTIFS if m.form == form], profile)
            for form in ("term", "law", "effective", "exponent")
        }
        counts: dict[str, int] = {}
        for choice in (c for every in self.choices.values() for c in every):
            counts[choice.motif.name] = counts.get(choice.motif.name, 0) + 1
        choices = [c for cs in self.choices.values() for c in cs]
        self._weights = {id(c): c.motif.weight / counts[c.motif.name] ** 0.7 for c in choices}
        self._costs = {id(c): _cost(c, profile) for c in choices}
        every: tuple[Slot, ...] = (*profile.views, *profile.vectors)
        self.symbols = frozenset(v.symbol for v in every)

    @property
    def families(self) -> tuple[str, ...]:
        """Families with at least one motif that fits, in alphabetical order."""
        return tuple(sorted({c.motif.family for form in ("term", "law") for c in self.choices[form]}))

    def pick(
        self, form: Form, dice: Dice, bias: str = "", among: Sequence[Choice] | None = None, budget: float = math.inf,
    ) -> Choice | None:
        """A random motif with its variables, of at most `budget` parameters; None if none fits."""
        choices = self.choices[form] if among is None else among
        if budget < math.inf:
            choices = [c for c in choices if self._costs[id(c)] <= budget]
        if bias and dice.chance(BIASED):
            choices = [c for c in choices if c.motif.family == bias] or choices
        return dice.pick(choices, [self._weights[id(c)] for c in choices]) if choices else None

    def cost(self, choice: Choice) -> int:
        """Parameters of the motif, arrays by element."""
        return self._costs[id(choice)]

    def over(self, form: Form, used: frozenset[str], exactly: bool = False) -> list[Choice]:
        """Choices whose variables are among (or are exactly) the given symbols."""
        sets = ((c, frozenset(v.symbol for v in c.variables)) for c in self.choices[form])
        return [c for c, s in sets if (s == used if exactly else s <= used)]

    def covering(self, form: Form, wanted: frozenset[str]) -> list[Choice]:
        """Choices that use at least one of the wanted symbols."""
        return [c for c in self.choices[form] if any(v.symbol in wanted for v in c.variables)]


def fresh_law(library: Library, b: Builder, bias: str = "") -> Expr:
    """A random law: a whole-law motif, a sum of terms above a floor, or an outer function of a sum."""
    dice = b.dice
    if not library.symbols:
        return b.floor()
    kind = dice.pick(("law", "terms", "outer"), (0.4, 0.48, 0.12))
    if bias:
        forms = {c.motif.form for form in ("term", "law") for c in library.choices[form] if c.motif.family == bias}
        if kind == "law" and "law" not in forms and dice.chance(0.7):
            kind = "terms"
        elif kind != "law" and "term" not in forms and "law" in forms and dice.chance(0.7):
            kind = "law"
    if kind == "law" and (choice := library.pick("law", dice, bias, budget=library.cap)) is not None:
        law = choice.build(b)
        rest = library.symbols - {v.symbol for v in choice.variables}
        left = library.cap - library.cost(choice)
        more = None
        if rest and dice.chance(0.6):
            more = library.pick("term", dice, bias, library.covering("term", rest), left)
        return law if more is None else add(*(law.args if law.op == "add" else (law,)), more.build(b))
    if kind == "outer" and library.choices["exponent"]:
        return outer_law(library, b, bias)
    return sum_of_terms(library, b, bias)


def sum_of_terms(library: Library, b: Builder, bias: str = "") -> Expr:
    """Floor + one to four terms that mostly cover all variables."""
    dice = b.dice
    missing = library.symbols
    terms: list[Expr] = []
    floor = [b.floor()] if dice.chance(0.9) and library.cap > 2 else []
    left = library.cap - len(floor)
    for _ in range(4):
        among = library.covering("term", missing) if missing and dice.chance(0.9) else None
        choice = library.pick("term", dice, bias, among, left)
        if choice is None:
            break
        left -= library.cost(choice)
        terms.append(choice.build(b))
        missing -= {v.symbol for v in choice.variables}
        if (not missing and dice.chance(0.75)) or dice.chance(0.1):
            break
    return add(*floor, *terms) if floor or terms else b.floor()


def outer_law(library: Library, b: Builder, bias: str = "") -> Expr:
    """exp, power or logistic of a sum of logarithms that mostly covers all variables, above a floor."""
    dice = b.dice
    missing = library.symbols
    inner: list[Expr] = [b.parameter(("o", "u"), "real", (-3.0, 3.0))]
    left = library.cap - 2
    for _ in range(5):
        among = library.covering("exponent", missing) if missing else None
        choice = library.pick("exponent", dice, bias, among or None, left)
        if choice is None:
            break
        left -= library.cost(choice)
        inner.append(choice.build(b))
        missing -= {v.symbol for v in choice.variables}
        if not missing and dice.chance(0.7):
            break
    body = add(*inner)
    if b.profile.bounds is not None and dice.chance(0.6):
        return in_bounds(b, body)
    shape = dice.pick(("exp", "softplus", "sigmoid", "square"), (5.0, 1.0, 2.0, 0.5))
    if shape == "exp":
        outer = call("exp", body) if b.profile.loss_like else mul(b.amplitude(signed=True), call("exp", body))
    elif shape == "square":
        outer = mul(b.amplitude(), power(body, Expr("num", value=2.0)))
    else:
        outer = mul(b.amplitude(signed=True), call(shape, body))
    return add(b.floor(), outer) if dice.chance(0.8) else outer


def _cost(choice: Choice, profile: Profile) -> int:
    """Parameters per target that the motif declares, arrays by element, in one example of it."""
    b = Builder(profile, np.random.default_rng(0))
    expr = choice.build(b)
    vectors = {name: len(elements) for name, elements in b.vectors} | profile.sizes
    lengths = {n.name: 1 for n in walk(expr) if n.op == "par"}
    for node in walk(expr):
        if node.op == "sum":
            for inner in walk(node):
                if inner.op == "par" and node.name in inner.index:
                    lengths[inner.name] = vectors[node.over]
    return sum(lengths.values())
