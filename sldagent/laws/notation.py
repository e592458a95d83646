"""Formulas for people: one writer, three notations (LaTeX, Typst and MathML)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sldagent.laws.expr import Expr
from sldagent.laws.program import Law
from sldagent.laws.render import render_number

_GREEK = re.compile(
    r"alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|"
    r"pi|rho|sigma|tau|upsilon|phi|chi|psi|omega|Gamma|Delta|Theta|Lambda|Xi|Pi|"
    r"Sigma|Upsilon|Phi|Psi|Omega"
)
_SPOKEN = {"lam": "lambda", "lamb": "lambda", "eps": "epsilon"}
_SUM, _PRODUCT, _POWER, _ATOM = range(4)


@dataclass(frozen=True)
class Notation:
    """How the parts of a formula are put together: templates for `str.format`."""

    fraction: str
    parentheses: str
    power: str
    product: str
    times: str
    """Between factors where a space alone could be misread, that is before a number."""
    root: str
    sum: str
    """Index, vector, term."""
    functions: Mapping[str, str]
    function: str
    """Any other function's name."""
    scientific: str
    """Mantissa, exponent."""
    greek: str
    word: str
    subscripted: str
    """A symbol, what stands below it."""
    where: str
    """A named vector after the formula: name, elements."""
    number: str = "{}"
    letter: str = "{}"
    """A word of one letter."""
    minus: str = "-"
    """Before a term."""
    plus_between: str = " + "
    minus_between: str = " - "
    comma: str = ", "

    def law(self, law: Law) -> str:
        """The right-hand side in the form it is written; named vectors follow."""
        text = self._text(law.expr)[0]
        for name, elements in law.vectors:
            text += self.where.format(self.name(name), self.comma.join(self._text(e)[0] for e in elements))
        return text

    def name(self, name: str, index: tuple[str, ...] = ()) -> str:
        """A symbol: Greek by its name, ``N_eff`` and ``d1`` with subscripts."""
        head, *subscripts = [part for part in name.split("_") if part] or [name]
        split = re.fullmatch(r"([A-Za-z]+?)(\d+)", head)
        if split:
            head, subscripts = split[1], [split[2], *subscripts]
        below = [*map(self._word, [*subscripts, *index])]
        return self.subscripted.format(self._word(head), self.comma.join(below)) if below else self._word(head)

    def _word(self, text: str) -> str:
        text = _SPOKEN.get(text, text)
        if _GREEK.fullmatch(text):
            return self.greek.format(text)
        if text.isdigit():
            return self.number.format(text)
        return self.letter.format(text) if len(text) == 1 else self.word.format(text)

    def _number(self, value: float) -> str:
        mantissa, _, exponent = render_number(value).partition("e")
        return self.scientific.format(mantissa, int(exponent)) if exponent else self.number.format(mantissa)

    def _wrapped(self, e: Expr, least: int) -> str:
        text, strength = self._text(e)
        return text if strength >= least else self.parentheses.format(text)

    def _text(self, e: Expr) -> tuple[str, int]:
        """Text and binding strength of the outermost operation."""
        op = e.op
        if op == "num":
            return self._number(e.value), _SUM if e.value < 0 else _PRODUCT if "e" in render_number(e.value) else _ATOM
        if op in ("var", "par"):
            return self.name(e.name, e.index), _ATOM
        if op == "add":
            return self._sum(e), _SUM
        if op == "neg":
            return f"{self.minus}{self._wrapped(e.args[0], _PRODUCT)}", _SUM
        if op == "mul":
            return self._product(e), _PRODUCT
        if op == "div":
            return self.fraction.format(self._text(e.args[0])[0], self._text(e.args[1])[0]), _PRODUCT
        if op == "pow":
            return self.power.format(self._wrapped(e.args[0], _ATOM), self._text(e.args[1])[0]), _POWER
        if op == "sum":
            return self.sum.format(self._word(e.name), self.name(e.over), self._wrapped(e.args[0], _PRODUCT)), _SUM
        inner = self.comma.join(self._text(a)[0] for a in e.args)
        if op == "sqrt":
            return self.root.format(inner), _ATOM
        return self.functions.get(op, self.function.format(op)) + self.parentheses.format(inner), _POWER

    def _product(self, e: Expr) -> str:
        text = self._wrapped(e.args[0], _PRODUCT)
        for factor in e.args[1:]:
            number = factor.op == "num" or (factor.op == "pow" and factor.args[0].op == "num")
            text += (self.times if number else self.product) + self._wrapped(factor, _PRODUCT)
        return text

    def _sum(self, e: Expr) -> str:
        text = self._text(e.args[0])[0]
        for term in e.args[1:]:
            if term.op == "neg":
                text += f"{self.minus_between}{self._wrapped(term.args[0], _PRODUCT)}"
            elif term.op == "num" and term.value < 0:
                text += f"{self.minus_between}{self._number(-term.value)}"
            else:
                inner, strength = self._text(term)
                bare = strength != _SUM or term.op == "sum"
                text += self.plus_between + (inner if bare else self.parentheses.format(inner))
        return text


LATEX = Notation(
    fraction=r"\frac{{{}}}{{{}}}",
    parentheses=r"\left({}\right)",
    power="{}^{{{}}}",
    product=r" \, ",
    times=r" \cdot ",
    root=r"\sqrt{{{}}}",
    sum=r"\sum_{{{} \in {}}} {}",
    functions={"exp": r"\exp", "log": r"\log", "tanh": r"\tanh", "sigmoid": r"\sigma"},
    function=r"\operatorname{{{}}}",
    scientific=r"{} \cdot 10^{{{}}}",
    greek=r"\{}",
    word=r"\mathrm{{{}}}",
    subscripted="{}_{{{}}}",
    where=r",\quad {} = \left({}\right)",
)

TYPST = Notation(
    fraction="frac({}, {})",
    parentheses="({})",
    power="{}^({})",
    product=" ",
    times=" dot ",
    root="sqrt({})",
    sum="sum_({} in {}) {}",
    functions={"exp": "exp", "log": "log", "tanh": "tanh", "sigmoid": "sigma"},
    function='op("{}")',
    scientific="{} dot 10^({})",
    greek="{}",
    word='upright("{}")',
    subscripted="{}_({})",
    where=", quad {} = ({})",
)

MATHML = Notation(
    fraction="<mfrac><mrow>{}</mrow><mrow>{}</mrow></mfrac>",
    parentheses="<mrow><mo>(</mo>{}<mo>)</mo></mrow>",
    power="<msup><mrow>{}</mrow><mrow>{}</mrow></msup>",
    product="<mspace width='0.17em'/>",
    times="<mo>·</mo>",
    root="<msqrt>{}</msqrt>",
    sum="<munder><mo>∑</mo><mrow>{}<mo>∈</mo>{}</mrow></munder><mrow>{}</mrow>",
    functions={"sigmoid": "<mi>σ</mi>"},
    function="<mi>{}</mi><mo>&#x2061;</mo>",  # function application
    scientific="<mn>{}</mn><mo>·</mo><msup><mn>10</mn><mn>{}</mn></msup>",
    greek="<mi>&{};</mi>",
    word="<mi>{}</mi>",
    subscripted="<msub>{}<mrow>{}</mrow></msub>",
    where="<mo>,</mo><mspace width='1em'/>{}<mo>=</mo><mrow><mo>(</mo>{}<mo>)</mo></mrow>",
    number="<mn>{}</mn>",
    letter="<mi>{}</mi>",
    minus="<mo form='prefix'>−</mo>",
    plus_between="<mo>+</mo>",
    minus_between="<mo>−</mo>",
    comma="<mo separator='true'>,</mo>",
)
"""Presentation MathML, to be read by an HTML parser (which knows the Greek letters by name)."""
