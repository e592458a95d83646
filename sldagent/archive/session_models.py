"""The tables that let a run go on after its process has ended."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from sldagent.archive.models import Base


class OriginRow(Base):
    """What a run was started on: with it, the seed and the configuration, the same run can be continued."""

    __tablename__ = "origin"
    run: Mapped[str] = mapped_column(ForeignKey("run.run"), primary_key=True)
    source: Mapped[str]
    """Absolute path of a table or card, or a built-in task's name; '' for a data frame."""
    digest: Mapped[str]
    """SHA-256 of the task: rows, roles and wanted inputs."""
    roles: Mapped[dict[str, Any]]
    """What the user said of its columns."""
    data: Mapped[str | None]
    """Folder of tables that was given."""
    at: Mapped[str | None]
    """Absolute path of the table of wanted inputs."""
    jail: Mapped[str]
    """How the code that programs bring is kept in."""


class SeedProgram(Base):
    """A program that a run was given to begin with, in order."""

    __tablename__ = "seed_program"
    run: Mapped[str] = mapped_column(ForeignKey("run.run"), primary_key=True)
    n: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    operator: Mapped[str]
    source: Mapped[str]
    """The program's text."""
    note: Mapped[str]


class CheckpointRow(Base):
    """Where a run's search stood after so many commits; there are none once the run is complete."""

    __tablename__ = "checkpoint"
    run: Mapped[str] = mapped_column(ForeignKey("run.run"), primary_key=True)
    committed: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[str]
    """Of the release that made it, and of its format."""
    state: Mapped[str | None]
    """JSON; NULL once a later one is of use."""
    trace: Mapped[bytes]
    """Figures and hashes of the candidates since the checkpoint before."""


class SessionRow(Base):
    """One process's work on a run.  The newest session of a run is its only writer."""

    __tablename__ = "session"
    run: Mapped[str] = mapped_column(ForeignKey("run.run"), primary_key=True)
    n: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    host: Mapped[str]
    machine: Mapped[str]
    pid: Mapped[int] = mapped_column(BigInteger)
    born: Mapped[str]
    version: Mapped[str]
    """Of sldagent."""
    pool: Mapped[str]
    """Who evaluates, in words."""
    started: Mapped[datetime]
    beat: Mapped[datetime]
    """Last sign of life, by the coordinator's clock."""
    beats: Mapped[int] = mapped_column(BigInteger)
    """Signs of life so far: they tell a living coordinator without any clock."""
    seconds: Mapped[float]
    """Search time of this session."""
    ended: Mapped[datetime | None]
    outcome: Mapped[str]
    """'' while it lasts; complete, stopped, failed, or lost (the process died or was cut off)."""
    stop: Mapped[bool]
    """Somebody asks it to end."""
