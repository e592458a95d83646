"""The published laws, as data (``catalogue.toml``) and as values.

Only laws found by people are listed.  `bind` (from `sldagent.laws.binding`) turns an entry into programs over
the symbols of a task.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, Literal

from sldagent.errors import LawError
from sldagent.laws.binding import bind
from sldagent.laws.parse import parse_program
from sldagent.laws.program import Program, Recipe

__all__ = ["CatalogueLaw", "CatalogueVariable", "Omitted", "Source", "bind", "catalogue", "find", "omitted"]

EntryRole = Literal["scale", "setting", "vector"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a law was published."""

    authors: str
    year: int
    title: str
    arxiv: str
    """Identifier on arXiv, such as ``2203.15556``."""
    equation: str
    """The formula's number in the source, or what the source calls it."""

    def __str__(self) -> str:
        where = f"eq. {self.equation}" if self.equation[:1].isdigit() else self.equation
        return f"{self.authors} ({self.year}), {self.title}, arXiv:{self.arxiv}, {where}"


@dataclass(frozen=True, slots=True)
class CatalogueVariable:
    """One variable of a published law and which columns of a table may take its place."""

    symbol: str
    role: tuple[EntryRole, ...]
    """Roles that fit; ``vector`` is a group of proportions."""
    meaning: str
    """What the source measures."""
    hints: tuple[str, ...] = ()
    """Beginnings of words that name such a column (whole words for hints of one or two letters)."""
    at_least: float | None = None
    at_most: float | None = None
    """Limits that the training rows' values must keep; None: none (beyond being positive)."""


@dataclass(frozen=True, slots=True)
class CatalogueLaw:
    """One published law."""

    name: str
    title: str
    program_text: str
    """The program in the law language, over the entry's own symbols."""
    variables: tuple[CatalogueVariable, ...]
    source: Source
    aliases: tuple[str, ...] = ()
    order: tuple[tuple[str, str, float], ...] = ()
    """(small, large, ratio): small <= large <= ratio * small must hold on every training row."""
    floors: tuple[str, ...] = ()
    """Parameters that become real where a target may be negative."""
    amplitudes: tuple[str, ...] = ()
    """Parameters that become real where a target may be negative or is bounded above."""
    positive: bool = False
    """The form is positive whatever its parameters."""
    note: str = ""
    """What differs from the source's notation."""

    @property
    def program(self) -> Program:
        """The parsed program."""
        return _parsed(self.program_text)

    @property
    def recipe(self) -> Recipe:
        """The fit recipe: the source's, where it states one."""
        return self.program.recipe

    @property
    def roles(self) -> dict[str, tuple[EntryRole, ...]]:
        """Role or roles by variable symbol."""
        return {v.symbol: v.role for v in self.variables}


@dataclass(frozen=True, slots=True)
class Omitted:
    """A published law that the law language cannot state, and why."""

    name: str
    title: str
    reason: str


@lru_cache(maxsize=256)
def _parsed(text: str) -> Program:
    return parse_program(text)


@lru_cache(maxsize=1)
def _data() -> Mapping[str, Any]:
    return tomllib.loads(files("sldagent.laws").joinpath("catalogue.toml").read_text(encoding="utf-8"))


@lru_cache(maxsize=1)
def catalogue() -> tuple[CatalogueLaw, ...]:
    """Every published law, simple forms first."""
    return tuple(_entry(values) for values in _data()["law"])


@lru_cache(maxsize=1)
def omitted() -> tuple[Omitted, ...]:
    """Published laws that are left out, each with its reason."""
    return tuple(Omitted(**values) for values in _data()["omitted"])


def find(name: str) -> CatalogueLaw:
    """The entry of that name or alias; case, hyphens and spaces do not matter.

    Raises LawError with the closest names when there is none.
    """
    key = name.strip().lower().replace("-", "_").replace(" ", "_")
    known = {n: entry for entry in catalogue() for n in (entry.name, *entry.aliases)}
    if key in known:
        return known[key]
    for law in omitted():
        if key == law.name:
            raise LawError(f"'{name}' cannot be fitted as a formula: {law.reason}")
    close = difflib.get_close_matches(key, known, n=3, cutoff=0.6)
    hint = (
        f"did you mean {' or '.join(repr(c) for c in close)}?" if close else f"known laws: {', '.join(known)}"
    )
    raise LawError(f"no published law is called '{name}'; {hint}")


def _entry(values: Mapping[str, Any]) -> CatalogueLaw:
    lists = {key: tuple(values.get(key, ())) for key in ("aliases", "floors", "amplitudes")}
    known = {*lists, "name", "title", "program", "variables", "source", "order", "positive", "note"}
    if not known.issuperset(values):
        raise LawError(
            f"catalogue.toml: law '{values['name']}' has unknown keys {sorted(set(values) - known)}"
        )
    return CatalogueLaw(
        name=values["name"],
        title=values["title"],
        program_text=values["program"].strip() + "\n",
        variables=tuple(_variable(v) for v in values["variables"]),
        source=Source(**values["source"]),
        order=tuple((small, large, float(ratio)) for small, large, ratio in values.get("order", ())),
        positive=values.get("positive", False),
        note=values.get("note", ""),
        **lists,
    )


def _variable(values: Mapping[str, Any]) -> CatalogueVariable:
    return CatalogueVariable(
        **{**values, "role": tuple(values["role"]), "hints": tuple(values.get("hints", ()))},
    )
