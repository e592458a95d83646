"""The archive's tables as typed SQLAlchemy models.

Keys are the words a user knows: a run's id and a candidate's index `k` within it, so that a query needs no
surrogate ids.
Numbers that may be infinite are NULL in the database when they are not finite (see `mapping`).  The tables
themselves are made by the migrations in the top-level ``archive/`` folder; a test keeps the two equal.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from sldagent.archive.columns import PortableJSON, UtcDateTime

_USABLE = text("usable")

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map = {  # noqa: RUF012 (SQLAlchemy's declared name)
        str: Text(),
        float: Double(),
        int: Integer(),
        bool: Boolean(),
        bytes: LargeBinary(),
        datetime: UtcDateTime(),
        dict[str, Any]: PortableJSON(),
        list[Any]: PortableJSON(),
    }


def _of_candidate() -> tuple[ForeignKeyConstraint, dict[str, bool]]:
    """Table arguments of a table that hangs on a candidate: its foreign key, and rows kept in key order on
    SQLite."""
    return (
        ForeignKeyConstraint(["run", "k"], ["candidate.run", "candidate.k"]),
        {"sqlite_with_rowid": False},
    )


class Run(Base):
    """One discovery run."""

    __tablename__ = "run"
    run: Mapped[str] = mapped_column(primary_key=True)
    task: Mapped[str] = mapped_column(index=True)
    status: Mapped[str]
    """running, complete, stopped or failed."""
    mode: Mapped[str]
    """blind or targeted cuts."""
    seed: Mapped[int] = mapped_column(BigInteger)
    started: Mapped[datetime] = mapped_column(index=True)
    finished: Mapped[datetime | None]
    seconds: Mapped[float]
    candidates: Mapped[int]
    failures: Mapped[int]
    choice: Mapped[int | None]
    """Candidate index of the recommended law."""
    reason: Mapped[str]
    """Why that law was chosen."""
    config: Mapped[dict[str, Any]]
    card: Mapped[dict[str, Any]]
    extra: Mapped[dict[str, Any]]


class Island(Base):
    """One sub-population of a run."""

    __tablename__ = "island"
    run: Mapped[str] = mapped_column(ForeignKey("run.run"), primary_key=True)
    island: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    temperature: Mapped[float | None]
    bias: Mapped[str]
    config: Mapped[dict[str, Any]]
    """Anything else the run set for it."""


class Candidate(Base):
    """One finished candidate; never changed after its commit.  Holds no clock reading: equal runs have equal
    rows."""

    __tablename__ = "candidate"
    run: Mapped[str] = mapped_column(ForeignKey("run.run"), primary_key=True)
    k: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    island: Mapped[int]
    operator: Mapped[str]
    formula: Mapped[str]
    structure: Mapped[str]
    """Hash of the canonical form."""
    source: Mapped[str]
    """The program's text."""
    note: Mapped[str]
    __table_args__ = (
        ForeignKeyConstraint(["run", "island"], ["island.run", "island.island"]),
        Index(None, "run", "operator"),
        Index(None, "structure"),
    )


class Parentage(Base):
    """A candidate's parents, best first."""

    __tablename__ = "parentage"
    run: Mapped[str] = mapped_column(primary_key=True)
    k: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    parent: Mapped[int]
    __table_args__ = (
        ForeignKeyConstraint(["run", "k"], ["candidate.run", "candidate.k"]),
        ForeignKeyConstraint(["run", "parent"], ["candidate.run", "candidate.k"]),
        Index(None, "run", "parent"),
        {"sqlite_with_rowid": False},
    )


class EvaluationRow(Base):
    """What the evaluation of a candidate gave.  NULL x, x_se, mdl, complexity: infinite; NULL train_r2:
    minus infinite."""

    __tablename__ = "evaluation"
    run: Mapped[str] = mapped_column(primary_key=True)
    k: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    x: Mapped[float | None]
    """Extrapolation error: mean ln(held-out MSE) over cuts and targets; lower is better."""
    x_se: Mapped[float | None]
    mdl: Mapped[float | None]
    """Description length in nats."""
    complexity: Mapped[float | None]
    tree: Mapped[int]
    scalars: Mapped[int]
    valid: Mapped[bool]
    invalid_reason: Mapped[str]
    train_r2: Mapped[float | None]
    rank_deficient: Mapped[int]
    at_bounds: Mapped[list[Any]]
    """Names of parameters on a declared bound."""
    fingerprint: Mapped[str]
    evaluations: Mapped[int] = mapped_column(BigInteger)
    seconds: Mapped[float | None]
    committed: Mapped[datetime]
    fitted_by: Mapped[str]
    """engine, custom (the program's own fitting code) or custom+polish."""
    feedback: Mapped[str]
    """What that code printed and raised, marked untrusted."""
    usable: Mapped[bool]
    """Valid, finite and without a failure: may be on the front."""
    __table_args__ = (
        ForeignKeyConstraint(["run", "k"], ["candidate.run", "candidate.k"]),
        Index("ix_evaluation_front", "run", "complexity", "x", "k", sqlite_where=_USABLE, postgresql_where=_USABLE),
        Index(None, "run", "x"),
    )


class CutScoreRow(Base):
    """Error of a candidate on one cut and target; NULL errors are infinite."""

    __tablename__ = "cut_score"
    run: Mapped[str] = mapped_column(primary_key=True)
    k: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    cut: Mapped[str]
    variable: Mapped[str]
    target: Mapped[str]
    rows: Mapped[int]
    log_mse: Mapped[float | None]
    kept_log_mse: Mapped[float | None]
    __table_args__ = _of_candidate()


class ParameterRow(Base):
    """One fitted number of a law that entered the front, was recommended or was asked for."""

    __tablename__ = "parameter"
    run: Mapped[str] = mapped_column(primary_key=True)
    k: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Index into the parameter's array, row-major."""
    group_name: Mapped[str | None]
    """NULL: shared by all groups."""
    target: Mapped[str | None]
    """NULL: the same for all targets."""
    element: Mapped[int | None]
    """Index over the law's vectors, row-major; NULL: a scalar."""
    member: Mapped[str | None]
    """The vector's members that `element` stands for."""
    value: Mapped[float | None]
    at_bound: Mapped[bool]
    """The parameter lies on a declared bound, in this group or another."""
    __table_args__ = _of_candidate()


class GroupFit(Base):
    """All fitted values of a candidate as one block; `sldagent.archive.pack` reads it."""

    __tablename__ = "group_fit"
    run: Mapped[str] = mapped_column(primary_key=True)
    k: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    header: Mapped[str]
    """JSON: names and shapes, in the order in which `data` holds them."""
    data: Mapped[bytes]
    """Little-endian float64, row-major."""
    __table_args__ = (ForeignKeyConstraint(["run", "k"], ["candidate.run", "candidate.k"]),)


class FailureRow(Base):
    """Why a candidate has no usable evaluation."""

    __tablename__ = "failure"
    run: Mapped[str] = mapped_column(primary_key=True)
    k: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    reason: Mapped[str]
    detail: Mapped[str]
    __table_args__ = (
        ForeignKeyConstraint(["run", "k"], ["candidate.run", "candidate.k"]),
        Index(None, "run", "reason"),
        {"sqlite_with_rowid": False},
    )


class Shortlist(Base):
    """The laws a finished run recommends, best first."""

    __tablename__ = "shortlist"
    run: Mapped[str] = mapped_column(primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    k: Mapped[int]
    __table_args__ = _of_candidate()


class ChatCall(Base):
    """One request to a language model and its answer; an answered row never changes.  The row is there before
    the request is sent, the answer before anybody parses it."""

    __tablename__ = "chat_call"
    key: Mapped[str] = mapped_column(primary_key=True)
    """``content-draw``."""
    backend: Mapped[str]
    model: Mapped[str] = mapped_column(index=True)
    request: Mapped[dict[str, Any]]
    response: Mapped[dict[str, Any] | None] = mapped_column(PortableJSON(none_as_null=True))
    """NULL: no answer (yet)."""
    error: Mapped[str | None]
    """Why there will be no answer."""
    tokens_in: Mapped[int | None] = mapped_column(BigInteger)
    """All of the request's tokens, cached ones included."""
    tokens_out: Mapped[int | None] = mapped_column(BigInteger)
    tokens_cached: Mapped[int | None] = mapped_column(BigInteger)
    cost: Mapped[float | None]
    """US dollars; NULL: price or tokens unknown."""
    seconds: Mapped[float | None]
    created: Mapped[datetime] = mapped_column(index=True)
    content: Mapped[str] = mapped_column(index=True)
    """SHA-256 of model, messages and parameters, without the draw."""
    draw: Mapped[int] = mapped_column(BigInteger)
    finish: Mapped[str | None]
    """stop, length (cut off), filter or other."""


class Ledger(Base):
    """What a run's candidates cost, in the order of commits: one row per entry, summed by unit."""

    __tablename__ = "ledger"
    run: Mapped[str] = mapped_column(ForeignKey("run.run"), primary_key=True)
    entry: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    k: Mapped[int | None]
    """The candidate it was spent on, where there is one."""
    chat_call: Mapped[str | None] = mapped_column(ForeignKey("chat_call.key"))
    kind: Mapped[str]
    amount: Mapped[float]
    unit: Mapped[str]
    """calls, tokens, usd, evaluations or seconds."""
    created: Mapped[datetime]
    __table_args__ = (Index(None, "chat_call"), Index(None, "run", "k"))


class Event(Base):
    """A run's log; rows are only ever added."""

    __tablename__ = "event"
    run: Mapped[str] = mapped_column(ForeignKey("run.run"), primary_key=True)
    n: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    created: Mapped[datetime]
    kind: Mapped[str]
    message: Mapped[str]
    data: Mapped[dict[str, Any]]


class Scoring(Base):
    """One reading of rows outside training: every score of a law is logged."""

    __tablename__ = "scoring"
    id: Mapped[int] = mapped_column(primary_key=True)
    law: Mapped[str] = mapped_column(index=True)
    run: Mapped[str | None]
    """NULL with `k`: a law that is not in this archive."""
    k: Mapped[int | None]
    split: Mapped[str]
    source: Mapped[str]
    rows: Mapped[int]
    r2: Mapped[float | None]
    nmse: Mapped[float | None]
    nmae: Mapped[float | None]
    created: Mapped[datetime]
    __table_args__ = (ForeignKeyConstraint(["run", "k"], ["candidate.run", "candidate.k"]),)


class ScoringTarget(Base):
    """A scoring, by target."""

    __tablename__ = "scoring_target"
    scoring: Mapped[int] = mapped_column(ForeignKey("scoring.id"), primary_key=True, autoincrement=False)
    target: Mapped[str] = mapped_column(primary_key=True)
    r2: Mapped[float | None]
    nmse: Mapped[float | None]
    nmae: Mapped[float | None]


VIEWS = MetaData()
"""The views, apart from the tables so that no migration tool tries to create them as tables."""


def _view(name: str) -> Table:
    columns: list[Column[Any]] = [
        Column("law", Text()),
        Column("run", Text()),
        Column("k", Integer()),
        Column("formula", Text()),
        Column("x", Double()),
        Column("x_se", Double()),
        Column("complexity", Double()),
        Column("mdl", Double()),
        Column("tree", Integer()),
        Column("scalars", Integer()),
        Column("valid", Boolean()),
        Column("invalid_reason", Text()),
        Column("failure", Text()),
        Column("failure_detail", Text()),
        Column("train_r2", Double()),
        Column("rank_deficient", Integer()),
        Column("operator", Text()),
        Column("island", Integer()),
        Column("structure", Text()),
        Column("evaluations", BigInteger()),
        Column("seconds", Double()),
        Column("chosen", Boolean()),
        Column("note", Text()),
        Column("source", Text()),
    ]
    return Table(name, VIEWS, *columns)


law_view = _view("law")
front_view = _view("pareto_front")
