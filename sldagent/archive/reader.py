"""What an archive tells: runs, candidates, fronts, scorings, and answers to SQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine

from sldagent.archive import check, checkpoints, query, read, references
from sldagent.archive.engine import Address, reading
from sldagent.archive.query import UNLIMITED, Answer, Limits
from sldagent.archive.records import (
    CandidateRecord,
    CandidateRow,
    Checkpoint,
    ReferenceRecord,
    RunRecord,
    ScoringRecord,
)
from sldagent.archive.trouble import explained
from sldagent.archive.watch import Watcher


class Reader:
    """The reading half of `sldagent.archive.store.Archive`, whose contract it shares."""

    def __init__(self, address: Address, engine: Engine) -> None:
        self._address = address
        self._engine = engine

    @property
    def place(self) -> str:
        """Where the archive is, for messages: a file, or an address without its password."""
        return self._address.place

    @contextmanager
    def _read(self, action: str = "read it") -> Iterator[Connection]:
        with explained(self.place, action), reading(self._engine) as connection:
            yield connection

    def check(self, *, contents: bool = True) -> list[str]:
        """What is wrong with the archive, one sentence each (see `sldagent.archive.check`)."""
        with self._read() as connection:
            return list(check.findings(connection, contents=contents))

    def runs(self) -> list[RunRecord]:
        """All runs, newest first."""
        with self._read() as connection:
            return read.runs(connection)

    def run(self, run_id: str) -> RunRecord:
        """The run with this id, or the only one whose id begins so.  Raises ArchiveError, naming near
        ones."""
        with self._read() as connection:
            return read.runs(connection, read.resolve_run(connection, run_id))[0]

    def candidates(self, run_id: str, after: int = -1) -> Iterator[CandidateRecord]:
        """The candidates of a run above index `after`, in order, read a few hundred at a time."""
        with self._read() as connection:
            run = read.resolve_run(connection, run_id)
        return self._stream(run, after)

    def _stream(self, run: str, last: int) -> Iterator[CandidateRecord]:
        while True:
            with self._read() as connection:
                chunk = read.candidates_after(connection, run, last)
            if not chunk:
                return
            last = chunk[-1].k
            yield from chunk

    def checkpoint(self, run: str, most: int) -> Checkpoint | None:
        """The run's newest checkpoint of at most `most` candidates, where it still holds a state."""
        with self._read() as connection:
            return checkpoints.newest(connection, run, most)

    def traces(self, run: str, committed: int) -> Iterator[bytes]:
        """What the run's checkpoints up to that of `committed` candidates say of each candidate, in order."""
        with self._read() as connection:
            yield from checkpoints.traces(connection, run, committed)

    def laws(self, run_id: str, ks: Sequence[int]) -> list[CandidateRecord]:
        """Several candidates of a run, in the order of `ks`.  Raises ArchiveError where one is missing."""
        with self._read() as connection:
            return read.candidates_named(connection, read.resolve_run(connection, run_id), ks)

    def ancestry(self, run_id: str, k: int, depth: int) -> list[list[CandidateRecord]]:
        """Candidate `k` of a run, its parents, theirs and so on: `depth` generations back at most, each law once."""
        with self._read() as connection:
            run = read.resolve_run(connection, run_id)
            generations = read.ancestors(connection, run, k, depth)
            records = iter(read.candidates_named(connection, run, [k for ks in generations for k in ks]))
        return [[next(records) for _ in ks] for ks in generations]

    def references(self, run_id: str) -> list[ReferenceRecord]:
        """The program files that a run was given, in order."""
        with self._read() as connection:
            return references.of_run(connection, read.resolve_run(connection, run_id))

    def candidate_rows(self, run_id: str) -> list[CandidateRow]:
        """Light rows of all candidates of a run, in order."""
        with self._read() as connection:
            return read.candidate_rows(connection, read.resolve_run(connection, run_id))

    def front(self, run_id: str) -> list[CandidateRecord]:
        """The run's non-dominated candidates in (complexity, x), simplest first."""
        with self._read() as connection:
            run = read.resolve_run(connection, run_id)
            return read.candidates_named(connection, run, read.front_indices(connection, run))

    def law(self, law_id: str) -> tuple[RunRecord, CandidateRecord]:
        """A law by its id, or a run's choice by the run's id.  Raises ArchiveError for an unknown one."""
        with self._read() as connection:
            run, k = read.resolve_law(connection, law_id)
            return read.runs(connection, run)[0], read.candidates_named(connection, run, [k])[0]

    def scorings(self) -> list[ScoringRecord]:
        """Every logged reading of rows outside training, oldest first."""
        with self._read() as connection:
            return read.scorings(connection)

    def watcher(self) -> Watcher:
        """Looks at runs while they work."""
        return Watcher(self._read)

    def query(self, sql: str, values: Mapping[str, Any] | None = None, limits: Limits = UNLIMITED) -> Answer:
        """(column names, rows) of one SQL statement that only reads; `values` fill ``:name`` placeholders.

        Raises ArchiveError for a mistake in the SQL, more than one statement, an attempt to change anything, or a
        statement that took longer than `limits` allows.
        """
        return query.ask(self._address, self._engine, sql, values or {}, limits)
