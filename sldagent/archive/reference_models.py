"""The tables of the program files that a run was given."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, ForeignKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from sldagent.archive.models import Base


class Reference(Base):
    """A program file that a run was given and that is no law: scored, without complexity, never on the front."""

    __tablename__ = "reference"
    run: Mapped[str] = mapped_column(ForeignKey("run.run"), primary_key=True)
    n: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str]
    source: Mapped[str]
    x: Mapped[float | None]
    x_se: Mapped[float | None]
    train_r2: Mapped[float | None]
    scalars: Mapped[int]
    """Fitted numbers per group."""
    translation: Mapped[str]
    """Why it could not become a law; '' where it became a candidate."""
    checks: Mapped[list[Any]]
    """Checks of the behaviour guard that it passed."""
    findings: Mapped[list[Any]]
    """What the lint says of its source."""
    layers: Mapped[dict[str, Any]]
    """Layers of the jail in force."""
    failure: Mapped[str | None]
    detail: Mapped[str]
    feedback: Mapped[str]
    seconds: Mapped[float | None]


class ReferenceCut(Base):
    """Error of a reference on one cut and target; NULL errors are infinite."""

    __tablename__ = "reference_cut"
    run: Mapped[str] = mapped_column(primary_key=True)
    n: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    cut: Mapped[str]
    variable: Mapped[str]
    target: Mapped[str]
    rows: Mapped[int]
    log_mse: Mapped[float | None]
    kept_log_mse: Mapped[float | None]
    __table_args__ = (
        ForeignKeyConstraint(["run", "n"], ["reference.run", "reference.n"]),
        {"sqlite_with_rowid": False},
    )
