"""A law as a directed acyclic graph of primitive operations: sums expanded, repeated parts shared, constants folded.

Parts without parameters become *features*: columns that are computed once per table.  The graph also tells in which
parameters the formula is jointly affine (one structural pass, no symbolic algebra).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import FitError
from sldagent.fitting.reference import reference
from sldagent.laws.expr import TARGET_INDEX, Expr
from sldagent.laws.program import Law

FloatArray = NDArray[np.float64]
op = reference

FLOORED_LOG: int = reference.FLOORED_LOG
BINARY: frozenset[int] = reference.BINARY
NUMPY: Mapping[int, Callable[..., FloatArray]] = reference.FUNCTIONS
"""The operations in numpy, by code: for constants and features."""

Slot = tuple[str, tuple[int, ...]]
"""One fitted scalar: parameter name and element."""


@dataclass
class Graph:
    """Nodes of one target's formula: operation `code[k]` on nodes `left[k]`, `right[k]` (or column, slot, value)."""

    slots: dict[Slot, int]
    code: list[int] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    depends: list[bool] = field(default_factory=list)
    index: dict[tuple[int, int, int, float], int] = field(default_factory=dict)
    root: int = -1
    _needed: list[int] = field(default_factory=list)
    _keys: dict[int, str] = field(default_factory=dict)

    def node(self, code: int, left: int = 0, right: int = 0, value: float = 0.0) -> int:
        """The node with this content, made if it is new."""
        key = (code, left, right, value)
        found = self.index.get(key)
        if found is not None:
            return found
        k = len(self.code)
        self.code.append(code)
        self.left.append(left)
        self.right.append(right)
        self.value.append(value)
        if code in (op.CONST, op.FEATURE):
            depends = False
        elif code == op.PARAMETER:
            depends = True
        else:
            depends = self.depends[left] or (code in BINARY and self.depends[right])
        self.depends.append(depends)
        self.index[key] = k
        return k

    def needed(self) -> list[int]:
        """Nodes that the prediction is computed from, in order: everything above the features."""
        if not self._needed:
            wanted: set[int] = set()
            stack = [self.root]
            while stack:
                k = stack.pop()
                if k in wanted:
                    continue
                wanted.add(k)
                if not self.depends[k] or self.code[k] in (op.PARAMETER, op.CONST):
                    continue
                stack.append(self.left[k])
                if self.code[k] in BINARY:
                    stack.append(self.right[k])
            self._needed = sorted(wanted)
        return self._needed

    def key(self, k: int) -> str:
        """Digest of a parameter-free node's content, equal for equal parts of any graphs over the same columns."""
        found = self._keys.get(k)
        if found is None:
            code = self.code[k]
            content = f"{code}"
            if code == op.CONST:
                content += repr(self.value[k])
            elif code == op.FEATURE:
                content += f" {self.left[k]}"
            else:
                content += self.key(self.left[k]) + (self.key(self.right[k]) if code in BINARY else "")
            found = self._keys[k] = hashlib.blake2b(content.encode(), digest_size=16).hexdigest()
        return found

    def const(self, value: float) -> int:
        return self.node(op.CONST, value=float(value))

    def is_const(self, k: int, value: float | None = None) -> bool:
        return self.code[k] == op.CONST and (value is None or self.value[k] == value)

    def binary(self, code: int, x: int, y: int) -> int:
        """x (code) y with constants folded and neutral elements dropped."""
        if self.is_const(x) and self.is_const(y):
            with np.errstate(all="ignore"):
                return self.const(float(NUMPY[code](np.float64(self.value[x]), np.float64(self.value[y]))))
        if code == op.ADD and self.is_const(x, 0.0):
            return y
        if code in (op.ADD, op.SUB) and self.is_const(y, 0.0):
            return x
        if code == op.MUL and self.is_const(x, 1.0):
            return y
        if code in (op.MUL, op.DIV) and self.is_const(y, 1.0):
            return x
        if code in (op.ADD, op.MUL) and x > y:
            x, y = y, x
        return self.node(code, x, y)

    def unary(self, code: int, x: int) -> int:
        if self.is_const(x):
            with np.errstate(all="ignore"):
                return self.const(float(NUMPY[code](np.float64(self.value[x]))))
        if code == op.LOG and self.code[x] == op.EXP:
            return self.left[x]
        if code == op.EXP and self.code[x] == op.LOG:
            return self.left[x]
        if code == op.NEG and self.code[x] == op.NEG:
            return self.left[x]
        return self.node(code, x)

    def power(self, x: int, e: int) -> int:
        """x ** e: products for small integers, else exp(e log x)."""
        if self.is_const(e):
            exponent = self.value[e]
            if not math.isfinite(exponent):
                return self.const(math.nan)
            if exponent == 0.0:
                return self.const(1.0)
            if exponent < 0.0:
                return self.binary(op.DIV, self.const(1.0), self.power(x, self.const(-exponent)))
            if exponent == 0.5:
                return self.unary(op.SQRT, x)
            if exponent == int(exponent) and exponent <= 6:
                result = x
                for _ in range(int(exponent) - 1):
                    result = self.binary(op.MUL, result, x)
                return result
        if self.is_const(x):
            log = self.const(math.log(max(self.value[x], 1e-300)) if self.value[x] >= 0 else math.nan)
        elif not self.depends[x] and self.code[x] != op.EXP:
            log = self.node(FLOORED_LOG, x)
        else:
            log = self.unary(op.LOG, x)
        return self.unary(op.EXP, self.binary(op.MUL, e, log))


@dataclass(frozen=True)
class Layout:
    """Where the symbols of a law live in a task: columns of scalar variables, columns of vectors, number of targets."""

    columns: Mapping[str, int]
    vectors: Mapping[str, Sequence[int]]
    targets: int


class _Builder:
    """Expands one law for one target into a `Graph`."""

    def __init__(self, law: Law, layout: Layout, target: int, slots: dict[Slot, int]) -> None:
        self.layout = layout
        self.target = target
        self.graph = Graph(slots)
        self.vectors = dict(law.vectors)
        self.law = law
        self.parameters = {p.name for p in law.parameters}

    def build(self) -> Graph:
        self.graph.root = self.expand(self.law.expr, {})
        return self.graph

    def position(self, index: str, env: Mapping[str, int]) -> int:
        if index in env:
            return env[index]
        if index == TARGET_INDEX:
            return self.target
        if index.lstrip("-").isdigit():
            return int(index)
        raise FitError(f"the law uses the index '{index}', which no sum binds.")

    def element(self, vector: str, position: int, env: Mapping[str, int]) -> int:
        if vector in self.vectors:
            return self.expand(self.vectors[vector][position], env)
        columns = self.layout.vectors.get(vector)
        if columns is None:
            raise FitError(f"the law uses the vector '{vector}', which this task does not have.")
        if position >= len(columns):
            raise FitError(f"the law reads {vector}[{position}], but '{vector}' has {len(columns)} elements.")
        return self.graph.node(op.FEATURE, columns[position])

    def size(self, vector: str) -> int:
        if vector in self.vectors:
            return len(self.vectors[vector])
        if vector not in self.layout.vectors:
            raise FitError(f"the law sums over '{vector}', which this task does not have.")
        return len(self.layout.vectors[vector])

    def expand(self, e: Expr, env: Mapping[str, int]) -> int:
        g = self.graph
        if e.op == "num":
            return g.const(e.value)
        if e.op == "par":
            slot = (e.name, tuple(self.position(i, env) for i in e.index))
            return g.node(op.PARAMETER, g.slots.setdefault(slot, len(g.slots)))
        if e.op == "var":
            if e.index:
                return self.element(e.name, self.position(e.index[0], env), env)
            column = self.layout.columns.get(e.name)
            if column is None:
                raise FitError(f"the law uses '{e.name}', which is not a variable of this task.")
            return g.node(op.FEATURE, column)
        if e.op == "sum":
            total = g.const(0.0)
            for position in range(self.size(e.over)):
                total = g.binary(op.ADD, total, self.expand(e.args[0], {**env, e.name: position}))
            return total
        args = [self.expand(a, env) for a in e.args]
        return self.combine(e, args)

    def combine(self, e: Expr, args: list[int]) -> int:
        g = self.graph
        if e.op == "add":
            total = args[0]
            for node, x in zip(e.args[1:], args[1:], strict=True):
                if node.op == "neg" and g.code[x] == op.NEG:
                    total = g.binary(op.SUB, total, g.left[x])
                else:
                    total = g.binary(op.ADD, total, x)
            return total
        if e.op == "mul":
            # constants and features first, so that they fold into one column
            ordered = sorted(args, key=lambda k: g.depends[k])
            total = ordered[0]
            for x in ordered[1:]:
                total = g.binary(op.MUL, total, x)
            return total
        if e.op == "div":
            return g.binary(op.DIV, *args)
        if e.op == "pow":
            return g.power(*args)
        if e.op == "neg":
            return g.unary(op.NEG, args[0])
        if e.op == "logaddexp":
            x, y = args
            return g.binary(op.ADD, y, g.unary(op.SOFTPLUS, g.binary(op.SUB, x, y)))
        if e.op in ("smoothmin", "smoothmax"):
            # max_s(x, y) = y + softplus(s (x - y)) / s;  min_s(x, y) = x - softplus(s (x - y)) / s
            x, y, s = args
            ramp = g.binary(op.DIV, g.unary(op.SOFTPLUS, g.binary(op.MUL, s, g.binary(op.SUB, x, y))), s)
            return g.binary(op.ADD, y, ramp) if e.op == "smoothmax" else g.binary(op.SUB, x, ramp)
        return g.unary(UNARY[e.op], args[0])


UNARY = {
    "exp": op.EXP,
    "log": op.LOG,
    "sqrt": op.SQRT,
    "tanh": op.TANH,
    "sigmoid": op.SIGMOID,
    "softplus": op.SOFTPLUS,
}


def build_graph(law: Law, layout: Layout, target: int, slots: dict[Slot, int]) -> Graph:
    """The graph of `law` for one target; new fitted scalars are appended to `slots`.

    Raises:
        FitError: the law uses a variable, vector or index that the task does not have.
    """
    return _Builder(law, layout, target, slots).build()


def affine_sets(graphs: Sequence[Graph], n: int) -> tuple[int, dict[int, int]]:
    """Bit mask of slots that enter non-affinely, and for every slot the mask of slots it is multiplied with.

    A set of slots without non-affine members and without a conflicting pair is one in which the formula is jointly affine.
    """
    bent = 0
    conflicts = dict.fromkeys(range(n), 0)
    for g in graphs:
        mask: list[int] = []
        for k, code in enumerate(g.code):
            if code == op.PARAMETER:
                mask.append(1 << g.left[k])
            elif code in (op.CONST, op.FEATURE) or not g.depends[k]:
                mask.append(0)
            elif code in (op.ADD, op.SUB):
                mask.append(mask[g.left[k]] | mask[g.right[k]])
            elif code == op.MUL:
                x, y = mask[g.left[k]], mask[g.right[k]]
                bent |= x & y
                if x and y:
                    for q in range(n):
                        if x >> q & 1:
                            conflicts[q] |= y
                        if y >> q & 1:
                            conflicts[q] |= x
                mask.append(x | y)
            elif code == op.DIV:
                bent |= mask[g.right[k]]
                mask.append(mask[g.left[k]] | mask[g.right[k]])
            elif code == op.NEG:
                mask.append(mask[g.left[k]])
            else:
                bent |= mask[g.left[k]]
                mask.append(mask[g.left[k]])
    return bent, conflicts
