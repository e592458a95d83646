"""Follows a program's function on symbolic arrays, by its syntax tree.  Nothing is executed."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from sldagent.foreign import symbols, words
from sldagent.foreign.natives import BUILTINS, extended, method
from sldagent.foreign.symbols import MAX_ELEMENTS, Symbol, Trail, Untranslatable, value_of
from sldagent.foreign.values import Function, Module, Scope, binary, compared, is_kind, position, truth
from sldagent.foreign.words import as_array, elementwise, plain

MAX_CALLS = 12
"""Deepest nesting of function calls."""


class _Return(Exception):
    def __init__(self, value: Any) -> None:
        self.value = value


class _Loop(Exception):
    """break or continue."""

    def __init__(self, stops: bool) -> None:
        self.stops = stops


_HARMLESS_DECORATORS = frozenset({"jax.jit", "jit", "staticmethod"})


class Interpreter:
    """Follows the functions of one module."""

    def __init__(self, tree: ast.Module, trail: Trail) -> None:
        self.trail = trail
        self.scope = Scope()
        self._calls = 0
        self._later: dict[str, ast.expr] = {}
        for statement in tree.body:
            if isinstance(statement, ast.FunctionDef):
                self.scope.names[statement.name] = Function(statement, self.scope)
            elif isinstance(statement, (ast.Import, ast.ImportFrom)):
                self._import(statement, self.scope)
            elif isinstance(statement, ast.Assign):
                for target in statement.targets:
                    if isinstance(target, ast.Name):
                        self._later[target.id] = statement.value
            elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value:
                self._later[statement.target.id] = statement.value

    def call(self, name: str, *arguments: Any) -> Any:
        """The value of a function of the module.  Raises `Untranslatable`."""
        found = self._lookup(name, self.scope)
        try:
            return self._apply(found, list(arguments), {})
        except Untranslatable as error:
            raise Untranslatable(f"line {self.trail.line}: {error}") from None
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
            raise Untranslatable(f"line {self.trail.line}: cannot be followed ({type(error).__name__})") from None

    # Names ------------------------------------------------------------------------------------------------------------

    def _lookup(self, name: str, scope: Scope) -> Any:
        at: Scope | None = scope
        while at is not None:
            if name in at.names:
                return at.names[name]
            at = at.outer
        if name in self._later:
            self.scope.names[name] = self._value(self._later.pop(name), self.scope)
            return self.scope.names[name]
        if name in BUILTINS or name in ("float", "int", "True", "False"):
            return BUILTINS[name]
        raise Untranslatable(f"uses {name!r}, which is not followed")

    def _import(self, node: ast.Import | ast.ImportFrom, scope: Scope) -> None:
        for alias in node.names:
            if isinstance(node, ast.Import):
                path = alias.name if alias.asname else alias.name.split(".")[0]
                scope.names[alias.asname or path] = Module(path)
            else:
                scope.names[alias.asname or alias.name] = self._member(Module(node.module or ""), alias.name)

    def _member(self, module: Module, name: str) -> Any:
        found = words.find(module.path, name)
        if found is not None or name == "newaxis":
            return found
        return Module(f"{module.path}.{name}")

    # Statements -------------------------------------------------------------------------------------------------------

    def _run(self, body: list[ast.stmt], scope: Scope) -> None:
        for statement in body:
            self._statement(statement, scope)

    def _statement(self, node: ast.stmt, scope: Scope) -> None:
        self.trail.step()
        self.trail.line = node.lineno
        if isinstance(node, ast.Return):
            raise _Return(None if node.value is None else self._value(node.value, scope))
        if isinstance(node, ast.Assign):
            value = self._value(node.value, scope)
            for target in node.targets:
                self._assign(target, value, scope)
        elif isinstance(node, ast.AnnAssign):
            if node.value is not None:
                self._assign(node.target, self._value(node.value, scope), scope)
        elif isinstance(node, ast.AugAssign):
            self._augment(node, scope)
        elif isinstance(node, ast.If):
            self._run(node.body if self._true(node.test, scope) else node.orelse, scope)
        elif isinstance(node, ast.For):
            self._for(node, scope)
        elif isinstance(node, ast.Expr):
            if not isinstance(node.value, ast.Constant):
                self._value(node.value, scope)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            self._import(node, scope)
        elif isinstance(node, ast.FunctionDef):
            scope.names[node.name] = Function(node, scope)
        elif isinstance(node, ast.With):
            self._with(node, scope)
        elif isinstance(node, ast.Try):
            self._run([*node.body, *node.orelse, *node.finalbody], scope)
        elif isinstance(node, (ast.Break, ast.Continue)):
            raise _Loop(isinstance(node, ast.Break))
        elif not isinstance(node, (ast.Pass, ast.Assert)):  # an assertion holds, or the program fails and is not scored
            raise Untranslatable(f"holds a {type(node).__name__} statement")

    def _assign(self, target: ast.expr, value: Any, scope: Scope) -> None:
        if isinstance(target, ast.Name):
            scope.names[target.id] = value
        elif isinstance(target, (ast.Tuple, ast.List)):
            parts = list(value)
            stars = [k for k, t in enumerate(target.elts) if isinstance(t, ast.Starred)]
            if stars:
                at, after = stars[0], len(target.elts) - stars[0] - 1
                middle = parts[at : len(parts) - after]
                rest = parts[len(parts) - after :] if after else []
                parts = [*parts[:at], middle, *rest]
            if len(parts) != len(target.elts):
                raise Untranslatable(f"unpacks {len(parts)} values into {len(target.elts)} names")
            for one, part in zip(target.elts, parts, strict=True):
                self._assign(one.value if isinstance(one, ast.Starred) else one, part, scope)
        elif isinstance(target, ast.Subscript):
            holder = self._value(target.value, scope)
            index = self._index(target.slice, scope)
            if isinstance(holder, np.ndarray):
                part = as_array(value)
                holder[index] = part if part.shape else part[()]
            elif isinstance(holder, list):
                holder[index] = value
            else:
                raise Untranslatable("assigns to a part of something that is no array")
        else:
            raise Untranslatable("assigns to an attribute")

    def _augment(self, node: ast.AugAssign, scope: Scope) -> None:
        now = self._value(node.target, scope)
        value = self._operate(type(node.op), now, self._value(node.value, scope))
        if isinstance(now, np.ndarray) and now.shape:
            now[...] = value  # numpy changes the array in place
            value = now
        self._assign(node.target, value, scope)

    def _for(self, node: ast.For, scope: Scope) -> None:
        for element in self._sequence(node.iter, scope):
            self._assign(node.target, element, scope)
            try:
                self._run(node.body, scope)
            except _Loop as end:
                if end.stops:
                    return
        self._run(node.orelse, scope)

    def _with(self, node: ast.With, scope: Scope) -> None:
        for item in node.items:
            call = item.context_expr
            name = ast.unparse(call.func) if isinstance(call, ast.Call) else ""
            if name.split(".")[-1] not in ("errstate", "catch_warnings"):
                raise Untranslatable("holds a with statement")
        self._run([s for s in node.body if "warnings" not in ast.unparse(s)], scope)

    # Expressions ------------------------------------------------------------------------------------------------------

    def _value(self, node: ast.expr, scope: Scope) -> Any:
        self.trail.step()
        method = getattr(self, f"_on_{type(node).__name__}", None)
        if method is None:
            raise Untranslatable(f"holds a {type(node).__name__} expression")
        return method(node, scope)

    def _on_Constant(self, node: ast.Constant, scope: Scope) -> Any:
        if isinstance(node.value, int) and not isinstance(node.value, bool) and abs(node.value) > 2**53:
            return float(node.value)
        if isinstance(node.value, (complex, bytes)):
            raise Untranslatable("holds a complex number or bytes")
        return node.value

    def _on_Name(self, node: ast.Name, scope: Scope) -> Any:
        return self._lookup(node.id, scope)

    def _on_BinOp(self, node: ast.BinOp, scope: Scope) -> Any:
        return self._operate(type(node.op), self._value(node.left, scope), self._value(node.right, scope))

    def _operate(self, op: type[ast.operator], left: Any, right: Any) -> Any:
        self._charge(left, right, product=op is ast.MatMult)
        return self._charged(binary(op, left, right))

    def _on_UnaryOp(self, node: ast.UnaryOp, scope: Scope) -> Any:
        value = self._value(node.operand, scope)
        if isinstance(node.op, ast.Not):
            return not truth(value)
        if isinstance(node.op, ast.USub):
            return elementwise(symbols.negative)(value)
        return value if isinstance(node.op, ast.UAdd) else elementwise(lambda v: not v)(value)

    def _on_BoolOp(self, node: ast.BoolOp, scope: Scope) -> Any:
        value: Any = None
        for part in node.values:
            value = self._value(part, scope)
            if truth(value) != isinstance(node.op, ast.And):
                return value
        return value

    def _on_Compare(self, node: ast.Compare, scope: Scope) -> Any:
        left, result = self._value(node.left, scope), None
        for op, part in zip(node.ops, node.comparators, strict=True):
            right = self._value(part, scope)
            one = self._charged(compared(op, left, right))
            result = one if result is None else elementwise(lambda a, b: bool(a) and bool(b))(result, one)
            left = right
        return result

    def _on_IfExp(self, node: ast.IfExp, scope: Scope) -> Any:
        return self._value(node.body if self._true(node.test, scope) else node.orelse, scope)

    def _on_Tuple(self, node: ast.Tuple, scope: Scope) -> Any:
        return tuple(self._elements(node.elts, scope))

    def _on_List(self, node: ast.List, scope: Scope) -> Any:
        return self._elements(node.elts, scope)

    def _elements(self, nodes: list[ast.expr], scope: Scope) -> list[Any]:
        out: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                extended(out, self._sequence(node.value, scope))
            else:
                out.append(self._value(node, scope))
        return out

    def _on_ListComp(self, node: ast.ListComp | ast.GeneratorExp, scope: Scope) -> Any:
        out: list[Any] = []
        self._comprehend(node.generators, node.elt, Scope({}, scope), out)
        return out

    _on_GeneratorExp = _on_ListComp

    def _comprehend(self, loops: list[ast.comprehension], element: ast.expr, scope: Scope, out: list[Any]) -> None:
        if not loops:
            out.append(self._value(element, scope))
            return
        for item in self._sequence(loops[0].iter, scope):
            self._assign(loops[0].target, item, scope)
            if all(self._true(test, scope) for test in loops[0].ifs):
                self._comprehend(loops[1:], element, scope, out)

    def _on_Lambda(self, node: ast.Lambda, scope: Scope) -> Any:
        return Function(node, scope)

    def _on_Attribute(self, node: ast.Attribute, scope: Scope) -> Any:
        holder = self._value(node.value, scope)
        if isinstance(holder, Module):
            return self._member(holder, node.attr)
        if node.attr in ("shape", "ndim", "size", "T") and not isinstance(holder, (list, tuple)):
            array = as_array(holder)
            return {"shape": array.shape, "ndim": array.ndim, "size": array.size, "T": array.T}[node.attr]
        if isinstance(holder, Mapping):
            return holder[node.attr]
        return method(holder, node.attr)

    def _on_Subscript(self, node: ast.Subscript, scope: Scope) -> Any:
        holder, index = self._value(node.value, scope), self._index(node.slice, scope)
        if isinstance(holder, np.ndarray):
            part = holder[index]
            self._charge(part)
            return plain(part)
        if isinstance(holder, (list, tuple)):
            return holder[index]
        if isinstance(holder, Mapping) and isinstance(index, str):
            return holder[index]
        raise Untranslatable("indexes something that is no array")

    def _index(self, node: ast.expr, scope: Scope) -> Any:
        if isinstance(node, ast.Slice):
            parts = [None if p is None else self._value(p, scope) for p in (node.lower, node.upper, node.step)]
            return slice(*(None if p is None else int(p) for p in parts))
        if isinstance(node, ast.Tuple):
            return tuple(self._index(e, scope) for e in node.elts)
        return position(self._value(node, scope))

    # Calls ------------------------------------------------------------------------------------------------------------

    def _on_Call(self, node: ast.Call, scope: Scope) -> Any:
        if isinstance(node.func, ast.Name) and node.func.id == "isinstance":
            return is_kind(self._value(node.args[0], scope), ast.unparse(node.args[1]))
        found = self._value(node.func, scope)
        arguments = self._elements(node.args, scope)
        names: dict[str, Any] = {}
        for keyword in node.keywords:
            if keyword.arg is None:
                raise Untranslatable("passes **options")
            names[keyword.arg] = self._value(keyword.value, scope)
        line = self.trail.line
        result = self._apply(found, arguments, names)
        self.trail.line = line
        return result

    def _apply(self, found: Any, arguments: list[Any], names: dict[str, Any]) -> Any:
        if isinstance(found, Function):
            return self._user(found, arguments, names)
        if isinstance(found, Module):
            if found.path.endswith("finfo"):
                return {"eps": 2.220446049250313e-16, "tiny": 2.2250738585072014e-308, "max": 1.7976931348623157e308}
            raise Untranslatable(f"calls {found.path}, which is not followed")
        if found in ("float", "float64", "int", "double", "float32"):
            value = plain(as_array(arguments[0]))
            return int(value_of(value)) if found == "int" and not isinstance(value, Symbol) else value
        if not callable(found):
            raise Untranslatable("calls something that is not followed")
        self._charge(*arguments, *names.values(), product=found in (words.NUMPY["dot"], words.NUMPY["outer"]))
        return self._charged(found(*arguments, **names))

    def _charged(self, result: Any) -> Any:
        self._charge(result)
        return result

    def _charge(self, *parts: Any, product: bool = False) -> None:
        """Count the elements that an operation touches."""
        sizes = [p.size if isinstance(p, np.ndarray) else len(p) for p in parts if isinstance(p, (np.ndarray, list, tuple))]
        self.trail.step(math.prod(sizes) if product else sum(sizes))

    def _user(self, function: Function, arguments: list[Any], names: dict[str, Any]) -> Any:
        self._calls += 1
        if self._calls > MAX_CALLS:
            raise Untranslatable("its functions call each other too deeply")
        node = function.node
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                if ast.unparse(decorator) not in _HARMLESS_DECORATORS:
                    raise Untranslatable("a function has a decorator that is not followed")
        scope = Scope(self._bind(node.args, function, arguments, names), function.around)
        try:
            if isinstance(node, ast.Lambda):
                return self._value(node.body, scope)
            self._run(node.body, scope)
        except _Return as end:
            return end.value
        finally:
            self._calls -= 1
        return None

    def _bind(self, a: ast.arguments, function: Function, arguments: list[Any], names: dict[str, Any]) -> dict[str, Any]:
        positional = [x.arg for x in (*a.posonlyargs, *a.args)]
        bound = dict(zip(positional, arguments, strict=False))
        if a.vararg:
            bound[a.vararg.arg] = tuple(arguments[len(positional) :])
        elif len(arguments) > len(positional):
            raise Untranslatable("passes too many arguments")
        bound.update(names)
        for name, default in zip(reversed(positional), reversed(a.defaults), strict=False):
            if name not in bound:
                bound[name] = self._value(default, function.around)
        for argument, value in zip(a.kwonlyargs, a.kw_defaults, strict=True):
            if argument.arg not in bound and value is not None:
                bound[argument.arg] = self._value(value, function.around)
        if any(name not in bound for name in positional):
            raise Untranslatable("passes too few arguments")
        return bound

    def _sequence(self, node: ast.expr, scope: Scope) -> list[Any]:
        value = self._value(node, scope)
        if isinstance(value, np.ndarray) and value.shape:
            return [plain(v) if isinstance(v, np.ndarray) else v for v in value]
        if not isinstance(value, (list, tuple, range)):
            raise Untranslatable("loops over something that is no list, range or array")
        if len(value) > MAX_ELEMENTS:
            raise Untranslatable("a loop is too long to follow")
        return list(value)

    def _true(self, node: ast.expr, scope: Scope) -> bool:
        return truth(self._value(node, scope))
