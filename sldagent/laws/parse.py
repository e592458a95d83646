"""Read programs and bare formulas from text.  Nothing is ever evaluated or executed.

A program is one Python text: ``def law(...)`` (assignments, then one ``return``), optionally ``parameters =
{...}``, ``recipe = fit(...)`` and ``def custom_fit(...)``, whose source is kept as text.  Docstrings and
comments are ignored.
"""

from __future__ import annotations

import ast
from collections.abc import Collection
from pathlib import Path

from sldagent.errors import LawError
from sldagent.laws.declarations import read_parameters, read_recipe
from sldagent.laws.expr import Expr
from sldagent.laws.expressions import Converter, Role
from sldagent.laws.inspect import expressions, tree_depth
from sldagent.laws.lexical import MAX_DEPTH, Source, check_name, suggestion
from sldagent.laws.program import Law, Parameter, Program, Recipe

_PARTS = "a program holds def law(...), parameters = {...}, recipe = fit(...) and def custom_fit(...)"


def parse_formula(text: str, variables: Collection[str], vectors: Collection[str] = ()) -> Law:
    """A law from a bare expression such as ``"E + A*N**-a"``.

    Names in neither `variables` nor `vectors` (the task's groups of variables) are real parameters, in
    order of appearance.  Raises `LawError` with line and column.
    """
    source = Source(text.strip() if isinstance(text, str) else text)
    body = source.parse().body
    if len(body) != 1 or not isinstance(body[0], ast.Expr):
        raise source.error("a formula is one expression, such as E + A*N**-a", body[0] if body else None)
    roles: dict[str, Role] = dict.fromkeys((*variables, *vectors), "variable")
    converter = Converter(source, roles, vectors, open_names=True)
    expr = converter.convert(body[0].value)
    for name, node in converter.index_names.items():
        if name in roles:
            raise source.error(f"the index {name!r} is already a name of this law; choose another", node)
    used = list(converter.used)
    law = Law(
        variables=tuple(v for v in dict.fromkeys((*variables, *vectors)) if v in converter.used),
        expr=expr,
        parameters=tuple(Parameter(name) for name in used if roles[name] == "parameter"),
    )
    _check_depth(law)
    return law


def parse_program(text: str, *, variables: Collection[str] | None = None, vectors: Collection[str] | None = None) -> Program:
    """A program from its text.

    `variables` are the known symbols (scalars and vectors of the task): an argument of ``law`` that is
    neither one of them nor declared in ``parameters`` becomes a real parameter.  With None, such an
    argument is a variable. `vectors` says which variables are vectors; None: those that are indexed or
    summed over.  Variables that the law does not use are dropped; parameters that it does not use are an
    error.  Raises `LawError` with line and column.
    """
    source = Source(text)
    parts = _split(source, source.parse())
    function = parts.get("law")
    if not isinstance(function, ast.FunctionDef):
        raise source.error("the program has no law; write def law(...): return ...")
    declared = read_parameters(source, parts["parameters"]) if "parameters" in parts else {}
    roles = _arguments(source, function, declared, variables)
    law = _law(source, function, roles, declared, vectors)
    recipe = read_recipe(source, parts["recipe"], law.parameters) if "recipe" in parts else Recipe()
    custom = parts.get("custom_fit")
    if isinstance(custom, ast.FunctionDef):
        _check_custom_fit(source, custom)
    return Program(law, recipe, None if custom is None else _lines(source, custom))


def parse_file(path: Path, *, variables: Collection[str]) -> Program:
    """The program in a text file, as `parse_program` reads it.  Raises `LawError`, which names the file."""
    if not path.is_file():
        raise LawError(f"{path}: no such program file")
    try:
        return parse_program(path.read_text(encoding="utf-8-sig"), variables=variables)
    except UnicodeDecodeError:
        raise LawError(f"{path}: the program is not UTF-8 text") from None
    except LawError as error:
        named = LawError(f"{path}: {error}")
        named.line, named.column = error.line, error.column
        raise named from None


def _check_custom_fit(source: Source, function: ast.FunctionDef) -> None:
    """It is kept as text and runs in the jail only; all that is asked of it here is that it can be called."""
    a = function.args
    if len(a.posonlyargs) + len(a.args) != 3 or a.vararg or a.kwarg or a.kwonlyargs:
        raise source.error("custom_fit takes the three arguments rows, targets and law", function)


def _split(source: Source, module: ast.Module) -> dict[str, ast.AST]:
    """The program's parts by name: the two functions, and the values assigned to the two names."""
    parts: dict[str, ast.AST] = {}
    for position, statement in enumerate(module.body):
        if _is_docstring(statement) and position == 0:
            continue
        name = ""
        part: ast.AST | None = None
        if isinstance(statement, ast.FunctionDef) and statement.name in ("law", "custom_fit"):
            if statement.decorator_list:
                raise source.error(f"{statement.name} takes no decorators", statement.decorator_list[0])
            name, part = statement.name, statement
        elif (
            isinstance(statement, ast.Assign)
            and len(statement.targets) == 1
            and isinstance(statement.targets[0], ast.Name)
            and statement.targets[0].id in ("parameters", "recipe")
        ):
            name, part = statement.targets[0].id, statement.value
        if part is None:
            raise source.error(f"found {_describe(statement)}; {_PARTS}, and nothing else", statement)
        if name in parts:
            raise source.error(f"{name!r} appears twice", statement)
        parts[name] = part
    return parts


def _arguments(
    source: Source,
    function: ast.FunctionDef,
    declared: dict[str, Parameter],
    variables: Collection[str] | None,
) -> dict[str, Role]:
    a = function.args
    if a.vararg or a.kwarg or a.kwonlyargs or a.posonlyargs or a.defaults:
        raise source.error("law takes plain arguments only: no defaults, no * and no /", function)
    if function.returns is not None or getattr(function, "type_params", None):
        raise source.error("law takes no annotations", function)
    roles: dict[str, Role] = {}
    for argument in a.args:
        name = argument.arg
        if argument.annotation is not None:
            raise source.error("law takes no annotations", argument)
        if name in roles:
            raise source.error(f"argument {name!r} appears twice", argument)
        check_name(source, name, argument, "argument")
        if variables is not None and name in variables and name in declared:
            raise source.error(f"parameter {name!r} has the name of a variable; choose another name", argument)
        is_variable = name not in declared and (variables is None or name in variables)
        roles[name] = "variable" if is_variable else "parameter"
    for name in declared:
        if name not in roles:
            raise source.error(
                f"parameter {name!r} is declared but is not an argument of law{suggestion(name, list(roles))}",
                function,
            )
    return roles


def _law(
    source: Source,
    function: ast.FunctionDef,
    roles: dict[str, Role],
    declared: dict[str, Parameter],
    vectors: Collection[str] | None,
) -> Law:
    converter = Converter(source, roles, vectors)
    body = function.body[1:] if _is_docstring(function.body[0]) else function.body
    if not body or not isinstance(body[-1], ast.Return) or body[-1].value is None:
        raise source.error("law must end with return and one expression", body[-1] if body else function)
    for statement in body[:-1]:
        _assignment(source, statement, converter)
    expr = converter.convert(body[-1].value)
    used = _used(expr, converter)
    for argument in function.args.args:
        if roles[argument.arg] == "parameter" and argument.arg not in used:
            raise source.error(f"the law does not use parameter {argument.arg!r}; remove it", argument)
    law = Law(
        variables=tuple(n for n, role in roles.items() if role == "variable" and n in used),
        expr=expr,
        parameters=tuple(declared.get(n, Parameter(n)) for n, role in roles.items() if role == "parameter"),
        vectors=tuple((n, elements) for n, elements in converter.vectors.items() if n in used),
    )
    _check_depth(law)
    return law


def _used(expr: Expr, converter: Converter) -> frozenset[str]:
    """Names that the value of the law depends on (names of unused intermediates do not count)."""
    used: set[str] = set()
    stack = [expr]
    while stack:
        e = stack.pop()
        found = e.over if e.op == "sum" else e.name
        if found and found not in used:
            used.add(found)
            stack.extend(converter.vectors.get(found, ()))
        stack.extend(e.args)
    return frozenset(used)


def _assignment(source: Source, statement: ast.stmt, converter: Converter) -> None:
    """``name = expression`` or ``name = [expression, ...]``."""
    if (
        not isinstance(statement, ast.Assign)
        or len(statement.targets) != 1
        or not isinstance(statement.targets[0], ast.Name)
    ):
        raise source.error(
            f"found {_describe(statement)}; the body of law holds assignments of one name each, then one return",
            statement,
        )
    target = statement.targets[0]
    check_name(source, target.id, target, "name")
    if target.id in converter.roles:
        raise source.error(f"{target.id!r} is an argument of law and cannot be assigned", target)
    if target.id in converter.scalars or target.id in converter.vectors:
        raise source.error(f"{target.id!r} is assigned twice; choose another name", target)
    if target.id in converter.index_names:
        raise source.error(f"{target.id!r} is the index of a sum before; choose another name", target)
    if isinstance(statement.value, (ast.List, ast.Tuple)):
        converter.define_vector(target.id, statement.value)
    else:
        converter.define_scalar(target.id, statement.value)


def _check_depth(law: Law) -> None:
    if any(tree_depth(e) > MAX_DEPTH for e in expressions(law)):
        raise LawError(f"the law is nested more than {MAX_DEPTH} levels deep")


def _lines(source: Source, function: ast.AST) -> str:
    """The source lines of a top-level function, as they stand."""
    first, last = getattr(function, "lineno", 1), getattr(function, "end_lineno", 1)
    return "\n".join(source.lines[first - 1 : last])


def _is_docstring(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _describe(statement: ast.stmt) -> str:
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return f"a definition of {statement.name!r}"
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return "an import"
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return f"an assignment to {statement.targets[0].id!r}"
    words = {
        ast.Expr: "an expression",
        ast.If: "an if statement",
        ast.For: "a for loop",
        ast.While: "a while loop",
        ast.Return: "a return statement",
        ast.AugAssign: "an augmented assignment",
        ast.Pass: "pass",
    }
    return words.get(type(statement), f"a {type(statement).__name__} statement")
