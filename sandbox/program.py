"""Running a program's text, and saying in a few words what went wrong with it.

Stand-alone: standard library and numpy.
"""

from __future__ import annotations

import builtins
import linecache
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

FILE = "<program>"


class Failed(Exception):
    """A failure with its kind: "syntax", "missing-function", "import", "error", "shape", "non-finite", "memory", "exit"."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


def load(code: str) -> dict[str, Any]:
    """Execute a program's text; gives its names.

    Raises:
        Failed: it does not compile, or executing it raised.
    """
    try:
        compiled = compile(code, FILE, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise Failed("syntax", f"{error.msg} (line {error.lineno})") from None
    except MemoryError:
        raise Failed("syntax", "the program is too large or too deeply nested to compile") from None
    except (ValueError, RecursionError, OverflowError) as error:
        raise Failed("syntax", f"{error}") from None
    linecache.cache[FILE] = (len(code), None, code.splitlines(keepends=True), FILE)
    names: dict[str, Any] = {"__name__": "program", "__builtins__": builtins, "__file__": FILE}
    guarded("executing the program", exec, compiled, names)
    return names


def function(names: dict[str, Any], name: str) -> Callable[..., Any]:
    """The program's function `name`.

    Raises:
        Failed: there is none.
    """
    found = names.get(name)
    if not callable(found):
        what = "has no function" if found is None else "does not define as a function the name"
        raise Failed("missing-function", f"the program {what} {name}")
    return found  # type: ignore[no-any-return]


def guarded(doing: str, call: Callable[..., Any], *arguments: Any) -> Any:
    """`call(*arguments)`; whatever it raises becomes a Failed that says where in the program."""
    try:
        return call(*arguments)
    except Failed:
        raise
    except MemoryError as error:
        raise Failed("memory", _explain(doing, error)) from None
    except ImportError as error:
        raise Failed("import", _explain(doing, error)) from None
    except SystemExit as error:
        raise Failed("exit", _explain(doing, error)) from None
    except OSError as error:
        kind = "import" if _importing(error) else "error"
        raise Failed(kind, _explain(doing, error)) from None
    except BaseException as error:
        raise Failed("error", _explain(doing, error)) from None


def _importing(error: BaseException) -> bool:
    """The error came from the import system: a module's file may not be opened in here."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and frames[-1].filename.startswith("<frozen importlib")


def _explain(doing: str, error: BaseException) -> str:
    """Type, text and place of an exception, with the line of the program at fault."""
    try:
        text = str(error)
    except Exception:
        text = "(its text cannot be had)"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == FILE]
    where = ""
    if frames:
        last = frames[-1]
        inside = "" if last.name == "<module>" else f" in {last.name}"
        where = f" (line {last.lineno}{inside}: {(last.line or '').strip()[:120]})"
    return f"{type(error).__name__}: {text[:1200]}{where}; while {doing}"


def numbers(value: Any, what: str, *, finite: bool = True) -> NDArray[np.float64]:
    """`value` as a float64 array.

    Raises:
        Failed: not numbers (kind "shape"), or not finite.
    """
    if value is None:
        raise Failed("shape", f"{what} is None")
    try:
        found = np.asarray(value)
        if found.dtype.kind == "O":
            found = np.asarray(value, dtype=np.float64)
    except MemoryError as error:
        raise Failed("memory", f"{what}: {error}") from None
    except Exception as error:
        raise Failed("shape", f"{what} is not an array of numbers: {error}") from None
    if found.dtype.kind not in "fiub":
        raise Failed("shape", f"{what} holds values of type {found.dtype}, not real numbers")
    array = found.astype(np.float64)
    if finite and not np.isfinite(array).all():
        raise Failed("non-finite", f"{what} holds values that are not finite")
    return array
