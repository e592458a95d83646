"""From a Python expression's syntax tree to an expression of the law language, by a whitelist.

Nothing is evaluated.  Whatever is not listed here is a `LawError` that says what was found, where, and what
is allowed.
"""

from __future__ import annotations

import ast
from collections.abc import Collection
from typing import Literal

from sldagent.laws.expr import (
    TARGET_INDEX,
    Expr,
    add,
    call,
    div,
    mul,
    neg,
    num,
    par,
    power,
    sum_over,
    var,
)
from sldagent.laws.lexical import (
    MAX_DEPTH,
    MAX_NODES,
    PREFIXES,
    RESERVED,
    Source,
    check_name,
    number,
    suggestion,
)
from sldagent.laws.vocabulary import ALLOWED, ARITY, EXPANSIONS, FOUND, HINTS, OPERATORS

Role = Literal["variable", "parameter"]


class Converter:
    """Converts the expressions of one law, keeping track of names, indices, and size.

    `roles` gives the role of every known name; an unknown name is a new parameter when `open_names`, else
    an error. `vectors` are the names known to be task vectors; None: whatever is used as one.
    """

    def __init__(
        self,
        source: Source,
        roles: dict[str, Role],
        vectors: Collection[str] | None,
        open_names: bool = False,
    ) -> None:
        self.source = source
        self.roles = roles
        self.known_vectors = None if vectors is None else frozenset(vectors)
        self.open_names = open_names
        self.scalars: dict[str, tuple[Expr, int]] = {}
        """Intermediate scalars with their number of nodes; inlined where they are named."""
        self.vectors: dict[str, tuple[Expr, ...]] = {}
        self._vector_sizes: dict[str, tuple[int, ...]] = {}
        self.used: dict[str, ast.AST] = {}
        """Variables and parameters in order of first use."""
        self._axes: dict[str, tuple[str, ...]] = {}
        self._bound: dict[str, str] = {}
        self.index_names: dict[str, ast.AST] = {}
        self._nodes = 0

    # Definitions in the body of a law -------------------------------------------------------------

    def define_scalar(self, name: str, node: ast.expr) -> None:
        before = self._nodes
        expr = self.convert(node)
        self.scalars[name] = (expr, self._nodes - before)

    def define_vector(self, name: str, node: ast.List | ast.Tuple) -> None:
        if not node.elts:
            raise self.source.error(f"the vector {name!r} is empty; give it at least one expression", node)
        elements, sizes = [], []
        for element in node.elts:
            before = self._nodes
            elements.append(self.convert(element))
            sizes.append(self._nodes - before)
        self.vectors[name] = tuple(elements)
        self._vector_sizes[name] = tuple(sizes)

    # Expressions ----------------------------------------------------------------------------------

    def convert(self, node: ast.AST, depth: int = 0) -> Expr:
        if depth > MAX_DEPTH:
            raise self.source.error(f"the expression is nested more than {MAX_DEPTH} levels deep", node)
        self._count(1, node)
        value = number(self.source, node)
        if value is not None:
            return num(value)
        if isinstance(node, ast.Name):
            return self._name(node)
        if isinstance(node, ast.BinOp):
            return self._binary(node, depth)
        if isinstance(node, ast.UnaryOp):
            if isinstance(node.op, ast.UAdd):
                return self.convert(node.operand, depth + 1)
            if isinstance(node.op, ast.USub):
                inner = self.convert(node.operand, depth + 1)
                return num(0.0 - inner.value) if inner.op == "num" else neg(inner)
            raise self._refuse(OPERATORS[type(node.op)], node)
        if isinstance(node, ast.Call):
            return self._call(node, depth)
        if isinstance(node, ast.Subscript):
            return self._subscript(node)
        raise self._refuse(FOUND.get(type(node), type(node).__name__), node)

    def _refuse(self, found: str, node: ast.AST) -> Exception:
        return self.source.error(f"found {found}; {ALLOWED}", node)

    def _count(self, nodes: int, node: ast.AST) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise self.source.error(f"the law has more than {MAX_NODES} nodes", node)

    def _binary(self, node: ast.BinOp, depth: int) -> Expr:
        if isinstance(node.op, ast.Pow):
            return power(self.convert(node.left, depth + 1), self.convert(node.right, depth + 1))
        additive = isinstance(node.op, (ast.Add, ast.Sub))
        family = (ast.Add, ast.Sub) if additive else (ast.Mult, ast.Div)
        # A chain such as a + b + c leans to the left: walk it in a loop, not by recursion.
        chain: list[ast.BinOp] = []
        head: ast.expr = node
        while isinstance(head, ast.BinOp) and isinstance(head.op, family):
            chain.append(head)
            head = head.left
        if not chain:
            raise self._refuse(f"the operator {OPERATORS.get(type(node.op), '?')}", node)
        result = self.convert(head, depth + 1)
        for link in reversed(chain):
            right = self.convert(link.right, depth + 1)
            result = (_plus if additive else _times)(result, link.op, right)
        return result

    def _name(self, node: ast.Name) -> Expr:
        name = node.id
        if name in self.scalars:
            expr, size = self.scalars[name]
            self._count(size, node)
            return expr
        if name in self._bound or name == TARGET_INDEX:
            raise self.source.error(f"the index {name!r} is not a number; it can only be used as in r[{name}]", node)
        if name in self.vectors or (self.known_vectors is not None and name in self.known_vectors):
            raise self.source.error(f"{name!r} is a vector; use it as {name}[j] inside sum(... for j in {name})", node)
        return self._leaf(name, (), node)

    def _leaf(self, name: str, index: tuple[str, ...], node: ast.AST) -> Expr:
        role = self.roles.get(name)
        if role is None:
            if name in RESERVED:
                raise self.source.error(f"{name!r} is a function; call it as {name}(...)", node)
            if not self.open_names:
                raise self.source.error(
                    f"unknown name {name!r}{suggestion(name, [*self.roles, *self.scalars, *self.vectors])}; "
                    "a law knows only its arguments and names assigned before",
                    node,
                )
            check_name(self.source, name, node, "parameter")
            role = self.roles[name] = "parameter"
        axes = tuple(TARGET_INDEX if k == TARGET_INDEX else self._bound[k] for k in index)
        if role == "variable":
            # the element a vector is asked for may come from a sum over another vector of the same length
            axes = ("",) * len(index)
        earlier = self._axes.setdefault(name, axes)
        if len(earlier) != len(axes):
            raise self.source.error(
                f"{role} {name!r} is used with {_indices(len(axes))} here, with {_indices(len(earlier))} before",
                node,
            )
        if earlier != axes:
            raise self.source.error(
                f"parameter {name!r} is indexed by {_over(axes)} here and by {_over(earlier)} before", node
            )
        self.used.setdefault(name, node)
        return var(name, *index) if role == "variable" else par(name, *index)

    # Indices and sums -----------------------------------------------------------------------------

    def _subscript(self, node: ast.Subscript) -> Expr:
        if not isinstance(node.value, ast.Name):
            raise self.source.error("only a name can be indexed, as in r[i]", node)
        name = node.value.id
        if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, int):
            return self._constant_index(name, node.slice.value, node)
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        index = []
        for part in parts:
            if not isinstance(part, ast.Name) or (part.id not in self._bound and part.id != TARGET_INDEX):
                raise self.source.error(
                    f"an index of {name!r} must be {TARGET_INDEX} (the target) or bound by sum(... for j in ...)",
                    part,
                )
            index.append(part.id)
        if not index or name in self.scalars or name in RESERVED:
            raise self.source.error(f"{name!r} cannot be indexed", node)
        if name in self.vectors:
            return self._named_element(name, index, node)
        if self.roles.get(name) == "variable":
            if self.known_vectors is not None and name not in self.known_vectors:
                raise self.source.error(f"variable {name!r} is not a vector and cannot be indexed", node)
            if len(index) != 1:
                raise self.source.error(f"the vector {name!r} takes one index", node)
        return self._leaf(name, tuple(index), node)

    def _named_element(self, name: str, index: list[str], node: ast.AST) -> Expr:
        if len(index) != 1 or index[0] == TARGET_INDEX:
            raise self.source.error(f"the vector {name!r} takes one index, bound by sum(... for j in {name})", node)
        over = self._bound[index[0]]
        if over in self.vectors and len(self.vectors[over]) != len(self.vectors[name]):
            raise self.source.error(
                f"{name!r} has {len(self.vectors[name])} elements, but {index[0]} runs over the "
                f"{len(self.vectors[over])} of {over!r}",
                node,
            )
        return var(name, index[0])

    def _constant_index(self, name: str, position: int, node: ast.AST) -> Expr:
        if name not in self.vectors:
            raise self.source.error(f"{name}[{position}]: only a vector assigned in the law takes a constant index", node)
        if isinstance(position, bool) or not 0 <= position < len(self.vectors[name]):
            raise self.source.error(f"{name!r} has the elements 0 to {len(self.vectors[name]) - 1}", node)
        self._count(self._vector_sizes[name][position], node)
        return self.vectors[name][position]

    def _sum(self, node: ast.Call, depth: int) -> Expr:
        if len(node.args) != 1 or node.keywords or not isinstance(node.args[0], (ast.GeneratorExp, ast.ListComp)):
            raise self.source.error("a sum is written sum(expression for j in vector)", node)
        loops = []
        for loop in node.args[0].generators:
            if loop.ifs or loop.is_async:
                raise self.source.error("a sum takes no conditions", loop.ifs[0] if loop.ifs else node)
            loops.append((self._bind(loop), self._vector(loop.iter), loop))
            self._bound[loops[-1][0]] = loops[-1][1]
        body = self.convert(node.args[0].elt, depth + 1)
        self._count(len(loops) - 1, node)
        for index, vector, _ in reversed(loops):
            body = sum_over(body, index, vector)
            del self._bound[index]
        return body

    def _bind(self, loop: ast.comprehension) -> str:
        if not isinstance(loop.target, ast.Name):
            raise self.source.error("the index of a sum must be one name", loop.target)
        name = loop.target.id
        check_name(self.source, name, loop.target, "index")
        if name in self._bound or name in self.scalars or name in self.vectors or name in self.roles:
            raise self.source.error(f"the index {name!r} is already a name of this law; choose another", loop.target)
        self.index_names[name] = loop.target
        return name

    def _vector(self, node: ast.expr) -> str:
        if not isinstance(node, ast.Name):
            raise self.source.error("a sum runs over the name of a vector", node)
        name = node.id
        if name in self.vectors:
            return name
        role = self.roles.get(name)
        if role != "variable" or (self.known_vectors is not None and name not in self.known_vectors):
            known = [*self.vectors, *(self.known_vectors or ())]
            raise self.source.error(
                f"{name!r} is not a vector; a sum runs over a group of variables or a vector assigned in the law"
                f"{suggestion(name, known)}",
                node,
            )
        if self._axes.setdefault(name, ("",)) != ("",):
            raise self.source.error(f"variable {name!r} is used as a number before and as a vector here", node)
        self.used.setdefault(name, node)
        return name

    # Functions ------------------------------------------------------------------------------------

    def _call(self, node: ast.Call, depth: int) -> Expr:
        name = self._function(node.func)
        if name == "sum":
            return self._sum(node, depth)
        if node.keywords:
            raise self.source.error(f"{name} takes no keyword arguments", node)
        arguments = [self.convert(a, depth + 1) for a in node.args]
        if name in ("smoothmin", "smoothmax") and len(arguments) == 2:
            arguments.append(num(1.0))
        if len(arguments) != ARITY[name]:
            raise self.source.error(
                f"{name} takes {ARITY[name]} argument{'s' * (ARITY[name] > 1)}, found {len(arguments)}",
                node,
            )
        if name in EXPANSIONS:
            self._count(3, node)
            return EXPANSIONS[name](*arguments)
        return call(name, *arguments)

    def _function(self, node: ast.expr) -> str:
        name = ""
        if isinstance(node, ast.Name):
            name = node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in PREFIXES:
            name = node.attr
        if name == "sum" or name in ARITY:
            return name
        what = f"a call of {name!r}" if name else "a call of something that is not a function's name"
        hint = f" ({HINTS[name]})" if name in HINTS else suggestion(name, [*ARITY, "sum"]).replace("; did", ", did")
        raise self._refuse(what + hint, node)


def _plus(left: Expr, op: ast.operator, right: Expr) -> Expr:
    if isinstance(op, ast.Sub):
        right = num(0.0 - right.value) if right.op == "num" else neg(right)
    return Expr("add", (*left.args, right)) if left.op == "add" else add(left, right)


def _times(left: Expr, op: ast.operator, right: Expr) -> Expr:
    """``left * right`` or ``left / right``; a leading minus is taken out, so that ``-a*b`` reads as
    ``-(a*b)``.
    """
    if left.op == "neg":
        return neg(_times(left.args[0], op, right))
    if isinstance(op, ast.Div):
        return div(left, right)
    return Expr("mul", (*left.args, right)) if left.op == "mul" else mul(left, right)


def _indices(count: int) -> str:
    return ("no index", "one index")[count] if count < 2 else f"{count} indices"


def _over(axes: tuple[str, ...]) -> str:
    return ", ".join("the target" if a == TARGET_INDEX else f"the elements of {a!r}" for a in axes)
