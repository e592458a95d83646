"""What a run was started on, as it is kept with the run, and the same task again from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sldagent.archive.records import Origin, SeedRecord
from sldagent.errors import ConfigError
from sldagent.laws.parse import parse_program
from sldagent.laws.render import render_program
from sldagent.proposers.base import Proposal
from sldagent.sandbox.types import Mode
from sldagent.tasks.digest import task_digest
from sldagent.tasks.load import load_task
from sldagent.tasks.task import Task


def origin_of(
    task: Task, source: str | Path | None, roles: Mapping[str, Any] | None = None, *, data: Path | None = None,
    at: str | Path | None = None, jail: Mode = "auto",
) -> Origin:
    """The origin of a task that `load_task` made of these values; `source` None: of a data frame.

    `roles` are what the user said of the columns: ``targets``, ``variables``, ``group``, ``split_column``.
    """
    given = {name: _plain(value) for name, value in (roles or {}).items() if value is not None}
    return Origin(
        source="" if source is None else _place(source),
        digest=task_digest(task),
        roles=given,
        data=None if data is None else str(data.absolute()),
        at=None if at is None else str(Path(at).absolute()),
        jail=jail,
    )


def load_again(run: str, origin: Origin, table: str | Path | None = None, data: Path | None = None) -> Task:
    """The task that the run was started on, read again.

    Args:
        table, data: where the table is now, if it moved.

    Raises ConfigError where it was a data frame, TableError where it cannot be read.
    """
    if table is None and not origin.source:
        raise ConfigError(
            f"run {run} was started on a data frame, which the archive does not keep: continue it in Python with "
            f"sldagent.resume('{run}', frame), or name a file with the same rows"
        )
    return load_task(
        table or origin.source,
        data=data or (None if origin.data is None else Path(origin.data)),
        at=Path(origin.at) if origin.at else None,
        **origin.roles,
    )


def check_same(run: str, origin: Origin, task: Task) -> None:
    """Raises ConfigError where `task` is not the one that the run was started on."""
    if task_digest(task) != origin.digest:
        raise ConfigError(
            f"{task.source or 'the table'}: its rows or columns are not those that run {run} was started on, so the run "
            "cannot go on with it: restore that table, or discover anew"
        )


def seed_records(proposals: tuple[Proposal, ...]) -> tuple[SeedRecord, ...]:
    """Programs that a run is given, as text."""
    return tuple(SeedRecord(p.operator, render_program(p.program), p.note) for p in proposals)


def seed_proposals(records: list[SeedRecord], task: Task) -> tuple[Proposal, ...]:
    """The same programs again."""
    symbols = {*task.symbols, *task.vectors}
    return tuple(Proposal(parse_program(r.source, variables=symbols), r.operator, note=r.note) for r in records)


def _plain(value: str | Sequence[str]) -> str | list[str]:
    return value if isinstance(value, str) else list(value)


def _place(source: str | Path) -> str:
    """An absolute path; a built-in task's name stays one."""
    path = Path(source)
    return str(path.absolute()) if path.is_file() else str(source)
