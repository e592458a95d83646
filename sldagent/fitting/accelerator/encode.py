"""From a compiled law and rows to the padded arrays of a size class (numpy; nothing here needs JAX)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import FitError
from sldagent.fitting.accelerator.classes import SizeClass, size_class
from sldagent.fitting.reference import reference as op
from sldagent.fitting.result import Blocks, Point
from sldagent.fitting.ridge import ridge_weights, target_variance
from sldagent.fitting.rows import Rows
from sldagent.fitting.tape import CompiledLaw
from sldagent.laws.program import Recipe

FloatArray = NDArray[np.float64]
Arrays = dict[str, NDArray[np.generic]]
COPY = -1
"""Operation of the padding: the value of the left operand."""


@dataclass(frozen=True)
class Structure:
    """A law on rows as padded problems: what does not depend on weights, loss or starts."""

    law: CompiledLaw
    blocks: Blocks
    size: SizeClass
    folded: bool
    """Shared parameters are numbered as local ones: every problem has a single block."""
    tapes: Arrays
    """First axis: tape sets (targets where they are separate problems, else one)."""
    tape_of: NDArray[np.int64]
    """(problems,) tape set of each problem."""
    features: FloatArray
    """(problems, features, targets, blocks * rows)"""
    index: NDArray[np.int64]
    """(problems, targets, blocks, rows) row of every place."""
    target: NDArray[np.int64]
    """(problems, targets) target of every tape."""
    real: NDArray[np.bool_]
    """(problems, targets, blocks, rows) False for padding."""

    @property
    def problems(self) -> int:
        return len(self.tape_of)

    def spread(self, values: FloatArray) -> FloatArray:
        """(..., problems, targets, blocks, rows) of per-row values (..., targets, rows); 0 in the padding."""
        placed = values[..., self.target[:, :, None, None], self.index]
        return np.asarray(np.where(self.real, placed, 0.0))

    def place(self, values: NDArray[Any]) -> NDArray[Any]:
        """(..., parameters of the class) of values (..., parameters of the law) in the engine's order; 0 in the padding."""
        out = np.zeros((*values.shape[:-1], self.size.parameters), values.dtype)
        pl = self.law.local + (self.law.shared if self.folded else 0)
        out[..., :pl] = values[..., :pl]
        out[..., self.size.local : self.size.local + values.shape[-1] - pl] = values[..., pl:]
        return out

    def points(self, local: FloatArray, shared: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Local (..., blocks, pl) and shared (..., problems, ps) parameters in the engine's order from padded ones: local
        (..., problems, blocks, pl), shared (..., problems, ps)."""
        problem, position = self._positions()
        own = local[..., problem, position, :]
        pl, ps = self.law.local, self.law.shared
        if self.folded:
            return own[..., :pl], own[..., pl : pl + ps]
        return own[..., :pl], shared[..., :ps]

    def padded(self, point: Point) -> tuple[FloatArray, FloatArray]:
        """Padded parameters of a point: local (problems, blocks, pl), shared (problems, ps)."""
        size, pl = self.size, self.law.local
        problem, position = self._positions()
        local = np.zeros((self.problems, size.blocks, size.local))
        shared = np.zeros((self.problems, size.shared))
        local[problem, position, :pl] = point.local
        if self.folded:
            local[:, 0, pl : pl + self.law.shared] = point.shared
        else:
            shared[:, : self.law.shared] = point.shared
        return local, shared

    def _positions(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Problem of every block, and its place there."""
        bounds = self.blocks.problems
        problem = np.repeat(np.arange(self.problems), np.diff(bounds))
        return problem, np.arange(len(problem)) - bounds[problem]


def natural_class(law: CompiledLaw, rows: Rows, blocks: Blocks) -> SizeClass:
    """The size class of a law's problems on these rows."""
    folded = _folded(law, blocks)
    return size_class(
        targets=1 if law.split else law.targets,
        blocks=int(np.diff(blocks.problems).max()),
        rows=int(np.diff(rows.starts)[blocks.group].max()),
        operations=max(_operations(law, t) for t in range(law.targets)),
        features=max(len(_leaves(law, t)) for t in range(law.targets)),
        local=law.local + (law.shared if folded else 0),
        shared=0 if folded else law.shared,
    )


def _folded(law: CompiledLaw, blocks: Blocks) -> bool:
    return law.shared > 0 and bool((np.diff(blocks.problems) == 1).all())


def encode(law: CompiledLaw, rows: Rows, blocks: Blocks, size: SizeClass) -> Structure:
    """Lay a law's problems out in `size`, their natural class or a larger one.

    The law's features must be finite on every row.
    """
    matrix = law.tapes.matrix(rows)
    folded = _folded(law, blocks)
    per_problem = 1 if law.split else law.targets
    sets = [(t,) for t in range(law.targets)] if law.split else [tuple(range(law.targets))]
    leaves = [[_leaves(law, t) for t in targets] for targets in sets]
    bounds = blocks.problems
    tapes = _stack([_tape_set(law, targets, keys, size, folded) for targets, keys in zip(sets, leaves, strict=True)])
    tape_of = np.array([max(int(blocks.target[b]), 0) for b in bounds[:-1]], np.int64)
    index, real = _places(rows, blocks, size)
    target = np.zeros((len(tape_of), size.targets), np.int64)
    features = np.zeros((len(tape_of), size.features, size.targets, size.blocks * size.rows))
    places = index.reshape(len(tape_of), -1)
    for number, (targets, keys) in enumerate(zip(sets, leaves, strict=True)):
        mine = tape_of == number
        for k, t in enumerate(targets):
            target[mine, k] = t
            for f, (is_constant, where) in enumerate(keys[k]):
                features[mine, f, k] = where if is_constant else matrix[int(where), places[mine]]
    shape = (len(tape_of), size.targets, size.blocks, size.rows)
    index, real = np.broadcast_to(index, shape), np.broadcast_to(real, shape).copy()
    real[:, per_problem:] = False
    return Structure(law, blocks, size, folded, tapes, tape_of, features, index, target, real)


def _places(rows: Rows, blocks: Blocks, size: SizeClass) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Row of every place (problems, 1, blocks, rows), and which places are real; padding repeats a row of its block."""
    bounds = blocks.problems
    problems = len(bounds) - 1
    problem = np.repeat(np.arange(problems), np.diff(bounds))
    block = np.arange(len(problem)) - bounds[problem]
    lo, count = rows.starts[blocks.group], np.diff(rows.starts)[blocks.group]
    index = np.zeros((problems, size.blocks, size.rows), np.int64)
    real = np.zeros(index.shape, np.bool_)
    offset = np.arange(size.rows)
    index[problem, block] = lo[:, None] + np.minimum(offset, count[:, None] - 1)
    real[problem, block] = offset < count[:, None]
    return index[:, None], real[:, None]


def _operations(law: CompiledLaw, t: int) -> int:
    """Instructions of a tape that compute something."""
    return int((law.tapes.ops[t, : law.tapes.lengths[t]] > op.PARAMETER).sum())


def _leaves(law: CompiledLaw, t: int) -> list[tuple[bool, float]]:
    """Leaves of a tape beside its parameters: (is a constant, value or row of the feature matrix)."""
    tapes = law.tapes
    found: dict[tuple[bool, float], None] = {}
    for k in range(int(tapes.lengths[t])):
        if tapes.ops[t, k] == op.CONST:
            found[(True, float(tapes.value[t, k]))] = None
        elif tapes.ops[t, k] == op.FEATURE:
            found[(False, float(tapes.left[t, k]))] = None
    return list(found)


def _tape_set(
    law: CompiledLaw, targets: tuple[int, ...], leaves: list[list[tuple[bool, float]]], size: SizeClass, folded: bool
) -> Arrays:
    """The tapes of one problem (targets, ...) and the declarations of its parameters."""
    shape = (size.targets, size.operations)
    p, f, n = size.parameters, size.features, size.operations
    out: Arrays = {
        "ops": np.full(shape, COPY, np.int32),
        "left": np.zeros(shape, np.int32),
        "right": np.zeros(shape, np.int32),
        "grad_left": np.full(shape, p + n, np.int32),
        "grad_right": np.full(shape, p + n, np.int32),
    }
    for k, (t, keys) in enumerate(zip(targets, leaves, strict=True)):
        lines = _instructions(law, t, keys, size, folded)
        for j, (code, x, y) in enumerate(lines, start=n - len(lines)):
            binary = code in op.BINARY
            out["ops"][k, j], out["left"][k, j], out["right"][k, j] = code, x, y if binary else x
            for name, node, wanted in (("grad_left", x, True), ("grad_right", y, binary)):
                if wanted and not p <= node < p + f:
                    out[name][k, j] = node if node < p else node - f
    return out


def _instructions(
    law: CompiledLaw, t: int, leaves: list[tuple[bool, float]], size: SizeClass, folded: bool
) -> list[tuple[int, int, int]]:
    """Operations of a tape in the numbering of the device: parameters, features, operations (aligned to the end)."""
    tapes = law.tapes
    where = {leaf: size.parameters + f for f, leaf in enumerate(leaves)}
    split = law.local + law.shared if folded else law.local
    length = int(tapes.lengths[t])
    inner = [k for k in range(length) if tapes.ops[t, k] not in (op.CONST, op.FEATURE, op.PARAMETER)]
    count = max(len(inner), 1)
    place: dict[int, int] = {k: size.last + 1 - count + j for j, k in enumerate(inner)}
    for k in range(length):
        code = tapes.ops[t, k]
        if code == op.CONST:
            place[k] = where[(True, float(tapes.value[t, k]))]
        elif code == op.FEATURE:
            place[k] = where[(False, float(tapes.left[t, k]))]
        elif code == op.PARAMETER:
            q = int(tapes.left[t, k])
            place[k] = q if q < split else size.local + q - split
    if not inner:  # a lone parameter or feature
        return [(COPY, place[length - 1], place[length - 1])]
    return [(int(tapes.ops[t, k]), place[int(tapes.left[t, k])], place[int(tapes.right[t, k])]) for k in inner]


def _stack(sets: list[Arrays]) -> Arrays:
    return {name: np.stack([s[name] for s in sets]) for name in sets[0]}


@dataclass(frozen=True)
class Objective:
    """Loss and weights of one stage on a structure: `K` weight sets at once."""

    structure: Structure
    y: FloatArray
    """(problems, targets, blocks, rows), logarithms where the loss is on them."""
    unit: FloatArray
    weight: FloatArray
    """(K, problems, targets, blocks, rows)"""
    ridge: FloatArray
    """(K, parameters of the class)"""
    logarithmic: bool
    robust: bool
    deltas: FloatArray
    """(stages, K) thresholds of Huber's loss, in the order in which they are used."""
    typical: FloatArray
    """(K,) mean absolute residual of the targets' means where the loss is absolute; zeros elsewhere."""

    def penalties(self, delta: FloatArray) -> FloatArray:
        """(K, parameters of the class) ridge at thresholds (K,): absolute loss is minimised as delta * |r|."""
        share = np.where(self.typical > 0.0, delta / np.where(self.typical > 0.0, self.typical, 1.0), 1.0)
        return self.ridge * share[:, None]


def objective(structure: Structure, rows: Rows, recipe: Recipe, weights: FloatArray | None, surrogate: bool) -> Objective:
    """The loss of a recipe, or the least squares that stand for it in variable projection.

    Args:
        weights: (K, targets, rows) factors of the weights of squared residuals: 0 leaves a row out, counts make a
            bootstrap; None for one set of ones.

    Raises:
        FitError: the recipe needs logarithms of non-positive targets.
    """
    law, Y = structure.law, rows.Y
    factors = np.ones((1, *Y.shape)) if weights is None else weights
    W = rows.weights(recipe.emphasis) * np.sqrt(factors)
    unit = np.ones_like(Y) if recipe.space == "raw" else 1.0 / np.maximum(np.abs(Y), 1e-300)
    logarithmic = recipe.space == "log" and not surrogate
    if logarithmic:
        live = (factors > 0.0).any(axis=0)
        if (Y[live] <= 0.0).any():
            raise FitError("a loss on logarithms needs positive targets: use loss mse, relative or lad instead.")
        Y, unit = np.log(np.where(live, Y, 1.0)), np.ones_like(Y)
    centre = Y - _mean(Y, factors, axis=2)[..., None]
    relative = 1.0 if recipe.space == "raw" else 1.0 / np.maximum(np.abs(rows.Y), 1e-300)
    scale = target_variance(Y, (W * unit) ** 2, factors)
    ridge = ridge_weights(law, rows, recipe, (W * relative) ** 2, factors, scale)
    robust = recipe.loss != "squared" and not surrogate
    thresholds, typical = np.full((1, len(W)), recipe.delta), np.zeros(len(W))
    if robust and recipe.loss == "absolute":
        typical = _mean(unit * np.abs(centre), factors, axis=(1, 2))
        typical = np.where(typical > 0.0, typical, 1.0)
        thresholds = typical * 10.0 ** -np.arange(1.0, 8.0)[:, None]
    weight = structure.spread(W)
    y, units, penalties = structure.spread(Y), structure.spread(unit), structure.place(ridge)
    return Objective(structure, y, units, weight, penalties, logarithmic, robust, thresholds, typical)


def _mean(values: FloatArray, factors: FloatArray, axis: int | tuple[int, ...]) -> FloatArray:
    """Mean of values (K or 1, targets, rows) over axes, every row counted `factors` times."""
    total = np.sum(factors, axis=axis)
    return np.asarray(np.sum(factors * values, axis=axis) / np.where(total > 0.0, total, 1.0))
