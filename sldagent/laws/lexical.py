"""Lexical checks on law text, and errors that know their position.

Everything here reads text only: `ast.parse` builds a tree and runs nothing.
"""

from __future__ import annotations

import ast
import io
import keyword
import tokenize
import warnings
from collections.abc import Collection
from difflib import get_close_matches

from sldagent.errors import LawError
from sldagent.laws.expr import FUNCTIONS, TARGET_INDEX

MAX_CHARACTERS = 20_000
"""Longest program text accepted."""
MAX_NODES = 2_000
"""Most nodes of a law's tree, intermediate names inlined."""
MAX_DEPTH = 100
"""Deepest nesting of a law's text or tree."""
MAX_LITERAL = 1e100
"""Largest magnitude of a number in a law."""

DERIVED = ("log10", "log2", "log1p", "expm1", "square", "power", "pow")
"""Function names that are expanded into the core operations while reading."""
PREFIXES = ("np", "numpy", "math", "jnp")
"""Module prefixes accepted before a function name."""
RESERVED = frozenset((*FUNCTIONS, *DERIVED, *PREFIXES, "sum", TARGET_INDEX))
"""Names that no variable, parameter, intermediate or bound index may have."""


class Source:
    """Program text with one newline convention, and positions in it."""

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise LawError(f"a law must be text, not {type(text).__name__}")
        if len(text) > MAX_CHARACTERS:
            raise LawError(f"the text has {len(text)} characters; at most {MAX_CHARACTERS} are allowed")
        self.text = text.replace("\r\n", "\n").replace("\r", "\n")
        self.lines = self.text.split("\n")

    def error(self, message: str, node: ast.AST | None = None) -> LawError:
        """A `LawError` at a node's position (or without one)."""
        line = getattr(node, "lineno", None)
        if line is None:
            return LawError(message)
        return LawError(message, line, self._column(line, getattr(node, "col_offset", 0)))

    def _column(self, line: int, byte_offset: int) -> int:
        text = self.lines[line - 1] if line <= len(self.lines) else ""
        return len(text.encode("utf-8", "replace")[:byte_offset].decode("utf-8", "ignore")) + 1

    def parse(self) -> ast.Module:
        """The syntax tree of the whole text.  Raises `LawError` for anything that is not Python."""
        self._check_characters()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return ast.parse(self.text)
        except SyntaxError as e:
            detail = (e.msg or "invalid syntax").strip()
            raise LawError(f"not valid Python: {detail}", e.lineno or 1, max(e.offset or 1, 1)) from None
        except (RecursionError, MemoryError):
            raise LawError(f"the text is nested too deeply (at most {MAX_DEPTH} levels)") from None
        except (ValueError, OverflowError) as e:
            raise LawError(f"not valid Python: {e}") from None

    def _check_characters(self) -> None:
        for number, line in enumerate(self.lines, 1):
            for column, character in enumerate(line, 1):
                if (character < " " and character not in "\t\f") or "\ud800" <= character <= "\udfff":
                    raise LawError(f"found the control character {character!r}; remove it", number, column)
        if not self.text.isascii():
            self._check_ascii_code()

    def _check_ascii_code(self) -> None:
        """Refuse non-ASCII characters outside comments and strings (look-alike letters, typographic
        operators).
        """
        try:
            for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
                if token.type not in (tokenize.COMMENT, tokenize.STRING) and not token.string.isascii():
                    line, column = token.start
                    raise LawError(
                        f"found {token.string!r}; only ASCII letters may be used in names and operators",
                        line,
                        column + 1,
                    )
        except (tokenize.TokenError, SyntaxError, RecursionError):
            return  # ast.parse reports it with a position


def check_name(source: Source, name: str, node: ast.AST | None, what: str) -> None:
    """Refuse names that could be mistaken for something else.  `what` says which role the name has."""
    if not name.isidentifier() or keyword.iskeyword(name) or not name.isascii():
        raise source.error(f"{what} {name!r} is not a plain ASCII name", node)
    if "__" in name:
        raise source.error(f"{what} {name!r} contains a double underscore; choose another name", node)
    if name == TARGET_INDEX:
        raise source.error(f"{what} cannot be named {name!r}: that is the target's index", node)
    if name in RESERVED:
        raise source.error(f"{what} {name!r} has the name of a function; choose another name", node)


def suggestion(name: str, known: Collection[str]) -> str:
    """``; did you mean 'x'?`` or an empty string."""
    close = get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def number(source: Source, node: ast.AST) -> float | None:
    """The value of a numeric literal, with an optional sign; None when `node` is something else."""
    sign = 1.0
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        sign = -1.0 if isinstance(node.op, ast.USub) else 1.0
        node = node.operand
    if not isinstance(node, ast.Constant) or isinstance(node.value, bool) or not isinstance(node.value, (int, float)):
        return None
    if abs(node.value) > MAX_LITERAL or node.value != node.value:
        raise source.error(f"the number is too large (at most {MAX_LITERAL:g})", node)
    return sign * float(node.value) + 0.0  # + 0.0 turns -0.0 into 0.0
