"""The table of the attempts to reach a language model."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey
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
