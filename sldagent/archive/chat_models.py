"""The tables of the attempts to reach a language model, and of what one was asked for a candidate."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, ForeignKeyConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from sldagent.archive.models import Base


class ChatAttempt(Base):
    """One request sent for a run, written before it is sent: what a budget counts.  Retries are attempts of
    their own."""

    __tablename__ = "chat_attempt"
    run: Mapped[str] = mapped_column(ForeignKey("run.run"), primary_key=True)
    n: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    chat_call: Mapped[str] = mapped_column(ForeignKey("chat_call.key"), index=True)
    state: Mapped[str]
    """open, answered, refused (nothing charged), unclear (charged at its worst) or lost (the process ended
    meanwhile; charged at its worst)."""
    tokens: Mapped[int] = mapped_column(BigInteger)
    """Charged; while open, the worst case."""
    usd: Mapped[float | None]
    """Charged; while open, the worst case.  NULL: price unknown."""
    reserved_tokens: Mapped[int] = mapped_column(BigInteger)
    reserved_usd: Mapped[float | None]
    status: Mapped[int | None]
    """HTTP status of a refusal."""
    error: Mapped[str | None]
    seconds: Mapped[float | None]
    created: Mapped[datetime]


class ProposalRow(Base):
    """What a language model was asked for a candidate, what it promised, and whether that held."""

    __tablename__ = "proposal"
    run: Mapped[str] = mapped_column(primary_key=True)
    k: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    model: Mapped[str]
    """The model that was chosen, ``KIND:MODEL``."""
    operator: Mapped[str]
    state: Mapped[int]
    """Candidates committed when the prompt was written."""
    outcome: Mapped[str]
    """program, unusable (no program in the answers), none (no answer) or budget (the grammar made it instead)."""
    answered_by: Mapped[str]
    form: Mapped[str]
    """program, edit, formula or none."""
    hypothesis: Mapped[str]
    promise: Mapped[str]
    """The residual that was promised to shrink."""
    kept: Mapped[bool | None]
    """NULL: no promise, or it cannot be told."""
    residual_before: Mapped[float | None]
    residual_after: Mapped[float | None]
    why: Mapped[str]
    """Why it cannot be told whether the promise was kept."""
    error: Mapped[str]
    tokens: Mapped[int | None] = mapped_column(BigInteger)
    usd: Mapped[float | None]
    __table_args__ = (
        ForeignKeyConstraint(["run", "k"], ["candidate.run", "candidate.k"]),
        Index(None, "run", "model", "operator"),
        {"sqlite_with_rowid": False},
    )
