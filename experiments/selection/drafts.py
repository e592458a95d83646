"""From a draft (inputs, a true law and its constants) to a simulated table with known truth.

Training rows carry noise whose standard deviation is a fraction of the target's spread, which is the standard deviation of
the noise-free training values about their group's mean.  Test rows lie beyond the training scale and carry no noise, so
that a score on them is a score against the truth.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sldagent.fitting.public import predict
from sldagent.fitting.tape import layout_of
from sldagent.laws.parse import parse_program
from sldagent.laws.program import Program
from sldagent.tasks.build import build_task
from sldagent.tasks.guess import complete
from sldagent.tasks.roles import Roles
from sldagent.tasks.table import table_from_frame
from sldagent.tasks.task import Target, Task, Variable

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Simulated:
    """A table whose law is known."""

    name: str
    kind: str
    task: Task
    """Noisy training rows and noise-free test rows."""
    truth: str
    """Program of the true law."""
    parameters: Mapping[str, Array]
    """The constants that made the table, with the axes of `sldagent.fitting.public.predict`."""

    @property
    def program(self) -> Program:
        return parse_program(self.truth)


class Draw:
    """Random constants of a table: near those of the literature, other ones for every seed."""

    def __init__(self, name: str, seed: int) -> None:
        self.rng = np.random.default_rng([seed, zlib.crc32(name.encode()), 0])

    def near(self, value: float, share: float = 0.08) -> float:
        """The value times a lognormal factor of that spread."""
        return float(value * np.exp(share * np.clip(self.rng.normal(), -2, 2)))

    def each(self, value: float, share: float, *shape: int) -> Array:
        """Group constants around a value (lognormal)."""
        return np.asarray(value * np.exp(share * np.clip(self.rng.normal(size=shape), -2, 2)))

    def between(self, low: float, high: float, *shape: int) -> Array:
        return self.rng.uniform(low, high, size=shape)


@dataclass(frozen=True)
class Draft:
    """What a simulated table is made of; every array has one entry per row."""

    kind: str
    columns: Mapping[str, Array]
    judged: NDArray[np.bool_]
    """Rows beyond the training scale."""
    truth: str
    values: Mapping[str, Any]
    """True constants by name: a number or an array without the group axis (shared), see `per_group`."""
    roles: Mapping[str, Variable]
    """Columns that are not plain scale variables."""
    targets: tuple[Target, ...] = (Target("loss", (0.0, math.inf)),)
    group: Sequence[str] | None = None
    per_group: frozenset[str] = frozenset()
    """Names in `values` whose first axis is the group."""
    run: NDArray[np.int64] | None = None
    noise_factor: Array | None = None
    """(rows,) multiplies the noise; None: one."""
    correlation: float = 0.0
    """Of the noise of neighbouring rows of a run (autoregressive); half of its variance is the run's own."""
    vectors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def program(arguments: str, formula: str, *, starts: int = 32, **parameters: str) -> str:
    """Text of a program; parameters by name as declared (``positive(start=(0.1, 1))``)."""
    declared = ",\n    ".join(f'"{name}": {text}' for name, text in parameters.items())
    return (
        f"def law({arguments}, {', '.join(parameters)}):\n    return {formula}\n\n"
        f"parameters = {{\n    {declared},\n}}\n"
        f'recipe = fit(loss="squared", space="raw", starts={starts})\n'
    )


def power(low: float, high: float, extra: str = "") -> str:
    """Declaration of a positive parameter that starts within a range."""
    return f"positive(start=({low:g}, {high:g}){extra})"


SHARED = ', scope="shared"'


def crossed(**levels: Sequence[float] | NDArray[Any]) -> dict[str, Array]:
    """Columns of all combinations, the first variable slowest."""
    mesh = np.meshgrid(*[np.asarray(v, dtype=float) for v in levels.values()], indexing="ij")
    return {name: m.ravel() for name, m in zip(levels, mesh, strict=True)}


def stacked(*parts: Mapping[str, Array]) -> dict[str, Array]:
    """Rows of all parts, one part below the other."""
    return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}


def grouped(columns: Mapping[str, NDArray[Any]], groups: Sequence[str]) -> tuple[dict[str, Array], list[str]]:
    """The same rows once per group: columns and group labels."""
    n = len(next(iter(columns.values())))
    return {k: np.tile(v, len(groups)) for k, v in columns.items()}, [g for g in groups for _ in range(n)]


def realise(name: str, make: Callable[[Draw], Draft], noise: float, seed: int) -> Simulated:
    """The table of a draft at a noise level (fraction of the target's spread)."""
    draft = make(Draw(name, seed))
    task = _task(name, draft)
    parameters = _parameters(draft, len(task.groups))
    clean = predict(parse_program(draft.truth).law, parameters, task.X, task.group, layout_of(task))
    if not np.isfinite(clean).all():
        raise ValueError(f"{name}: the true law is not finite on row {int(np.argwhere(~np.isfinite(clean))[0, 0])}")
    train = ~draft.judged
    rng = np.random.default_rng([seed, zlib.crc32(name.encode()), 1])
    Y = clean + noise * _spread(clean, task.group, train) * _unit_noise(draft, clean.shape, rng) * train[:, None]
    return Simulated(name, draft.kind, _with_targets(task, Y), draft.truth, parameters)


def _task(name: str, draft: Draft) -> Task:
    frame = pd.DataFrame({**draft.columns, **{t.name: np.ones(len(draft.judged)) for t in draft.targets}})
    frame["split"] = np.where(draft.judged, "test", "train")
    if draft.group is not None:
        frame["group"] = list(draft.group)
    if draft.run is not None:
        frame["run"] = [f"run {r}" for r in draft.run]
    roles = Roles(
        name=f"sim_{name}",
        description=f"Simulated: {draft.kind}",
        variables=tuple(draft.roles.get(c, Variable(c, c, "scale")) for c in draft.columns),
        targets=draft.targets,
        ranged=frozenset(t.name for t in draft.targets),
        group="group" if draft.group is not None else "",
        split="split",
        run="run" if draft.run is not None else None,
        vectors=draft.vectors or None,
    )
    table = table_from_frame(frame, f"sim_{name}")
    return build_task(complete(roles, table), table)


def _with_targets(task: Task, Y: Array) -> Task:
    return replace(task, Y=Y, notes=())


def _parameters(draft: Draft, groups: int) -> dict[str, Array]:
    law = parse_program(draft.truth).law
    out = {}
    for p in law.parameters:
        value = np.asarray(draft.values[p.name], dtype=float)
        if p.name in draft.per_group:
            out[p.name] = value
        else:
            out[p.name] = np.repeat(value[None], 1 if p.scope == "shared" else groups, axis=0)
    return out


def _spread(clean: Array, group: NDArray[np.int64], train: NDArray[np.bool_]) -> Array:
    """(targets,) standard deviation of the noise-free training values about their group's mean."""
    centred = clean[train].copy()
    for g in np.unique(group[train]):
        rows = group[train] == g
        centred[rows] -= centred[rows].mean(axis=0)
    return np.asarray(np.sqrt(np.mean(centred**2, axis=0)))


def _unit_noise(draft: Draft, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Noise of unit variance: independent, or correlated within runs."""
    noise = rng.normal(size=shape)
    if draft.run is not None and draft.correlation > 0.0:
        rho = draft.correlation
        for run in np.unique(draft.run):
            rows = np.flatnonzero(draft.run == run)
            walk = noise[rows].copy()
            for k in range(1, len(rows)):
                walk[k] = rho * walk[k - 1] + math.sqrt(1.0 - rho**2) * noise[rows[k]]
            noise[rows] = math.sqrt(0.5) * (walk + rng.normal(size=shape[1]))
    return noise if draft.noise_factor is None else noise * draft.noise_factor[:, None]
