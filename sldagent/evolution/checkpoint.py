"""Where a search stands, kept in the archive now and then, so that a run of any length goes on at once.

The state of a search is a fold over all candidates, and folding a million takes many minutes.  A checkpoint holds what
came of it: who is on the islands and on the front, the tallies of operators, the trial of the emphasis, and a *trace* of
each candidate since the checkpoint before (its figures and the hashes by which repetitions are known).  Candidates
themselves are not repeated; those that breed are read from the archive by their index.

A checkpoint says nothing of candidates that were under way when it was made.  It is of use once these are in the archive
too: then the search reads them back, and whatever it proposes next follows from states that it has.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sldagent import __version__
from sldagent.archive.records import CandidateRecord, Checkpoint
from sldagent.evolution.bandit import Arm, Tally
from sldagent.evolution.compact import NO_TEXT, Figures, TextIndex, digest
from sldagent.evolution.config import RunConfig
from sldagent.evolution.contenders import Contenders
from sldagent.evolution.contenders import Figures as ContenderFigures
from sldagent.evolution.emphasis import Trial
from sldagent.evolution.island import Member
from sldagent.evolution.plan import Planned, Planner
from sldagent.evolution.state import SearchState
from sldagent.proposers.llm.concepts import Concept

EVERY = 500
"""Candidates between checkpoints."""
FORMAT = 1
"""Of what a checkpoint holds; another one for every change of what a search remembers."""
VERSION = f"{__version__}/{FORMAT}"
"""Who can go on from a checkpoint: the release that made it."""

TRACE = np.dtype(
    [
        ("x", "<f8"), ("complexity", "<f8"), ("mdl", "<f8"), ("fingerprint", "<u8"), ("key", "<u8"), ("structure", "<u8"),
        ("member", "u1"), ("valid", "u1"),
    ]
)  # fmt: skip
"""One candidate's trace; the hashes are `sldagent.evolution.compact.digest`."""


class CheckpointError(ValueError):
    """A checkpoint that does not fit the archive it lies in."""


@dataclass(frozen=True)
class Standing:
    """All that the future of a search follows from, beside what its planner remembers."""

    state: SearchState
    contenders: Contenders
    catalogue: list[int]
    """Indices of committed seeds that are published laws."""

    @classmethod
    def new(cls, config: RunConfig) -> Standing:
        """Of a search that has no candidate yet."""
        return cls(SearchState(config), Contenders(), [])


def reach(config: RunConfig) -> int:
    """Candidates that may be under way at any time."""
    return max(config.look_back, config.llm_look_back if config.llm else 0)


class Checkpoints:
    """Makes a checkpoint after every `every` commits; `committed` of them were made before."""

    def __init__(self, config: RunConfig, every: int = EVERY, committed: int = 0) -> None:
        self._every = every
        self._reach = reach(config)
        self._before = committed
        self._traces = np.zeros(every, TRACE)

    def add(self, planned: Planned, record: CandidateRecord, standing: Standing) -> Checkpoint | None:
        """Take in the candidate that has just been committed; the checkpoint where one is due."""
        e, member = record.evaluation, record.k in standing.state.figures
        self._traces[record.k - self._before] = (
            e.x, e.complexity, e.mdl, digest(e.fingerprint) if member and e.fingerprint else NO_TEXT,
            digest(planned.key) if planned.key else NO_TEXT, digest(planned.structure) if planned.key else NO_TEXT,
            member, e.valid,
        )  # fmt: skip
        committed = record.k + 1
        if committed - self._before < self._every:
            return None
        self._before = committed
        state, settled = json.dumps(_described(standing), default=_plain), max(0, committed - self._reach)
        return Checkpoint(committed, VERSION, state, self._traces.tobytes(), settled)


def _plain(value: np.generic) -> Any:
    """A NumPy scalar as JSON has it."""
    return value.item()


def _described(standing: Standing) -> dict[str, Any]:
    """All but the traces, as JSON-able values; what is in order stays so."""
    state, contenders = standing.state, standing.contenders
    return {
        "committed": state.committed,
        "islands": [[m.k for m in island.members] for island in state.islands],
        "front": list(state.front.indices),
        "table": [[*astuple(arm), *astuple(tally)] for arm, tally in state.table.rows.items()],
        "concepts": [list(astuple(concept)) for concept in state.concepts.known.values()],
        "recent_failures": [list(failure) for failure in state.recent_failures],
        "models_spent": state.models_spent,
        "failures": list(state.failures.items()),
        "trial": [state.trial.changes, state.trial.votes],
        "last_change": state.last_change,
        "reset_at": state.reset_at,
        "catalogue": standing.catalogue,
        "contenders": [[k, figures.misfit] for k, figures in contenders.kept.items()],
        "always": list(contenders.always),
    }


def restored(
    found: Checkpoint, traces: Iterable[bytes], config: RunConfig, planner: Planner,
    read: Callable[[Sequence[int]], Sequence[CandidateRecord]],
) -> Standing:
    """The search as it stood at the checkpoint `found`; `planner` then remembers what it did there.

    Args:
        traces: of all checkpoints up to this one, in order.
        read: the run's candidates with these indices.

    Raises CheckpointError where they do not belong together.
    """
    columns = _columns(found.committed, traces)
    first, last, figures = TextIndex(), TextIndex(), Figures()
    try:
        told = json.loads(found.state)
        if told["committed"] != found.committed:
            raise CheckpointError("it holds another state")
        standing = Standing.new(config)
        _counters(standing.state, told)
        _members(standing.state, told, planner, read, columns)
        _contenders(standing.contenders, told, columns)
        standing.catalogue.extend(told["catalogue"])
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise CheckpointError(f"it cannot be read: {error}") from error
    # A million candidates: each column goes as soon as it is used.
    del columns["mdl"], columns["valid"]
    usable, ks = columns.pop("member") == 1, np.arange(found.committed, dtype=np.int32)
    figures.take(columns.pop("x"), columns.pop("complexity"), usable)
    last.take(columns.pop("fingerprint")[::-1], ks[::-1])
    first.take(columns.pop("key"), ks)
    first.take(columns.pop("structure"), ks)
    standing.state.figures, standing.state.fingerprints = figures, last
    planner.recollect(first)
    return standing


def _columns(committed: int, traces: Iterable[bytes]) -> dict[str, NDArray[Any]]:
    """The traces of the first `committed` candidates by field.  Raises CheckpointError where there are others."""
    columns = {name: np.empty(committed, TRACE[name]) for name in TRACE.names or ()}
    end = 0
    for block in traces:
        if len(block) % TRACE.itemsize or end + len(block) // TRACE.itemsize > committed:
            raise CheckpointError("its traces are those of other candidates")
        part = np.frombuffer(block, TRACE)
        for name, column in columns.items():
            column[end : end + len(part)] = part[name]
        end += len(part)
    if end != committed:
        raise CheckpointError(f"traces of {committed - end} candidates are missing")
    return columns


def _counters(state: SearchState, told: dict[str, Any]) -> None:
    state.committed = int(told["committed"])
    state.table.rows.update({Arm(*row[:2]): Tally(*row[2:]) for row in told["table"]})
    state.concepts.known.update({(row[0], row[1]): Concept(*row) for row in told["concepts"]})
    state.recent_failures.extend((reason, detail) for reason, detail in told["recent_failures"])
    state.models_spent = bool(told["models_spent"])
    state.failures.update(dict(told["failures"]))
    state.trial = Trial(*told["trial"])
    state.last_change = int(told["last_change"])
    state.reset_at = list(told["reset_at"])


def _members(
    state: SearchState, told: dict[str, Any], planner: Planner,
    read: Callable[[Sequence[int]], Sequence[CandidateRecord]], columns: dict[str, NDArray[Any]],
) -> None:
    """Islands and front, with the programs that breed."""
    needed = sorted({*told["front"], *(k for island in told["islands"] for k in island)})
    members = {}
    for record in read(needed):
        k, e, program = record.k, record.evaluation, planner.read(record.source)
        if (e.x, e.complexity) != (columns["x"][k], columns["complexity"][k]):
            raise CheckpointError(f"candidate {k} is another one")
        members[k] = Member(k, program, e.x, e.complexity, e.mdl, e.valid, e)
    state.settle_down([[members[k] for k in island] for island in told["islands"]], [members[k] for k in told["front"]])
    if list(state.front.indices) != told["front"]:
        raise CheckpointError("its front is none")


def _contenders(contenders: Contenders, told: dict[str, Any], columns: dict[str, NDArray[Any]]) -> None:
    kept = {
        k: ContenderFigures(float(columns["x"][k]), float(columns["mdl"][k]), float(misfit), bool(columns["valid"][k]))
        for k, misfit in told["contenders"]
    }
    contenders.restore(kept, told["always"])
