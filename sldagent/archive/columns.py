"""Column types that behave the same on SQLite and PostgreSQL."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from sldagent.errors import ArchiveError

_FLOAT_KEY = "$float"


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in time, stored in UTC and always read back with its time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class PortableJSON(TypeDecorator[Any]):
    """JSON in which infinities and NaN survive: they are written as ``{"$float": "inf"}``, since JSON has no
    word for them."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return to_json(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return from_json(value)


def to_json(value: Any, where: str = "value") -> Any:
    """The same content as plain dicts, lists, strings and finite numbers.

    Mappings, tuples, sets (sorted) and numpy scalars or arrays are accepted.  Raises ArchiveError naming the
    key for anything else.
    """
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        number = float(value)
        return number if math.isfinite(number) else {_FLOAT_KEY: repr(number)}
    if isinstance(value, Mapping):
        return {str(key): to_json(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item, f"{where}[{n}]") for n, item in enumerate(value)]
    if isinstance(value, (set, frozenset)):
        return [to_json(item, where) for item in sorted(value, key=str)]
    if hasattr(value, "tolist"):
        return to_json(value.tolist(), where)
    raise ArchiveError(f"{where} holds a {type(value).__name__}, which the archive cannot store as JSON")


def from_json(value: Any) -> Any:
    """Inverse of `to_json`, up to tuples and sets having become lists."""
    if isinstance(value, dict):
        if len(value) == 1 and _FLOAT_KEY in value:
            return float(value[_FLOAT_KEY])
        return {key: from_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [from_json(item) for item in value]
    return value
