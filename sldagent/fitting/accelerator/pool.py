"""Runs many starts of many problems through the lanes of a device: chunked by memory, refilled as lanes finish."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from sldagent.fitting.accelerator import lanes
from sldagent.fitting.accelerator.classes import SizeClass, power_of_two
from sldagent.fitting.accelerator.devices import Device, double_precision
from sldagent.fitting.accelerator.encode import Arrays, Objective
from sldagent.fitting.accelerator.interpret import TapeArrays
from sldagent.fitting.accelerator.objective import LaneData

FloatArray = NDArray[np.float64]
PASSES = 8
"""Evaluations between two looks at which lanes have finished."""
NARROW = 16
"""Where no start waits, the lanes move to a kernel this many times narrower once they fit."""
INSTANCES = 8192
"""Most problems (times weight sets) whose data are on the device at once."""


@dataclass(frozen=True)
class Request:
    """Starts of one objective.  Instances are weight sets times problems, the weight set first."""

    objective: Objective
    local: FloatArray
    """(starts, instances, blocks, pl)"""
    shared: FloatArray
    """(starts, instances, ps)"""
    inner: bool
    limit: int
    tolerance: float
    delta: FloatArray
    """(K,)"""
    curvature: float = 1.0
    """Root of the share of the curvature beyond delta that is taken."""

    @property
    def size(self) -> SizeClass:
        return self.objective.structure.size


@dataclass(frozen=True)
class Reached:
    """Where the starts of a request ended; shapes as there."""

    value: FloatArray
    """(starts, instances) objectives, +inf where a start has none."""
    local: FloatArray
    shared: FloatArray
    evaluations: int


@dataclass(frozen=True)
class _Part:
    """A slice of a request's instances whose data are on the device together with others'."""

    request: int
    first: int
    end: int


def minimise(
    requests: Sequence[Request], on: Device, width: int | None = None, until: float = math.inf
) -> list[Reached]:
    """Minimise every request from all its starts; requests of one size class share lanes.

    Args:
        until: reading of the monotonic clock at which starts that have not ended are given up: they stay where they
            began, with objective +inf.
        width: lanes, where not the device's own choice (results do not depend on it beyond rounding).
    """
    out = [Reached(np.full(r.local.shape[:2], np.inf), r.local.copy(), r.shared.copy(), 0) for r in requests]
    spent = [0] * len(requests)
    for size in dict.fromkeys(r.size for r in requests):
        mine = [k for k, r in enumerate(requests) if r.size == size]
        for chunk in _chunks(requests, mine, size, on):
            with double_precision():
                _run(requests, chunk, size, on, width, out, spent, until)
    return [Reached(r.value, r.local, r.shared, n) for r, n in zip(out, spent, strict=True)]


def _chunks(requests: Sequence[Request], mine: Sequence[int], size: SizeClass, on: Device) -> Iterator[list[_Part]]:
    """The instances of some requests in slices that fit a quarter of the budget."""
    each = 8 * size.targets * size.blocks * size.rows * (size.features + 3)
    room = limit = int(np.clip(on.bytes // 4 // each, 1, INSTANCES))
    chunk: list[_Part] = []
    for k in mine:
        first, instances = 0, requests[k].local.shape[1]
        while first < instances:
            end = min(instances, first + room)
            chunk.append(_Part(k, first, end))
            room -= end - first
            first = end
            if room == 0:
                yield chunk
                chunk, room = [], limit
    if chunk:
        yield chunk


class _Banks:
    """What the lanes of a chunk read, on the device once for all starts: tapes, tables, weights, settings."""

    def __init__(self, requests: Sequence[Request], chunk: Sequence[_Part]) -> None:
        host: list[list[Arrays]] = [[], [], [], []]
        ids: list[NDArray[np.int64]] = []
        offset = np.zeros(4, np.int64)
        for part in chunk:
            request = requests[part.request]
            structure, objective = request.objective.structure, request.objective
            instance = np.arange(part.first, part.end)
            k, problem = instance // structure.problems, instance % structure.problems
            tables, table = np.unique(problem, return_inverse=True)
            settings, setting = np.unique(k, return_inverse=True)
            rows: list[Arrays] = [
                _tape_rows(request),
                {"features": structure.features[tables], "y": objective.y[tables], "unit": objective.unit[tables]},
                {"weight": objective.weight[k, problem]},
                _setting_rows(request, settings),
            ]
            own = (structure.tape_of[problem], table, np.arange(len(instance)), setting)
            ids.append(np.stack(own) + offset[:, None])
            for number, bank in enumerate(rows):
                host[number].append(bank)
                offset[number] += len(next(iter(bank.values())))
        self.ids = np.concatenate(ids, axis=1)
        """(4, instances) row of every instance in each bank."""
        self.device = tuple(_upload(bank) for bank in host)

    def gather(self, instance: NDArray[np.int64]) -> LaneData:
        """The data of lanes that work on these instances."""
        found: dict[str, Any] = {}
        for bank, rows in zip(self.device, self.ids[:, instance], strict=True):
            found |= _take(bank, jnp.asarray(rows))
        tape = TapeArrays(*(found.pop(name) for name in TapeArrays._fields))
        return LaneData(tape=tape, **found)


@jax.jit
def _take(bank: Any, rows: Any) -> Any:
    return jax.tree.map(lambda a: a[rows], bank)


def _upload(bank: list[Arrays]) -> dict[str, Any]:
    """Rows of all parts, padded to a power of two, on the device."""
    out = {}
    for name in bank[0]:
        rows = np.concatenate([part[name] for part in bank])
        padded = np.zeros((power_of_two(len(rows), 8), *rows.shape[1:]), rows.dtype)
        padded[: len(rows)] = rows
        out[name] = jnp.asarray(padded)
    return out


def _tape_rows(request: Request) -> Arrays:
    structure = request.objective.structure
    law = structure.law
    declared = {
        "transform": structure.place(law.transform == 1),
        "lower": structure.place(law.lower),
        "upper": structure.place(law.upper),
        "linear": structure.place(law.linear),
    }
    sets = len(structure.tapes["ops"])
    return structure.tapes | {name: np.repeat(values[None], sets, axis=0) for name, values in declared.items()}


def _setting_rows(request: Request, sets: NDArray[np.int64]) -> Arrays:
    objective, law = request.objective, request.objective.structure.law
    affine = request.inner and law.shared == 0 and bool(law.linear.all())
    every: dict[str, Any] = {
        "affine": affine and not objective.robust and not objective.logarithmic,
        "logarithmic": objective.logarithmic,
        "robust": objective.robust,
        "inner": request.inner,
        "limit": np.int32(request.limit),
        "tolerance": float(request.tolerance),
        "curvature": float(request.curvature),
    }
    constant = {name: np.full(len(sets), value) for name, value in every.items()}
    return {"ridge": objective.penalties(request.delta)[sets], "delta": request.delta[sets], **constant}


def widths(size: SizeClass, on: Device) -> list[int]:
    """Numbers of lanes for which kernels exist, narrowest first."""
    fit = max(1, min(on.elements // (size.targets * size.blocks * size.rows), on.bytes // 2 // size.lane_bytes()))
    largest = min(power_of_two(fit + 1) // 2, 1 << 15)
    return sorted({max(1, largest // NARROW**k) for k in range(2)})


def _run(
    requests: Sequence[Request],
    chunk: Sequence[_Part],
    size: SizeClass,
    on: Device,
    width: int | None,
    out: Sequence[Reached],
    spent: list[int],
    until: float,
) -> None:
    """Every start of a chunk's instances through the lanes, in place on `out` and `spent`."""
    banks = _Banks(requests, chunk)
    # one job per start: position in the chunk's instances, and where its result belongs
    job_instance, job_part, job_start, base = [], [], [], 0
    for number, part in enumerate(chunk):
        count, starts = part.end - part.first, requests[part.request].local.shape[0]
        job_instance.append(np.tile(np.arange(base, base + count), starts))
        job_start.append(np.repeat(np.arange(starts), count))
        job_part.append(np.full(starts * count, number))
        base += count
    instance, start, owner = (np.concatenate(x) for x in (job_instance, job_start, job_part))
    local = np.concatenate([_flat(requests[p.request].local[:, p.first : p.end]) for p in chunk])
    shared = np.concatenate([_flat(requests[p.request].shared[:, p.first : p.end]) for p in chunk])
    value, count_of = _through(banks, instance, local, shared, size, [width] if width else widths(size, on), until)
    bases = np.concatenate([[0], np.cumsum([p.end - p.first for p in chunk])])
    for number, part in enumerate(chunk):
        mine = owner == number
        where = (start[mine], instance[mine] - bases[number] + part.first)
        reached = out[part.request]
        reached.value[where], reached.local[where], reached.shared[where] = value[mine], local[mine], shared[mine]
        spent[part.request] += int(count_of[mine].sum())


def _flat(x: FloatArray) -> FloatArray:
    """(starts * instances, ...) of (starts, instances, ...)."""
    return x.reshape(x.shape[0] * x.shape[1], *x.shape[2:])


def _through(
    banks: _Banks,
    instance: NDArray[np.int64],
    local: FloatArray,
    shared: FloatArray,
    size: SizeClass,
    choice: list[int],
    until: float,
) -> tuple[FloatArray, NDArray[np.int64]]:
    """Minimise from every start, in place; objectives and evaluations."""
    jobs = len(instance)
    value, count = np.full(jobs, np.inf), np.zeros(jobs, np.int64)
    W = next((w for w in choice if w >= jobs), choice[-1])
    slot = np.full(W, -1)  # job of each lane
    state = lanes.empty_state(W, size.blocks, size.local, size.shared)
    data, waiting = None, 0
    while time.monotonic() < until:
        free = np.nonzero(slot < 0)[0][: jobs - waiting]
        if free.size:
            slot[free] = np.arange(waiting, waiting + free.size)
            waiting += free.size
        narrower = max((w for w in choice if w * NARROW <= W), default=0)
        busy = np.nonzero(slot >= 0)[0]
        if waiting == jobs and narrower >= busy.size > 0 and not free.size:
            keep = np.concatenate([busy, np.nonzero(slot < 0)[0]])[:narrower]
            state, slot, W, data = _take(state, jnp.asarray(keep)), slot[keep], narrower, None
        job = np.maximum(slot, 0)
        if free.size or data is None:
            fresh = np.zeros(W, bool)
            fresh[free] = True
            if free.size:
                state = lanes.restart(state, jnp.asarray(fresh), jnp.asarray(local[job]), jnp.asarray(shared[job]))
            data = banks.gather(instance[job])
        state = lanes.advance(data, state, jnp.int32(PASSES))
        done = np.nonzero((np.asarray(state.phase) == lanes.DONE) & (slot >= 0))[0]
        if done.size:
            jobs_done = slot[done]
            value[jobs_done], count[jobs_done] = np.asarray(state.objective)[done], np.asarray(state.count)[done]
            local[jobs_done], shared[jobs_done] = np.asarray(state.local)[done], np.asarray(state.shared)[done]
            slot[done] = -1
        if waiting == jobs and (slot < 0).all():
            break
    return value, count
