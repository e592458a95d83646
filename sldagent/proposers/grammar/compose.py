"""Fresh laws: which motifs fit a task, and how they are put together."""

from __future__ import annotations

from collections.abc import Sequence

from sldagent.laws.expr import Expr, add, call, mul, power
from sldagent.proposers.grammar.build import Builder, Dice
from sldagent.proposers.grammar.motifs import MOTIFS, Choice, applicable
from sldagent.proposers.grammar.motifs.laws import in_bounds
from sldagent.proposers.grammar.motifs.motif import Form
from sldagent.proposers.grammar.profile import Profile

BIASED = 6.0
"""How much likelier an island's family of motifs is."""


class Library:
    """The motifs that fit one task, with the variables they may take."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.choices: dict[Form, tuple[Choice, ...]] = {
            form: applicable([m for m in MOTIFS if m.form == form], profile)
            for form in ("term", "law", "effective", "exponent")
        }
        counts: dict[str, int] = {}
        for choice in (c for every in self.choices.values() for c in every):
            counts[choice.motif.name] = counts.get(choice.motif.name, 0) + 1
        self._weights = {id(c): c.motif.weight / counts[c.motif.name] ** 0.7 for cs in self.choices.values() for c in cs}
        self.symbols = frozenset(v.symbol for v in (*profile.views, *profile.vectors))

    @property
    def families(self) -> tuple[str, ...]:
        """Families with at least one motif that fits, in alphabetical order."""
        return tuple(sorted({c.motif.family for form in ("term", "law") for c in self.choices[form]}))

    def pick(
        self, form: Form, dice: Dice, bias: str = "", among: Sequence[Choice] | None = None,
    ) -> Choice | None:
        """A random motif with its variables; None if none fits."""
        choices = self.choices[form] if among is None else among
        if not choices:
            return None
        weights = [self._weights[id(c)] * (BIASED if bias and c.motif.family == bias else 1.0) for c in choices]
        return dice.pick(choices, weights)

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
    if kind == "law" and (choice := library.pick("law", dice, bias)) is not None:
        law = choice.build(b)
        rest = library.symbols - {v.symbol for v in choice.variables}
        if rest and dice.chance(0.5) and (more := library.pick("term", dice, bias, library.covering("term", rest))):
            law = add(*(law.args if law.op == "add" else (law,)), more.build(b))
        return law
    if kind == "outer" and library.choices["exponent"]:
        return outer_law(library, b, bias)
    return sum_of_terms(library, b, bias)


def sum_of_terms(library: Library, b: Builder, bias: str = "") -> Expr:
    """Floor + one to four terms that mostly cover all variables."""
    dice = b.dice
    missing = library.symbols
    terms: list[Expr] = []
    for _ in range(4):
        among = library.covering("term", missing) if missing and dice.chance(0.9) else None
        choice = library.pick("term", dice, bias, among)
        if choice is None:
            break
        terms.append(choice.build(b))
        missing -= {v.symbol for v in choice.variables}
        if not missing and dice.chance(0.75) or dice.chance(0.1):
            break
    floor = [b.floor()] if dice.chance(0.9) or not terms else []
    return add(*floor, *terms)


def outer_law(library: Library, b: Builder, bias: str = "") -> Expr:
    """exp, power or logistic of a sum of logarithms that mostly covers all variables, above a floor."""
    dice = b.dice
    missing = library.symbols
    inner: list[Expr] = [b.parameter(("o", "u"), "real", (-3.0, 3.0))]
    for _ in range(5):
        among = library.covering("exponent", missing) if missing else None
        choice = library.pick("exponent", dice, bias, among or None)
        if choice is None:
            break
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


