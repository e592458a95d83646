"""Python's own functions and the methods of arrays and lists, as far as laws use them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sldagent.foreign import symbols, words
from sldagent.foreign.symbols import MAX_ELEMENTS, Symbol, Untranslatable, value_of
from sldagent.foreign.words import as_array, elementwise

_METHODS = frozenset(
    {
        "sum", "prod", "mean", "max", "min", "any", "all", "ravel", "squeeze", "copy", "dot", "clip", "transpose", "repeat",
    }
)  # fmt: skip
"""Methods of arrays that are numpy's functions of the same name."""


def method(holder: Any, name: str) -> Callable[..., Any]:
    """A method of an array or list."""
    if isinstance(holder, list) and name in ("append", "extend"):
        return lambda part: extended(holder, [part] if name == "append" else list(part))
    if isinstance(holder, (list, tuple)):
        raise Untranslatable(f"uses the method {name}")
    if name in _METHODS:
        word = words.NUMPY[name]
        return lambda *more, **names: word(holder, *more, **names)
    if name == "flatten":
        return lambda *more: as_array(holder).ravel().copy()
    if name == "astype":
        return lambda *more, **names: words.NUMPY["array"](holder, *more)
    if name in ("item", "tolist"):
        return lambda *more: as_array(holder).tolist()
    if name == "reshape":
        return lambda *shape, **names: as_array(holder).reshape(*shape)
    raise Untranslatable(f"uses the method {name}")


def extended(holder: list[Any], more: list[Any]) -> None:
    """`holder` with `more` at its end.  Raises `Untranslatable` where it grows too long."""
    if len(holder) + len(more) > MAX_ELEMENTS:
        raise Untranslatable("a list is too long to follow")
    holder.extend(more)


def _range(*bounds: Any) -> range:
    if any(isinstance(b, Symbol) for b in bounds):
        raise Untranslatable("a range depends on the data")
    found = range(*(int(value_of(b)) for b in bounds))
    words.check_shape((len(found),))
    return found


def _zip(*parts: Any, strict: bool = False) -> list[Any]:
    return list(zip(*(list(p) for p in parts), strict=False))


def _enumerate(part: Any, start: int = 0) -> list[Any]:
    return list(enumerate(list(part), start))


def _max(*parts: Any) -> Any:
    return words.NUMPY["max"](list(parts) if len(parts) > 1 else parts[0])


def _min(*parts: Any) -> Any:
    return words.NUMPY["min"](list(parts) if len(parts) > 1 else parts[0])


def _sum(part: Any, start: Any = 0) -> Any:
    total = start
    for element in part:
        total = elementwise(symbols.plus)(total, element)
    return total


BUILTINS: dict[str, Any] = {
    "range": _range, "len": lambda x: len(x), "zip": _zip, "enumerate": _enumerate, "max": _max, "min": _min, "sum": _sum,
    "abs": words.NUMPY["abs"], "pow": words.NUMPY["power"], "float": "float", "int": "int", "list": lambda x=(): list(x),
    "tuple": lambda x=(): tuple(x), "reversed": lambda x: list(x)[::-1], "bool": lambda x: bool(x),
    "any": words.NUMPY["any"], "all": words.NUMPY["all"], "print": lambda *a, **k: None,
}  # fmt: skip
