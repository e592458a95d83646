"""Programs with fitting code of their own: one jailed call finds the constants, the host evaluates the law.

The code gets the rows of one fit and the law as an object (predictions, residuals, Jacobian, parameters' names and bounds);
it gives numbers, which are rounded to 8 significant digits and checked against the declared bounds.  Without shared
parameters it is called once per group; with shared ones once for all groups, every group's own parameters side by side and
the shared ones once, at the end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import JailUnavailable
from sldagent.evaluation.feedback import marked, one_line
from sldagent.evaluation.result import Failure
from sldagent.fitting.fixed import fixed
from sldagent.fitting.reference import reference as op
from sldagent.fitting.result import FitResult, Point, make_blocks
from sldagent.fitting.rows import Rows
from sldagent.fitting.tape import CompiledLaw
from sldagent.laws.program import Program
from sldagent.sandbox.types import Answer, Job, Limits
from sldagent.tasks.task import Task

FloatArray = NDArray[np.float64]

DIGITS = 8
"""Significant digits that a parameter found by jailed code keeps."""
SECONDS = 12.0
"""Wall time that one program's own fits may take together: less than a worker's cap for one candidate."""
POLISH = 60
"""Trial points of the engine's polish, where it is asked for."""
MAX_NUMBERS = 2_000
"""Parameters of one call."""


class CustomFitFailed(Exception):
    """A program's own code found nothing on a cut; `result` says why."""

    def __init__(self, result: FitResult) -> None:
        super().__init__(result.failure)
        self.result = result


class Caller(Protocol):
    """The part of a jail that is used here."""

    def call(self, job: Job, limits: Limits | None = None) -> Answer: ...


class JailSource(Protocol):
    """Gives the jail that a program's text needs; started when first asked for."""

    def jail_for(self, source: str) -> Caller: ...


@dataclass(frozen=True)
class Numbering:
    """How the jailed code's parameters are numbered.

    A vector holds, for each block (group, then target where targets have parameters of their own), the local parameters,
    and at its end the shared ones (by target).  `joint`: one vector for all groups; else one per group.
    """

    joint: bool
    groups: tuple[int, ...]
    """Groups present, in order."""
    targets: int
    """Blocks per group: the targets where each has parameters of its own, else 1."""
    rank: tuple[int, ...]
    """Place of each of the law's slots among the local, or the shared, ones: in the order of their declaration."""
    local: int
    shared: int

    @property
    def size(self) -> int:
        """Numbers in a vector."""
        return (len(self.groups) if self.joint else 1) * self.targets * self.local + self.targets * self.shared

    def place(self, group: int, target: int, q: int) -> int:
        """Position of slot `q` of the `group`-th group present and a target."""
        if q < self.local:
            return ((group if self.joint else 0) * self.targets + target) * self.local + self.rank[q]
        blocks = len(self.groups) if self.joint else 1
        return blocks * self.targets * self.local + target * self.shared + self.rank[q]


def round_significant(values: FloatArray, digits: int = DIGITS) -> FloatArray:
    """Every number to so many significant digits: what a law needs, and too little to hide data in."""
    text = np.char.mod(f"%.{digits - 1}e", np.asarray(values, dtype=np.float64))
    return np.asarray(text.astype(np.float64))


def custom_fit(
    program: Program,
    law: CompiledLaw,
    rows: Rows,
    task: Task,
    source: JailSource | None,
    *,
    polish: bool,
    seconds: float = SECONDS,
) -> FitResult:
    """Find the constants of `law` on `rows` by the program's own code, in the jail.

    Every failure is in the result: its `failure` in words, its `reason` as in `Evaluation`.
    """
    assert program.custom_fit is not None
    if source is None:
        return _failed(law, rows, "limits", "the program brings fitting code of its own, and there is no jail to run it in")
    numbering = _numbering(law, rows)
    if numbering.size > MAX_NUMBERS:
        return _failed(law, rows, "limits", f"its fitting code would have to find {numbering.size} numbers at once")
    try:
        jail = source.jail_for(program.custom_fit)
    except JailUnavailable as error:
        return _failed(law, rows, "worker", f"there is no jail to run its fitting code in: {error}")
    answer = jail.call(_job(program, law, rows, task, numbering), Limits(wall_seconds=max(seconds, 0.05)))
    feedback = marked(answer.log, "" if answer.failure is None else answer.failure.message)
    if answer.failure is not None:
        failure = failure_of(answer)
        return replace(_failed(law, rows, failure.reason, failure.detail), feedback=feedback)
    vectors = [answer.arrays.get(f"params/{k}") for k in range(1 if numbering.joint else len(numbering.groups))]
    try:
        point = _point(law, rows, numbering, vectors)
    except ValueError as error:
        return replace(_failed(law, rows, "program", str(error)), feedback=feedback)
    result = fixed(law, rows, program.recipe, point, polish=POLISH if polish else 0)
    return replace(result, by="custom+polish" if polish else "custom", feedback=feedback)


def failure_of(answer: Answer) -> Failure:
    """A jailed call's failure as a candidate's: the cap in seconds, the jail itself, or the program."""
    assert answer.failure is not None
    kind, message = answer.failure.kind, one_line(answer.failure.message)
    if kind in ("wall-time", "cpu-time"):
        return Failure("time", message or f"the program ran into its limit ({kind})")
    if kind == "jail":
        return Failure("worker", f"the jail failed: {message}")
    return Failure("program", f"{kind}: {message}")


def _numbering(law: CompiledLaw, rows: Rows) -> Numbering:
    present = tuple(int(g) for g in np.nonzero(np.diff(rows.starts) > 0)[0])
    declared = {p.name: k for k, p in enumerate(law.law.parameters)}
    key = [(declared[name], element) for name, element in law.slots]
    rank = [0] * len(key)
    for part in (range(law.local), range(law.local, len(key))):
        for place, q in enumerate(sorted(part, key=key.__getitem__)):
            rank[q] = place
    return Numbering(law.shared > 0, present, law.targets if law.split else 1, tuple(rank), law.local, law.shared)


def _job(program: Program, law: CompiledLaw, rows: Rows, task: Task, numbering: Numbering) -> Job:
    place = np.searchsorted(numbering.groups, rows.group)
    features = law.tapes.matrix(rows)
    if numbering.joint:
        own = (place[None, :] == np.arange(len(numbering.groups))[:, None]).astype(float)
        features = np.concatenate([features, own])
    tapes = [_tape(law, t, numbering, len(features) - len(numbering.groups)) for t in range(law.targets)]
    height = max(len(tape) for tape in tapes)
    lines = np.zeros((law.targets, height, 4))
    for t, tape in enumerate(tapes):
        lines[t, : len(tape)] = tape
    names, lower, upper = _declared(law, numbering)
    symbols, X = list(task.symbols), rows.X
    if "group" not in symbols:
        symbols, X = [*symbols, "group"], np.column_stack([rows.X, place])
    arrays: dict[str, NDArray[Any]] = {
        "rows": X, "targets": rows.Y.T, "group": np.zeros(rows.n) if numbering.joint else place, "features": features,
        "ops": lines[:, :, 0], "left": lines[:, :, 1], "right": lines[:, :, 2], "value": lines[:, :, 3],
        "lengths": np.array([len(tape) for tape in tapes]), "lower": lower, "upper": upper,
    }  # fmt: skip
    plain = {name: np.ascontiguousarray(values, dtype=np.float64) for name, values in arrays.items()}
    options = {"variables": symbols, "parameters": names, "log": program.recipe.space == "log"}
    assert program.custom_fit is not None
    return Job(program.custom_fit, "custom_fit", plain, options)


def _tape(law: CompiledLaw, target: int, numbering: Numbering, first: int) -> list[tuple[int, int, int, float]]:
    """A target's tape with its parameters numbered as the jailed code sees them.

    With one vector for all groups, a group's own parameter becomes the sum over groups of (row is of the group) times its
    parameter; the indicators are the features from `first` on.
    """
    tapes, block = law.tapes, target if law.split else 0
    out: list[tuple[int, int, int, float]] = []
    place: dict[int, int] = {}
    for k in range(int(tapes.lengths[target])):
        code = int(tapes.ops[target, k])
        left, right = int(tapes.left[target, k]), int(tapes.right[target, k])
        if code == op.PARAMETER and numbering.joint and left < numbering.local:
            for g in range(len(numbering.groups)):
                at = len(out)
                out += [(op.FEATURE, first + g, 0, 0.0), (op.PARAMETER, numbering.place(g, block, left), 0, 0.0)]
                out.append((op.MUL, at, at + 1, 0.0))
                if g:
                    out.append((op.ADD, at - 1, at + 2, 0.0))
        elif code == op.PARAMETER:
            out.append((code, numbering.place(0, block, left), 0, 0.0))
        elif code in (op.CONST, op.FEATURE):
            out.append((code, left, right, float(tapes.value[target, k])))
        else:
            out.append((code, place[left], place[right] if code in op.BINARY else 0, 0.0))
        place[k] = len(out) - 1
    return out


def _declared(law: CompiledLaw, numbering: Numbering) -> tuple[list[str], FloatArray, FloatArray]:
    """Names and bounds of the vector's numbers."""
    names = [""] * numbering.size
    lower, upper = np.full(numbering.size, -np.inf), np.full(numbering.size, np.inf)
    for g in range(len(numbering.groups) if numbering.joint else 1):
        for t in range(numbering.targets):
            for q, (name, element) in enumerate(law.slots):
                at, parameter = numbering.place(g, t, q), law.parameter_of(q)
                axis = law.target_axis[name]
                own = (*element[:axis], t, *element[axis + 1 :]) if law.split else element
                label = name + (f"[{','.join(map(str, own))}]" if own else "")
                names[at] = f"{label}@{g}" if numbering.joint and q < numbering.local else label
                if parameter.kind == "positive":
                    lower[at] = 0.0
                elif parameter.kind == "interval":
                    lower[at], upper[at] = parameter.lower, parameter.upper
    return names, lower, upper


def _point(law: CompiledLaw, rows: Rows, numbering: Numbering, vectors: list[FloatArray | None]) -> Point:
    """The engine's point for the vectors that came back.  ValueError: wrong in number, not finite or out of bounds."""
    names, lower, upper = _declared(law, numbering)
    found = []
    for vector in vectors:
        if vector is None or vector.shape != (numbering.size,) or not np.isfinite(vector).all():
            raise ValueError(f"custom_fit did not return {numbering.size} finite numbers")
        outside = (vector < lower - 1e-7 * (1 + np.abs(lower))) | (vector > upper + 1e-7 * (1 + np.abs(upper)))
        if outside.any():
            worst = int(np.argmax(outside))
            raise ValueError(
                f"custom_fit returned {names[worst]} = {vector[worst]:.6g}, outside its bounds "
                f"[{lower[worst]:g}, {upper[worst]:g}]"
            )
        found.append(round_significant(vector))
    blocks = make_blocks(law, rows)
    local = np.empty((len(blocks.group), law.local))
    shared = np.empty((len(blocks.problems) - 1, law.shared))
    index = {g: k for k, g in enumerate(numbering.groups)}
    for b, (group, target) in enumerate(zip(blocks.group, blocks.target, strict=True)):
        vector = found[0 if numbering.joint else index[int(group)]]
        for q in range(law.local):
            local[b, q] = _engine(law, q, vector[numbering.place(index[int(group)], max(int(target), 0), q)])
    for problem in range(len(shared)):
        for s in range(law.shared):
            q = law.local + s
            shared[problem, s] = _engine(law, q, found[0][numbering.place(0, problem, q)])
    return Point(local, shared)


def _engine(law: CompiledLaw, q: int, value: float) -> float:
    """A parameter's value in the engine's space."""
    if law.transform[q] == 1:
        value = float(np.log(value)) if value > 0 else -np.inf
    return float(np.clip(value, law.lower[q], law.upper[q]))


def _failed(law: CompiledLaw, rows: Rows, reason: str, said: str) -> FitResult:
    blocks = make_blocks(law, rows)
    nothing = Point(
        np.full((len(blocks.group), law.local), np.nan), np.full((len(blocks.problems) - 1, law.shared), np.nan)
    )
    return FitResult(law, nothing, blocks, np.inf, 0, said, reason=reason, by="custom")
