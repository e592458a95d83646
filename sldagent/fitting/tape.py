"""From a law to the arrays that the kernels run: one tape per target, parameters numbered, bounds and transforms set."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import FitError
from sldagent.fitting.graph import BINARY, Graph, Layout, Slot, affine_sets, build_graph
from sldagent.fitting.reference import reference as op
from sldagent.fitting.rows import Rows
from sldagent.laws.expr import TARGET_INDEX, names, walk
from sldagent.laws.program import Law, Parameter
from sldagent.tasks.task import Task

FloatArray = NDArray[np.float64]
MAX_SCALARS = 400
MAX_NODES = 4000


def layout_of(task: Task) -> Layout:
    """Where the symbols of laws live in this task."""
    columns = {v.symbol: k for k, v in enumerate(task.variables)}
    vectors = {name: [columns[s] for s in symbols] for name, symbols in task.vectors.items()}
    return Layout(columns, vectors, len(task.targets))


@dataclass(frozen=True)
class Tapes:
    """One tape per target as rectangular arrays; see `kernels` for the operations."""

    ops: NDArray[np.int64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    value: FloatArray
    depends: NDArray[np.bool_]
    """(targets, nodes): whether a node depends on a parameter."""
    affine: NDArray[np.bool_]
    """(targets, nodes): whether it depends on one of the law's affine parameters."""
    lengths: NDArray[np.int64]
    nodes: NDArray[np.int64]
    """(targets, parameters): node of each parameter in each tape, -1 where it does not occur."""
    features: tuple[tuple[Graph, int], ...]
    """Feature columns, in the order of the rows of the feature matrix."""

    def kernel_arrays(self) -> tuple[NDArray[np.int64], FloatArray, NDArray[np.int64]]:
        """What the kernels take as `tape`: few arrays, since each one costs compilation.

        Returns (5, targets, nodes): operation, left, right, `depends`, `affine`; constants (targets, nodes); and (targets,
        1 + parameters): the number of nodes, then the node of each parameter.
        """
        code = np.stack([self.ops, self.left, self.right, self.depends.astype(np.int64), self.affine.astype(np.int64)])
        return code, self.value, np.column_stack([self.lengths, self.nodes])

    def matrix(self, rows: Rows) -> FloatArray:
        """Feature matrix (features, rows)."""
        if not self.features:
            return np.zeros((1, rows.n))
        return np.ascontiguousarray(np.stack([rows.feature(g, k) for g, k in self.features]))


@dataclass(frozen=True)
class CompiledLaw:
    """A law bound to a task's layout.

    Local parameters come first, then shared ones.  With `split`, every parameter is the target's own, so that targets are
    separate problems and the local numbering is that of one target.
    """

    law: Law
    tapes: Tapes
    slots: tuple[Slot, ...]
    """Scalars in the order of the numbering (of target 0 when `split`)."""
    local: int
    shared: int
    split: bool
    targets: int
    transform: NDArray[np.int64]
    """1 where the engine works on the logarithm of the parameter."""
    lower: FloatArray
    upper: FloatArray
    linear: NDArray[np.bool_]
    """Parameters in which the formula is jointly affine: re-solved exactly at every trial point."""
    graphs: tuple[Graph, ...]
    target_axis: dict[str, int]
    """Position of the target's index in each parameter's element, -1 where it has none."""

    def parameter_of(self, q: int) -> Parameter:
        return self.law.parameter(self.slots[q][0])


def compile_law(law: Law, layout: Layout) -> CompiledLaw:
    """Number the fitted scalars of `law`, build its tapes and find its affine parameters.

    Raises:
        FitError: unknown variable or vector, or a law too large to fit.
    """
    used = set(names(law.expr, "par"))
    for _, elements in law.vectors:
        for part in elements:
            used |= set(names(part, "par"))
    split = layout.targets > 1 and _own_per_target(law, used)
    scope = {p.name: p.scope for p in law.parameters}
    undeclared = used - set(scope)
    if undeclared:
        raise FitError(f"the law uses the parameter '{min(undeclared)}' without declaring it.")
    seen: dict[Slot, int] = {}
    graphs = [build_graph(law, layout, t, seen) for t in range(layout.targets)]
    # with split targets, the slots of target 0 stand for those of every target
    ordered = [s for s in seen if scope[s[0]] == "group"] + [s for s in seen if scope[s[0]] == "shared"]
    axis = {p: _target_axis(law, p) for p in used}
    if split:
        ordered = [s for s in ordered if s[1][axis[s[0]]] == 0]
    if len(ordered) > MAX_SCALARS:
        raise FitError(f"the law has {len(ordered)} fitted scalars per group; at most {MAX_SCALARS} are supported.")
    number: dict[Slot, int] = {s: k for k, s in enumerate(ordered)}
    if split:
        for name, element in list(seen):
            a = axis[name]
            zero = (*element[:a], 0, *element[a + 1 :])
            number[(name, element)] = number[(name, zero)]
    renumber = {seen[s]: number[s] for s in seen}
    for g in graphs:
        for k, code in enumerate(g.code):
            if code == op.PARAMETER:
                g.left[k] = renumber[g.left[k]]
    local = sum(scope[s[0]] == "group" for s in ordered)
    linear = _choose_affine(graphs, ordered, law, local)
    tapes = _assemble(graphs, linear)
    transform, lower, upper = _spaces(law, ordered, linear)
    return CompiledLaw(
        law,
        tapes,
        tuple(ordered),
        local,
        len(ordered) - local,
        split,
        layout.targets,
        transform,
        lower,
        upper,
        linear,
        tuple(graphs),
        axis,
    )


def _own_per_target(law: Law, used: set[str]) -> bool:
    if not used:
        return False
    return all(_target_axis(law, name) >= 0 for name in used)


def _target_axis(law: Law, name: str) -> int:
    trees = [law.expr, *(e for _, v in law.vectors for e in v)]
    for tree in trees:
        for node in walk(tree):
            if node.op == "par" and node.name == name:
                return node.index.index(TARGET_INDEX) if TARGET_INDEX in node.index else -1
    return -1


def _choose_affine(graphs: list[Graph], slots: list[Slot], law: Law, local: int) -> NDArray[np.bool_]:
    """Greedy largest set of local scalars in which all targets' formulas are jointly affine; fewest conflicts first."""
    bent, conflicts = affine_sets(graphs, len(slots))
    chosen = 0
    candidates = [q for q in range(local) if not bent >> q & 1]
    # of two factors, an interval is rather an exponent or a share, a free one rather an amplitude
    candidates.sort(key=lambda q: (law.parameter(slots[q][0]).kind == "interval", conflicts[q].bit_count(), q))
    for q in candidates:
        if not conflicts[q] & chosen:
            chosen |= 1 << q
    return np.array([bool(chosen >> q & 1) for q in range(len(slots))], dtype=np.bool_)


def _spaces(law: Law, slots: list[Slot], linear: NDArray[np.bool_]) -> tuple[NDArray[np.int64], FloatArray, FloatArray]:
    """Transforms and bounds in the engine's space."""
    n = len(slots)
    transform = np.zeros(n, np.int64)
    lower = np.full(n, -math.inf)
    upper = np.full(n, math.inf)
    for q, (name, _) in enumerate(slots):
        p = law.parameter(name)
        if p.kind == "positive":
            if linear[q]:
                lower[q] = 0.0
            else:
                transform[q] = 1
                lower[q], upper[q] = -230.0, 230.0
        elif p.kind == "interval":
            lower[q], upper[q] = p.lower, p.upper
    return transform, lower, upper


def _assemble(graphs: list[Graph], linear: NDArray[np.bool_]) -> Tapes:
    """Lay the graphs out as tapes: features numbered across targets, parameters first, then the nodes in order."""
    features: dict[tuple[object, ...], int] = {}
    feature_nodes: list[tuple[Graph, int]] = []
    lines: list[list[tuple[int, int, int, float, bool, bool]]] = []
    parameters = len(linear)
    nodes = np.full((len(graphs), max(parameters, 1)), -1, np.int64)
    for t, g in enumerate(graphs):
        tape: list[tuple[int, int, int, float, bool, bool]] = []
        place: dict[int, int] = {}
        for k in g.needed():
            code = g.code[k]
            if code == op.CONST:
                line = (op.CONST, 0, 0, g.value[k], False, False)
            elif code == op.PARAMETER:
                nodes[t, g.left[k]] = len(tape)
                line = (op.PARAMETER, g.left[k], 0, 0.0, True, bool(linear[g.left[k]]))
            elif not g.depends[k]:
                key = (t, k)
                if key not in features:
                    features[key] = len(feature_nodes)
                    feature_nodes.append((g, k))
                line = (op.FEATURE, features[key], 0, 0.0, False, False)
            else:
                x, y = place[g.left[k]], place.get(g.right[k], 0)
                line = (code, x, y, 0.0, True, tape[x][5] or (code in BINARY and tape[y][5]))
            place[k] = len(tape)
            tape.append(line)
        if len(tape) > MAX_NODES:
            raise FitError(f"the law expands to {len(tape)} operations; at most {MAX_NODES} are supported.")
        lines.append(tape)
    height = max(len(tape) for tape in lines)
    shape = (len(lines), height)
    ops, left, right = np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    value = np.zeros(shape)
    depends, affine = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
    for t, tape in enumerate(lines):
        for k, instruction in enumerate(tape):
            ops[t, k], left[t, k], right[t, k], value[t, k], depends[t, k], affine[t, k] = instruction
    lengths = np.array([len(tape) for tape in lines], np.int64)
    return Tapes(ops, left, right, value, depends, affine, lengths, nodes[:, :parameters], tuple(feature_nodes))
