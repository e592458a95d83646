"""Variables as the command line names them: ``N``, ``N:scale``, ``logC:scale:log``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from sldagent.errors import ConfigError
from sldagent.tasks.guess import guess_role, proportions
from sldagent.tasks.roles import LOG_BASES, symbol_for
from sldagent.tasks.table import Table, suggest
from sldagent.tasks.task import Role, Variable


def variables_from_text(
    entries: Iterable[str], table: Table, known: Sequence[Variable] = ()
) -> tuple[Variable, ...]:
    """Variables from entries such as ``N``, ``N:scale``, ``lr:setting`` and ``logC:scale:log`` (``log10``,
    ``log2``, ``ln``).

    A column that `known` declares keeps that declaration except for what the entry says.  Raises ConfigError
    for an unknown role and TableError for an unknown column.
    """
    out: list[Variable] = []
    by_name = {k: v for v in known for k in (v.name, v.symbol)}
    parsed = [_split_entry(e.strip(), table, by_name) for e in entries if e.strip()]
    columns = [by_name[c].name if c in by_name else c for c, _ in parsed]
    for column in columns:
        table.column(column)
        if columns.count(column) > 1:
            raise ConfigError(f"--variables names '{column}' twice; name each column once")
    shares = set(proportions(table, columns))
    for column, words in parsed:
        base = by_name.get(column)
        if base is None:
            role, log, log_base = guess_role(column, table, shares)
            base = Variable(column, symbol_for(column, [v.symbol for v in out]), role, log, log_base)
        for word in words:
            if word in LOG_BASES:
                base = replace(base, log=True, log_base=LOG_BASES[word])
            elif base.role != word:
                base = replace(base, role=_as_role(word))
                if word == "proportion":
                    base = replace(base, log=False)
        out.append(base)
    return tuple(out)


def _split_entry(entry: str, table: Table, known: Mapping[str, Variable]) -> tuple[str, list[str]]:
    """Column and the words after it; a column's own name may hold colons."""
    pieces = entry.split(":")
    for k in range(len(pieces), 0, -1):
        column = ":".join(pieces[:k])
        if column in table.columns or column in known:
            words = [w.strip().lower() for w in pieces[k:]]
            for word in words:
                if word not in LOG_BASES:
                    _as_role(word)
            return column, words
    return pieces[0], []


def _as_role(word: str) -> Role:
    if word == "scale":
        return "scale"
    if word == "setting":
        return "setting"
    if word == "proportion":
        return "proportion"
    known = ("scale", "setting", "proportion", *LOG_BASES)
    raise ConfigError(f"--variables: unknown role '{word}'; {suggest(word, known)}")
