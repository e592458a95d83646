"""Load a task: a table, a card or a built-in name, with what the command line overrides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sldagent.errors import TableError
from sldagent.tasks import builtin
from sldagent.tasks.archived import apply_card, task_card
from sldagent.tasks.build import build_task, wanted_inputs
from sldagent.tasks.builtin import tasks
from sldagent.tasks.card import read_card
from sldagent.tasks.entries import variables_from_text
from sldagent.tasks.guess import complete
from sldagent.tasks.read import TABLE_SUFFIXES, read_table
from sldagent.tasks.roles import Roles
from sldagent.tasks.table import Table, table_from_frame
from sldagent.tasks.task import Target, Task

if TYPE_CHECKING:
    import pandas

__all__ = ["apply_card", "load_task", "task_card", "task_from_frame", "tasks"]


def load_task(
    spec: str | Path,
    *,
    data: Path | None = None,
    targets: Sequence[str] | str | None = None,
    variables: Sequence[str] | str | None = None,
    group: str | None = None,
    split_column: str | None = None,
    at: Path | None = None,
) -> Task:
    """The task of a table path, a card path (``.toml``) or a built-in name.

    Args:
        data: folder of tables, or its parent, for built-in names (and for bare file names).
        targets, variables: column names; a variable may carry its role (``N:scale``, ``logC:scale:log``).
        group, split_column: column names; '' for none; None for the card's, or a guess.
        at: table of inputs at which predictions are wanted.

    Raises TableError, CardError or ConfigError with one sentence.
    """
    roles, table = _resolve(spec, data)
    return _finish(roles, table, targets, variables, group, split_column, at)


def task_from_frame(
    frame: pandas.DataFrame,
    *,
    name: str = "table",
    targets: Sequence[str] | str | None = None,
    variables: Sequence[str] | str | None = None,
    group: str | None = None,
    split_column: str | None = None,
    at: pandas.DataFrame | Path | None = None,
    source: str = "",
) -> Task:
    """The task of a pandas data frame; arguments as in `load_task`."""
    table = table_from_frame(frame, source or name)
    return _finish(Roles(name=name), table, targets, variables, group, split_column, at)


def _resolve(spec: str | Path, data: Path | None) -> tuple[Roles, Table]:
    text, path = str(spec), Path(spec)
    if path.suffix.lower() == ".toml":
        roles, table_path = read_card(path)
        return roles, read_table(table_path)
    if path.suffix.lower() in TABLE_SUFFIXES or _is_file(path):
        if data is not None and not _is_file(path) and _is_file(data / path):
            path = data / path
        return Roles(name=path.stem), read_table(path)
    return builtin.open_builtin(text, data)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long for the file system
        return False


def _finish(
    roles: Roles,
    table: Table,
    targets: Sequence[str] | str | None,
    variables: Sequence[str] | str | None,
    group: str | None,
    split_column: str | None,
    at: Any,
) -> Task:
    """Apply what the caller overrides, guess the rest, build."""
    names = _names(targets, table)
    if names is not None:
        known = {t.name: t for t in roles.targets or ()}
        for n in names:
            table.column(n)
        roles = replace(roles, targets=tuple(known.get(n, Target(n)) for n in names))
    entries = _names(variables, table)
    if entries is not None:
        roles = replace(roles, variables=variables_from_text(entries, table, roles.variables or ()))
    if group is not None:
        roles = replace(roles, group=group)
    if split_column is not None:
        roles = replace(roles, split=split_column)
    table = table.joined(roles.group or "")
    task = build_task(complete(roles, table), table)
    wanted = roles.at if at is None else at
    if wanted is None:
        return task
    wanted_table = (
        read_table(Path(wanted)) if isinstance(wanted, str | Path) else table_from_frame(wanted, "at")
    )
    return replace(task, at=wanted_inputs(wanted_table, task))


def _names(names: Sequence[str] | str | None, table: Table) -> list[str] | None:
    """A list of names; one text is split at commas unless it is itself a column."""
    if names is None:
        return None
    if isinstance(names, str):
        names = [names] if names in table.columns else names.split(",")
    out = [n.strip() for n in names if n.strip()]
    if not out:
        raise TableError(f"{table.source}: an empty list of columns was given; name at least one")
    return out
