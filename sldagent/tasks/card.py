"""Task cards: TOML files that give a table its roles; an unknown key is an error with a suggestion."""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from sldagent.errors import CardError
from sldagent.tasks.roles import Roles, symbol_for
from sldagent.tasks.task import Direction, Noise, Role, Target, Variable

TOP = (
    "name",
    "title",
    "table",
    "description",
    "group",
    "split",
    "run",
    "ignore",
    "noise",
    "max_parameters",
    "at",
    "human",
    "variables",
    "targets",
    "vectors",
)
VARIABLE = ("role", "log", "log_base", "unit", "description", "column")
TARGET = ("range", "unit", "description", "monotone", "limit")
ROLES: tuple[Role, ...] = ("scale", "setting", "proportion")


class _Reader:
    """Typed access to the card's values; every message names the file and the key."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fail(self, key: str, message: str) -> CardError:
        return CardError(f"{self.path}: key '{key}' {message}")

    def known(self, values: Mapping[str, Any], allowed: Collection[str], where: str) -> None:
        for key in values:
            if key not in allowed:
                close = difflib.get_close_matches(key, allowed, n=1, cutoff=0.5)
                hint = f"did you mean '{close[0]}'?" if close else f"known keys: {', '.join(allowed)}"
                raise CardError(f"{self.path}: unknown key '{where}{key}'; {hint}")

    def text(self, values: Mapping[str, Any], key: str, where: str = "") -> str:
        value = values.get(key, "")
        if not isinstance(value, str):
            raise self.fail(where + key, f"must be a text, not {value!r}")
        return value

    def table(self, values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        value = values.get(key, {})
        if not isinstance(value, dict):
            raise self.fail(key, "must be a table of its own, such as " + f"[{key}.NAME]")
        return value

    def texts(self, values: Mapping[str, Any], key: str, where: str = "") -> tuple[str, ...]:
        value = values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise self.fail(where + key, f"must be a list of texts, not {value!r}")
        return tuple(value)

    def flag(self, values: Mapping[str, Any], key: str, where: str) -> bool:
        value = values.get(key, False)
        if not isinstance(value, bool):
            raise self.fail(where + key, f"must be true or false, not {value!r}")
        return value

    def interval(self, value: Any, key: str) -> tuple[float, float]:
        if not isinstance(value, list) or len(value) != 2 or not all(_is_number(v) for v in value):
            raise self.fail(key, f"must be two numbers such as [0.0, inf], not {value!r}")
        low, high = float(value[0]), float(value[1])
        if not low < high:
            raise self.fail(key, f"must have its lower end first, not {value!r}")
        return low, high


def read_card(path: Path) -> tuple[Roles, Path]:
    """Roles and the table's path.  Raises CardError naming the file and the key at fault."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise CardError(f"{path}: no such card") from error
    except (OSError, UnicodeDecodeError) as error:
        raise CardError(f"{path} cannot be read as a card: {error}") from error
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CardError(f"{path} is not a valid TOML card: {error}") from error
    return parse_card(values, path)


def parse_card(values: Mapping[str, Any], path: Path) -> tuple[Roles, Path]:
    """As `read_card`, from parsed TOML; `path` resolves relative files and names the card in messages."""
    read = _Reader(path)
    read.known(values, TOP, "")
    table = read.text(values, "table")
    if not table:
        raise CardError(f"{path}: key 'table' is missing; name the table's file, relative to the card")
    variables = _variables(read, read.table(values, "variables"))
    symbols = [v.symbol for v in variables]
    targets, ranged = _targets(read, read.table(values, "targets"), symbols)
    at = read.text(values, "at")
    roles = Roles(
        name=read.text(values, "name") or path.stem,
        title=read.text(values, "title"),
        description=" ".join(read.text(values, "description").split()),
        variables=variables or None,
        targets=targets or None,
        ranged=ranged,
        group=read.text(values, "group") if "group" in values else None,
        split=read.text(values, "split") if "split" in values else None,
        run=read.text(values, "run") or None,
        ignore=read.texts(values, "ignore"),
        noise=_noise(read, values.get("noise", "constant")),
        max_parameters=_count(read, values, "max_parameters"),
        vectors=_vectors(read, read.table(values, "vectors"), variables) if "vectors" in values else None,
        at=path.parent / at if at else None,
        human=read.text(values, "human"),
    )
    return roles, path.parent / table


def _variables(read: _Reader, entries: Mapping[str, Any]) -> tuple[Variable, ...]:
    out: list[Variable] = []
    for key, entry in entries.items():
        where = f"variables.{key}."
        if not isinstance(entry, dict):
            raise read.fail(f"variables.{key}", 'must be a table such as {role = "scale"}')
        read.known(entry, VARIABLE, where)
        role = next((r for r in ROLES if r == entry.get("role")), None)
        if role is None:
            raise read.fail(where + "role", f"must be one of {', '.join(ROLES)}, not {entry.get('role')!r}")
        base = entry.get("log_base", 10.0)
        if not _is_number(base) or not float(base) > 1:
            raise read.fail(where + "log_base", f"must be a number above 1, not {base!r}")
        log = read.flag(entry, "log", where)
        if log and role == "proportion":
            raise read.fail(where + "log", "cannot be true for a proportion")
        out.append(
            Variable(
                name=read.text(entry, "column", where) or key,
                symbol=symbol_for(key, [v.symbol for v in out]),
                role=role,
                log=log,
                log_base=float(base) if log else math.e,
                unit=read.text(entry, "unit", where),
                description=read.text(entry, "description", where),
            )
        )
    return tuple(out)


def _targets(
    read: _Reader, entries: Mapping[str, Any], symbols: Collection[str]
) -> tuple[tuple[Target, ...], frozenset[str]]:
    out: list[Target] = []
    ranged: set[str] = set()
    for key, entry in entries.items():
        where = f"targets.{key}."
        if not isinstance(entry, dict):
            raise read.fail(f"targets.{key}", "must be a table such as {range = [0.0, inf]}")
        read.known(entry, TARGET, where)
        span = (-math.inf, math.inf)
        if "range" in entry:
            span = read.interval(entry["range"], where + "range")
            ranged.add(key)
        out.append(
            Target(
                name=key,
                range=span,
                unit=read.text(entry, "unit", where),
                description=read.text(entry, "description", where),
                monotone=_monotone(read, entry.get("monotone", {}), where, symbols),
                limit=read.interval(entry["limit"], where + "limit") if "limit" in entry else None,
            )
        )
    return tuple(out), frozenset(ranged)


def _monotone(read: _Reader, value: Any, where: str, symbols: Collection[str]) -> dict[str, Direction]:
    if not isinstance(value, dict):
        raise read.fail(where + "monotone", 'must be a table such as {N = "decreasing"}')
    out: dict[str, Direction] = {}
    for symbol, direction in value.items():
        if symbol not in symbols:
            raise read.fail(
                where + f"monotone.{symbol}", f"names no variable of the card ({', '.join(symbols)})"
            )
        if direction == "decreasing":
            out[symbol] = "decreasing"
        elif direction == "increasing":
            out[symbol] = "increasing"
        else:
            raise read.fail(
                where + f"monotone.{symbol}", f"must be 'decreasing' or 'increasing', not {direction!r}"
            )
    return out


def _noise(read: _Reader, value: Any) -> Noise:
    if value == "constant":
        return Noise("constant")
    if value == "proportional":
        return Noise("proportional")
    if isinstance(value, dict):
        read.known(value, ("column",), "noise.")
        column = read.text(value, "column", "noise.")
        if column:
            return Noise("column", column)
    raise read.fail("noise", f'must be "constant", "proportional" or {{column = "se"}}, not {value!r}')


def _vectors(
    read: _Reader, entries: Mapping[str, Any], variables: Collection[Variable]
) -> dict[str, tuple[str, ...]]:
    roles = {v.symbol: v.role for v in variables}
    out: dict[str, tuple[str, ...]] = {}
    for name in entries:
        members = read.texts(entries, name, "vectors.")
        if name in roles or not name.isidentifier():
            raise read.fail(f"vectors.{name}", "must be an identifier that is no variable's symbol")
        for symbol in members:
            if roles.get(symbol) != "proportion":
                raise read.fail(
                    f"vectors.{name}", f"names '{symbol}', which is no proportion variable of the card"
                )
        if len(members) < 2:
            raise read.fail(f"vectors.{name}", "needs at least two proportions")
        out[name] = members
    return out


def _count(read: _Reader, values: Mapping[str, Any], key: str) -> int | None:
    value = values.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise read.fail(key, f"must be a whole number of at least 1, not {value!r}")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
