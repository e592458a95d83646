"""A lint of program source: what a reader should know before trusting a program's score.

Findings are shown; they are no security boundary (the jail is).  Nothing is executed: the text is parsed by `ast` alone.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Collection, Iterator
from dataclasses import dataclass

MAX_BYTES = 256 * 1024
"""Longest source that is read at all."""
MAX_LINES = 1500
MAX_LITERALS = 80
"""Numeric literals; a law with more has memorised something."""
MAX_STRING = 300
"""Characters of one string that is no docstring."""
MAX_SYNTAX = 20_000
"""Nodes of the syntax tree."""

PREDICT = "scaling_law_func"
FIT = "fit_scaling_law"
CUSTOM_FIT = "custom_fit"

ALLOWED_MODULES = frozenset(
    {
        "__future__", "collections", "dataclasses", "functools", "itertools", "jax", "jaxlib", "math", "numpy", "operator",
        "scipy", "sklearn", "statistics", "typing", "warnings",
    }
)  # fmt: skip
"""Imports that a fitting program may well need."""
FURTHER_MODULES = frozenset({"jax", "sklearn"})
"""Third-party modules that a jail may load beside numpy and scipy, which every jail has."""
CODE_CALLS = frozenset(
    {
        "eval", "exec", "compile", "__import__", "getattr", "setattr", "delattr", "globals", "locals", "vars", "open",
        "input", "breakpoint", "memoryview", "exit", "quit", "help",
    }
)  # fmt: skip
CLOCK_MODULES = frozenset({"time", "datetime"})
FILE_CALLS = frozenset({"load", "loadtxt", "genfromtxt", "fromfile", "memmap", "save", "savez", "savetxt", "tofile"})


@dataclass(frozen=True, order=True)
class Finding:
    """One remark about one line."""

    line: int
    rule: str
    """A short word for the rule: import, call, attribute, random, clock, literals, string, size, file."""
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.message}"


@dataclass(frozen=True)
class Lint:
    """What the lint says of one source text."""

    findings: tuple[Finding, ...] = ()
    modules: frozenset[str] = frozenset()
    """Those of `FURTHER_MODULES` that it imports: the jail must load them beforehand."""
    refusal: str = ""
    """Why the source cannot be run at all, one sentence; '' where it can."""
    tree: ast.Module | None = None

    @property
    def clean(self) -> bool:
        return not self.findings and not self.refusal


def lint_program(source: str | bytes) -> Lint:
    """Lint a program file: it must define `scaling_law_func` and `fit_scaling_law`."""
    return _lint(source, {FIT: 2, PREDICT: 2})


def lint_custom_fit(source: str | bytes) -> Lint:
    """Lint the text of ``def custom_fit(rows, targets, law)``."""
    return _lint(source, {CUSTOM_FIT: 3})


def parse_source(source: str | bytes) -> tuple[str, ast.Module | None, str]:
    """(text, syntax tree, refusal): exactly one of tree and refusal is given."""
    size = len(source)
    if size > MAX_BYTES or (isinstance(source, str) and len(source.encode("utf-8", "replace")) > MAX_BYTES):
        return "", None, f"the source has {size / 1e6:.1f} MB; at most {MAX_BYTES // 1024} kB are read"
    if isinstance(source, bytes):
        try:
            text = source.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            before = source[: error.start]
            return "", None, f"line {before.count(10) + 1}: the source is not UTF-8 text"
        source = text
    source = source.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in source:
        return "", None, "the source holds a null character"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return source, ast.parse(source), ""
    except SyntaxError as error:
        return source, None, f"line {error.lineno or 1}: not valid Python: {error.msg or 'invalid syntax'}"
    except (RecursionError, MemoryError):
        return source, None, "the source is nested too deeply"
    except (ValueError, OverflowError) as error:
        return source, None, f"not valid Python: {error}"


def _lint(source: str | bytes, wanted: dict[str, int]) -> Lint:
    text, tree, refusal = parse_source(source)
    if tree is None:
        return Lint(refusal=refusal)
    try:
        nodes = list(_walk(tree))
    except RecursionError:
        return Lint(refusal="the source is nested too deeply")
    if len(nodes) > MAX_SYNTAX:
        return Lint(refusal=f"the source has more than {MAX_SYNTAX} syntax nodes")
    missing = _missing(tree, wanted)
    findings = sorted({*_findings(tree, nodes), *_sizes(text, nodes)})
    return Lint(tuple(findings), _further(nodes), missing, tree)


def _walk(tree: ast.Module) -> Iterator[ast.AST]:
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(ast.iter_child_nodes(node))


def _missing(tree: ast.Module, wanted: dict[str, int]) -> str:
    """Why a wanted function cannot be called, or ''."""
    defined = {s.name: s for s in tree.body if isinstance(s, ast.FunctionDef)}
    bound = {
        t.id for s in tree.body if isinstance(s, ast.Assign) for t in s.targets if isinstance(t, ast.Name)
    } | {a.asname or a.name for s in tree.body if isinstance(s, ast.ImportFrom) for a in s.names}
    for name, count in sorted(wanted.items(), reverse=True):
        function = defined.get(name)
        if function is None:
            if name in bound:
                continue
            return f"the program does not define {name}"
        a = function.args
        positional = len(a.posonlyargs) + len(a.args)
        if positional - len(a.defaults) > count or (positional < count and a.vararg is None):
            return f"line {function.lineno}: {name} must take {count} arguments, not {positional}"
        if any(default is None for default in a.kw_defaults):
            return f"line {function.lineno}: {name} has a keyword argument without a default"
    return ""


def _imports(node: ast.AST) -> list[str]:
    """Top-level module names that a statement imports; '' for a relative import."""
    if isinstance(node, ast.Import):
        return [alias.name.split(".")[0] for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return ["" if node.level else (node.module or "").split(".")[0]]
    return []


def _further(nodes: Collection[ast.AST]) -> frozenset[str]:
    return frozenset(name for node in nodes for name in _imports(node)) & FURTHER_MODULES


def _findings(tree: ast.Module, nodes: Collection[ast.AST]) -> Iterator[Finding]:
    for node in nodes:
        line = getattr(node, "lineno", 1)
        for name in _imports(node):
            if name in CLOCK_MODULES:
                yield Finding(line, "clock", f"imports {name}: a law has no clock")
            elif name == "random":
                yield Finding(line, "random", "imports random: fits repeat only with a seeded numpy generator")
            elif name not in ALLOWED_MODULES:
                yield Finding(line, "import", f"imports {name or 'a file beside it'}, which fitting a law does not need")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CODE_CALLS:
            yield Finding(line, "call", f"calls {node.func.id}()")
        elif isinstance(node, ast.Name) and node.id in CODE_CALLS and node.id not in ("input", "help", "open"):
            yield Finding(line, "call", f"names {node.id}")
        if isinstance(node, ast.Attribute):
            yield from _attribute(node, line)
        if isinstance(node, ast.Name) and node.id.startswith("__") and node.id not in ("__name__", "__import__"):
            yield Finding(line, "attribute", f"names {node.id}")
        if isinstance(node, (ast.Global, ast.Nonlocal)):
            names = ", ".join(node.names)
            yield Finding(line, "state", f"{type(node).__name__.lower()} {names}: state between calls is lost")
    yield from _random_predictions(tree)


def _attribute(node: ast.Attribute, line: int) -> Iterator[Finding]:
    name = node.attr
    if name.startswith("__") and name.endswith("__"):
        yield Finding(line, "attribute", f"uses the attribute {name}")
    elif name in FILE_CALLS and isinstance(node.value, ast.Name) and node.value.id in ("np", "numpy", "jnp"):
        yield Finding(line, "file", f"calls {node.value.id}.{name}(): a program sees no files")
    elif name == "ctypeslib" or (isinstance(node.value, ast.Name) and node.value.id == "ctypes"):
        yield Finding(line, "attribute", "reaches for native code")


def _random_predictions(tree: ast.Module) -> Iterator[Finding]:
    """Random generators in the prediction or in a function that it calls."""
    functions = {s.name: s for s in tree.body if isinstance(s, ast.FunctionDef)}
    reached, queue = set[str](), [PREDICT]
    while queue:
        name = queue.pop()
        if name in reached or name not in functions:
            continue
        reached.add(name)
        for node in ast.walk(functions[name]):
            if isinstance(node, ast.Name):
                queue.append(node.id)
            if (isinstance(node, ast.Attribute) and node.attr in ("random", "default_rng", "RandomState")) or (
                isinstance(node, ast.Name) and node.id in ("random", "default_rng", "RandomState")
            ):
                yield Finding(node.lineno, "random", "draws random numbers in a prediction")


def _sizes(text: str, nodes: Collection[ast.AST]) -> Iterator[Finding]:
    lines = text.count("\n") + 1
    if lines > MAX_LINES:
        yield Finding(1, "size", f"has {lines} lines, more than {MAX_LINES}")
    numbers = [n for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, (int, float, complex))]
    literals = [n for n in numbers if not isinstance(n.value, bool)]
    if len(literals) > MAX_LITERALS:
        first = min(literals, key=lambda n: n.lineno)
        said = f"holds {len(literals)} numbers, more than {MAX_LITERALS}: a memorised table?"
        yield Finding(first.lineno, "literals", said)
    docs = {id(s.value) for n in nodes if isinstance(n, _DOCUMENTED) for s in n.body if isinstance(s, ast.Expr)}
    for node in nodes:
        if not isinstance(node, ast.Constant) or not isinstance(node.value, (str, bytes)) or id(node) in docs:
            continue
        if len(node.value) > MAX_STRING:
            yield Finding(node.lineno, "string", f"holds a text of {len(node.value)} characters: hidden data?")
    digits = [n for n in literals if isinstance(n.value, int) and abs(n.value) > 10**30]
    for node in digits:
        yield Finding(node.lineno, "literals", "holds a whole number of more than 30 digits: hidden data?")


_DOCUMENTED = (ast.Module, ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)
