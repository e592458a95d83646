"""Names that a prompt shows: the table's own, or x1, x2, ..., y1 in their place to tell knowledge from discovery.

The same names stand in numbers, formulas and program text; `Names.reveal` undoes them in an answer.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sldagent.laws.expr import Expr, transform
from sldagent.laws.inspect import fresh_parameter_names, law_names
from sldagent.laws.program import Law, Program
from sldagent.tasks.task import Task


@dataclass(frozen=True)
class Names:
    """How columns are called in a prompt."""

    symbols: Mapping[str, str]
    """Variable or vector of the task -> name shown; every one is listed."""
    vectors: tuple[str, ...]
    """Vectors among them, by the task's names."""
    targets: tuple[str, ...]
    """Names shown, in order."""
    groups: tuple[str, ...]
    blind: bool = False
    """Units, descriptions and titles are left out too."""
    words: Mapping[str, str] = field(default_factory=dict)
    """Every name of the table -> name shown, for messages."""

    def symbol(self, name: str) -> str:
        """The shown name of a symbol; directions such as ``joint`` stay."""
        return self.symbols.get(name, name)

    @property
    def shown(self) -> tuple[str, ...]:
        """Symbols as an answer may use them, vectors included."""
        return tuple(self.symbols.values())

    @property
    def shown_vectors(self) -> tuple[str, ...]:
        return tuple(self.symbols[v] for v in self.vectors)

    def text(self, message: str) -> str:
        """A message with the table's names replaced as whole words."""
        return _words(message, self.words) if self.blind else message

    def program(self, program: Program) -> Program:
        """The program over the shown names."""
        return _renamed(program, self.symbols) if self.blind else program

    def reveal(self, program: Program) -> Program:
        """A program over the shown names as one over the task's."""
        return _renamed(program, {shown: own for own, shown in self.symbols.items()}) if self.blind else program

    def reveal_text(self, phrase: str) -> str:
        """A phrase of an answer with the task's names in place of those shown."""
        return _words(phrase, {shown: own for own, shown in self.words.items()}) if self.blind else phrase


def plain_names(task: Task) -> Names:
    """The table's own names."""
    symbols = {s: s for s in (*task.symbols, *task.vectors)}
    return Names(symbols, tuple(task.vectors), tuple(t.name for t in task.targets), task.groups)


def blind_names(task: Task) -> Names:
    """x1, x2, ... for variables, v1, ... for vectors of them, y1, ... for targets, g1, ... for groups."""
    symbols = {s: f"x{k}" for k, s in enumerate(task.symbols, 1)}
    symbols |= {s: f"v{k}" for k, s in enumerate(task.vectors, 1)}
    targets = tuple(f"y{k}" for k in range(1, len(task.targets) + 1))
    groups = tuple(f"g{k}" for k in range(1, len(task.groups) + 1))
    words = dict(zip(task.groups, groups, strict=True)) if len(task.groups) > 1 else {}
    words |= dict(zip((t.name for t in task.targets), targets, strict=True))
    words |= {v.name: symbols[v.symbol] for v in task.variables} | symbols
    return Names(symbols, tuple(task.vectors), targets, groups, True, words)


def _words(text: str, words: Mapping[str, str]) -> str:
    if not words:
        return text
    longest_first = sorted(words, key=lambda w: (-len(w), w))
    pattern = r"(?<![A-Za-z0-9_])(?:" + "|".join(map(re.escape, longest_first)) + r")(?![A-Za-z0-9_])"
    return re.sub(pattern, lambda m: words[m[0]], text)


def _renamed(program: Program, mapping: Mapping[str, str]) -> Program:
    """Every name of the program through `mapping`; names that would collide with a new one get a fresh one."""
    own = law_names(program.law)
    code = program.custom_fit
    used = own | (frozenset() if code is None else _identifiers(code))
    names = {n: new for n, new in mapping.items() if n != new}
    taken = {*used, *mapping, *mapping.values()}
    for name in sorted(used - set(mapping)):
        if name in mapping.values():
            names[name] = next(n for n in fresh_parameter_names(taken, f"{name}_") if n not in taken)
            taken.add(names[name])
    law = _renamed_law(program.law, names)
    text = None if code is None else _renamed_code(code, names)
    return Program(law, program.recipe.renamed(names), text)


def _renamed_law(law: Law, names: Mapping[str, str]) -> Law:
    """All kinds of names at once; within a law they are distinct, so one mapping serves them all."""

    def swap(e: Expr) -> Expr:
        name, over = names.get(e.name, e.name), names.get(e.over, e.over)
        index = tuple(names.get(k, k) for k in e.index)
        return e if (name, over, index) == (e.name, e.over, e.index) else replace(e, name=name, over=over, index=index)

    return Law(
        variables=tuple(names.get(v, v) for v in law.variables),
        expr=transform(law.expr, swap),
        parameters=tuple(replace(p, name=names.get(p.name, p.name)) for p in law.parameters),
        vectors=tuple((names.get(n, n), tuple(transform(e, swap) for e in elements)) for n, elements in law.vectors),
    )


def _tokens(code: str) -> list[tokenize.TokenInfo]:
    try:
        return list(tokenize.generate_tokens(io.StringIO(code).readline))
    except (tokenize.TokenError, SyntaxError):
        return []


def _identifiers(code: str) -> frozenset[str]:
    return frozenset(t.string for t in _tokens(code) if t.type == tokenize.NAME)


def _renamed_code(code: str, names: Mapping[str, str]) -> str:
    """Names, strings and comments of fitting code; attributes and keywords of calls keep theirs."""
    lines = code.split("\n")
    tokens = _tokens(code)
    edits: list[tuple[int, int, int, str]] = []
    depth, before = 0, ""
    for k, token in enumerate(tokens):
        after = tokens[k + 1].string if k + 1 < len(tokens) else ""
        if token.type == tokenize.OP:
            depth += (token.string in "([{") - (token.string in ")]}")
        new = token.string
        if token.type == tokenize.NAME and before != "." and not (depth and after == "="):
            new = names.get(token.string, token.string)
        elif token.type in (tokenize.STRING, tokenize.COMMENT):
            new = _words(token.string, names)
        if new != token.string and token.start[0] == token.end[0]:
            edits.append((token.start[0] - 1, token.start[1], token.end[1], new))
        before = token.string
    for row, start, end, new in reversed(edits):
        lines[row] = lines[row][:start] + new + lines[row][end:]
    return "\n".join(lines)
