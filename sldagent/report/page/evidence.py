"""What there is to say about a run: read from its archive, and where its table is at hand, measured on its training rows."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from sldagent.archive.chat import AttemptRecord
from sldagent.archive.query import named_queries
from sldagent.archive.records import CandidateRecord, CandidateRow, Origin, ReferenceRecord, RunRecord, ScoringRecord
from sldagent.archive.store import Archive
from sldagent.chat.ledger import Amount
from sldagent.chat.prices import NANO
from sldagent.errors import ArchiveError, ConfigError, SldagentError
from sldagent.evaluation.choice import FAR, believed, choose
from sldagent.evaluation.evaluate import Evaluator
from sldagent.evaluation.result import Evaluation
from sldagent.evolution.search import CATALOGUE
from sldagent.fitted import Fitted, from_candidate
from sldagent.origin import load_again
from sldagent.report.beyond import Beyond, predict_beyond
from sldagent.report.build import TEN_TIMES, Line, baselines, published_names
from sldagent.report.lineage import Ancestor, ancestry
from sldagent.report.status import Status, run_status
from sldagent.session import Grounds, prepare
from sldagent.tasks.digest import task_digest
from sldagent.tasks.task import Task
from sldagent.uncertainty.bootstrap import Interval, parameter_intervals

NEAR = 400
"""Candidates of lowest X among which a run that has not chosen is asked for its best law."""
LISTED = 3
Rows = tuple[tuple[str, ...], list[tuple[object, ...]]]


@dataclass(frozen=True)
class Law:
    """A law of the run with what the archive knows of it."""

    fitted: Fitted
    record: CandidateRecord
    name: str = ""
    """Of the published law that has its structure; '' where none has, or where the table is not at hand."""


@dataclass(frozen=True)
class Evidence:
    """See the module's docstring."""

    status: Status
    place: str
    """The archive, for messages and commands: a file, or an address without its password."""
    origin: Origin | None
    grounds: Grounds | None
    """The training rows and cuts; None where the table is not at hand."""
    absent: str
    """Why it is not, one sentence."""
    candidates: tuple[CandidateRow, ...]
    shortlist: tuple[Law, ...]
    """The choice first; of a run that has not chosen, what its candidates so far would lead to."""
    reason: str
    """Why that law."""
    published: tuple[Law, ...]
    """Laws of the catalogue that could be fitted, by rising X."""
    lineage: tuple[Ancestor, ...]
    references: tuple[ReferenceRecord, ...]
    seeds: int
    """Laws that the run was given to begin with."""
    scorings: tuple[ScoringRecord, ...]
    queries: Mapping[str, Rows]
    """Answers of the named queries operators, failures and models."""
    spent: Amount
    refused: int
    """Requests to language models that came back without an answer."""

    @property
    def run(self) -> RunRecord:
        return self.status.record

    @property
    def chosen(self) -> bool:
        """Whether the run itself has chosen."""
        return self.run.choice is not None

    @property
    def choice(self) -> Law | None:
        return self.shortlist[0] if self.shortlist else None

    @property
    def train(self) -> Task | None:
        return None if self.grounds is None else self.grounds.train

    @cached_property
    def evaluator(self) -> Evaluator | None:
        return None if self.grounds is None else Evaluator(self.grounds.train, self.grounds.cuts)

    @cached_property
    def names(self) -> Mapping[str, str]:
        """Structure hash -> name of the published law; empty where the table is not at hand."""
        return {} if self.train is None else published_names(self.train)

    @cached_property
    def intervals(self) -> Mapping[str, Interval]:
        """Of the choice's parameters."""
        if self.choice is None or self.evaluator is None:
            return {}
        return parameter_intervals(self.evaluator, self.choice.fitted.program)

    @cached_property
    def baselines(self) -> tuple[Line, ...]:
        return () if self.evaluator is None else tuple(baselines(self.evaluator))

    @cached_property
    def beyond(self) -> Beyond | None:
        """Predictions of the short list ten times beyond the data."""
        laws = [law.fitted for law in self.shortlist]
        return predict_beyond(laws, TEN_TIMES, self.train) if laws else None


def gather(
    archive: Archive, run: str, *, table: str | Path | None = None, data: Path | None = None
) -> Evidence:
    """Read a run.

    Args:
        table, data: where its table is now, if it moved.

    Raises ArchiveError for an unknown run, or one that has no candidate yet; and where `table` is given, TableError and
    ConfigError where it cannot be read or is another one.
    """
    status = run_status(archive, run)
    record = status.record
    rows = tuple(archive.candidate_rows(record.run))
    if not rows:
        way = "wait for its first law" if record.status == "running" else f"go on with it: sldagent resume {record.run}"
        raise ArchiveError(f"run {record.run} has no candidate yet, so there is nothing to report: {way}")
    origin = archive.sessions().origin(record.run)
    grounds, absent = _grounds(record, origin, table, data)
    ks, reason = (record.shortlist, record.reason) if record.shortlist else _best_so_far(archive, record.run, rows)
    train = None if grounds is None else grounds.train
    listed = _fitted(record, archive.laws(record.run, ks))
    laws = tuple(
        replace(law, fitted=replace(law.fitted, training=train, others=tuple(o.fitted for o in listed if o is not law)))
        for law in listed
    )
    attempts = archive.chats().attempts(record.run)
    ids = {f"{record.run}-{k}" for k in ks}
    found = Evidence(
        status=status,
        place=archive.place,
        origin=origin,
        grounds=grounds,
        absent=absent,
        candidates=rows,
        shortlist=laws,
        reason=reason,
        published=_published(archive, record, rows, {law.record.k for law in laws}),
        lineage=tuple(ancestry(archive, record.run, laws[0].record)) if laws else (),
        references=tuple(archive.references(record.run)),
        seeds=len(archive.sessions().seeds(record.run)),
        scorings=tuple(s for s in archive.scorings() if s.law in ids),
        queries={name: _ask(archive, name, record.run) for name in ("operators", "failures", "models")},
        spent=_spent(attempts),
        refused=sum(a.state in ("refused", "unclear", "lost") for a in attempts),
    )
    names = found.names

    def named(some: Sequence[Law]) -> tuple[Law, ...]:
        return tuple(replace(law, name=names.get(law.record.structure, "")) for law in some)

    return replace(found, shortlist=named(found.shortlist), published=named(found.published))


def _grounds(
    record: RunRecord, origin: Origin | None, table: str | Path | None, data: Path | None
) -> tuple[Grounds | None, str]:
    """The run's rows, or why there are none."""
    if origin is None:
        return None, "The run was begun by an older release, which did not note where its table is."
    try:
        task = load_again(record.run, origin, table, data)
        if task_digest(task) != origin.digest:
            raise ConfigError(
                f"{task.source or 'the table'}: its rows or columns are not those that run {record.run} was started on: "
                "name that table with --table"
            )
        return prepare(task), ""
    except SldagentError as error:
        if table is not None:
            raise
        return None, f"The run's table is not at hand: {error}"
    except OSError as error:
        if table is not None:
            raise
        return None, f"The run's table is not at hand: {error.strerror or error}"


def _best_so_far(archive: Archive, run: str, rows: Sequence[CandidateRow]) -> tuple[tuple[int, ...], str]:
    """What the rule of choice says of the candidates so far."""
    usable = sorted((r for r in rows if r.valid and not r.failure and math.isfinite(r.x)), key=lambda r: (r.x, r.k))
    if not usable:
        return (), ""
    # Only laws that the rule can pick, or that it measures others by, are read in full.
    light = [(r.k, Evaluation(x=r.x, mdl=r.mdl, train_r2=r.train_r2)) for r in usable]
    by_x = [(k, e.x) for k, e in believed(light)]
    near = [k for k, x in by_x[:NEAR] if x <= by_x[0][1] + FAR]
    shortest = min(usable, key=lambda r: (r.mdl, r.k)).k
    catalogue = [r.k for r in usable if r.operator == CATALOGUE]
    ks = list(dict.fromkeys([*near, *(k for k, _ in by_x[:LISTED]), shortest, *catalogue]))
    found = choose([(c.k, c.evaluation) for c in archive.laws(run, ks)], catalogue)
    return ((), "") if found is None else (found.shortlist, found.reason)


def _published(
    archive: Archive, record: RunRecord, rows: Sequence[CandidateRow], known: Collection[int]
) -> tuple[Law, ...]:
    """Laws of the catalogue, without those that are `known` already."""
    usable = [r for r in rows if r.operator == CATALOGUE and not r.failure and math.isfinite(r.x) and r.k not in known]
    return _fitted(record, archive.laws(record.run, [r.k for r in sorted(usable, key=lambda r: (r.x, r.k))]))


def _spent(attempts: Sequence[AttemptRecord]) -> Amount:
    """What requests to language models were charged."""
    total = Amount()
    for a in attempts:
        total += Amount(0 if a.state == "refused" else 1, a.tokens, None if a.usd is None else round(a.usd * NANO))
    return total


def _fitted(run: RunRecord, records: Sequence[CandidateRecord]) -> tuple[Law, ...]:
    out = []
    for record in records:
        try:
            out.append(Law(from_candidate(run, record), record))
        except SldagentError:
            continue  # without fitted values there is nothing to draw or to predict with
    return tuple(out)


def _ask(archive: Archive, name: str, run: str) -> Rows:
    query = named_queries()[name]
    columns, rows = archive.query(query.sql, {"run": run})
    return tuple(columns), [tuple(row) for row in rows]
