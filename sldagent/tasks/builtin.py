"""The tasks that are known by name, and where their tables are found."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from sldagent.errors import TableError
from sldagent.resources import shipped
from sldagent.tasks import hub
from sldagent.tasks.card import read_card
from sldagent.tasks.read import read_table
from sldagent.tasks.roles import Roles
from sldagent.tasks.table import Table

SLDBENCH_CARDS = "experiments/sldbench/cards"
SUFFIXES = (".csv", ".parquet", ".tsv")


@dataclass(frozen=True)
class Entry:
    """One built-in task."""

    name: str
    card: str
    """Shipped card."""
    aliases: tuple[str, ...] = ()
    config: str = ""
    """Its configuration in the SLDBench dataset; '' where the table ships with the package."""


@dataclass(frozen=True)
class TaskInfo:
    """One line of the list of built-in tasks."""

    name: str
    title: str
    description: str
    where: str


OWN = (
    Entry("tiny_lm", "experiments/tiny_lm/tiny_lm.toml"),
    Entry("tiny_lm_lr", "experiments/tiny_lm/tiny_lm_lr.toml"),
)
"""Tasks whose tables ship with the package."""


@cache
def sldbench() -> tuple[Entry, ...]:
    """The tasks of SLDBench: one for every card."""
    names = sorted(path.stem for path in shipped(SLDBENCH_CARDS).glob("*.toml"))
    configs = {name: f"{name}_scaling_law" for name in names}
    return tuple(Entry(name, f"{SLDBENCH_CARDS}/{name}.toml", (config,), config) for name, config in configs.items())


def entries() -> tuple[Entry, ...]:
    """Every built-in task."""
    return (*OWN, *sldbench())


def tasks() -> list[TaskInfo]:
    """The built-in tasks, in order."""
    out = []
    for entry in entries():
        roles, _ = read_card(shipped(entry.card))
        where = "ships with sldagent"
        if entry.config:
            where = f"--data DIR with {entry.config}.csv, or fetched from the dataset {hub.DATASET}"
        out.append(TaskInfo(entry.name, roles.title, roles.description, where))
    return out


def find_entry(name: str) -> Entry:
    """The built-in task of that name or alias.  Raises TableError with close names."""
    known = {n: e for e in entries() for n in (e.name, *e.aliases)}
    wanted = name.replace("-", "_").lower()
    if wanted in known:
        return known[wanted]
    close = difflib.get_close_matches(wanted, list(known), n=2, cutoff=0.5)
    hint = (
        "did you mean " + " or ".join(f"'{c}'" for c in close) + "?"
        if close
        else "'sldagent tasks' lists the names"
    )
    raise TableError(f"'{name}' is neither a file nor a built-in task; {hint}")


def open_builtin(name: str, data: Path | None) -> tuple[Roles, Table]:
    """Roles and table of a built-in task.

    Its table is read from the folder `data` (or its sub-folder ``sldbench``), else from beside its card, else
    fetched from the SLDBench dataset.  A folder that lacks the table is an error: nothing is fetched when
    the caller points to a folder.
    """
    entry = find_entry(name)
    roles, beside = read_card(shipped(entry.card))
    roles = replace(roles, name=entry.name)
    if data is not None:
        found = find_table(data, entry.config or entry.name)
        if found is not None:
            return roles, read_table(found)
        if entry.config:
            raise TableError(
                f"{data} holds no {entry.config}.csv or .parquet (nor does its folder 'sldbench'): "
                "pass the folder of the SLDBench tables with --data"
            )
    if entry.config and not beside.exists():
        return roles, read_table(hub.fetch(entry.config))
    return roles, read_table(beside)


def find_table(folder: Path, stem: str) -> Path | None:
    """``stem.csv`` (.parquet, .tsv) in the folder or its sub-folder ``sldbench``; None where neither has it.

    Raises TableError where there is no such folder.
    """
    if not folder.is_dir():
        raise TableError(f"{folder}: no such folder; --data names a folder of tables, or its parent")
    for place in (folder, folder / "sldbench"):
        for suffix in SUFFIXES:
            path = place / f"{stem}{suffix}"
            if path.is_file():
                return path
    return None
