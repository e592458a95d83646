"""The frame of the published systems' benchmarks: what they are told, and the tables that they return."""

from __future__ import annotations

import resource
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from sldagent.errors import ConfigError, TableError
from sldagent.export.files import write_text
from sldagent.jsonable import to_json


@dataclass(frozen=True)
class Request:
    """What a benchmark is asked for."""

    data: Path
    """Folder of the development tables, or its parent: `folder` finds the system's own in it."""
    tasks: tuple[str, ...] = ()
    """Parts of the benchmark to run; empty for all."""
    seeds: tuple[int, ...] = ()
    """Seeds; empty for the benchmark's own."""
    figures: Path | None = None
    """Folder to draw the benchmark's pictures in; None for none."""
    note: Callable[[str], None] = lambda _: None
    """Is told of progress, one line at a time."""

    def folder(self, name: str, *files: str) -> Path:
        """The system's folder.

        Raises:
            TableError: it, or one of the files needed, is not there.
        """
        for place in (self.data / name, self.data / "data" / name, self.data):
            if all((place / file).is_file() for file in files):
                return place
        raise TableError(
            f"'{self.data}' holds no folder '{name}' with {', '.join(files)}: give the folder of the development tables "
            "with --data"
        )

    def chosen(self, known: Sequence[str]) -> tuple[str, ...]:
        """The parts to run.  Raises ConfigError for one that the benchmark does not have."""
        for name in self.tasks:
            if name not in known:
                raise ConfigError(f"--tasks: '{name}' is not in this benchmark, which has {', '.join(known)}")
        return self.tasks or tuple(known)

    def no_seeds(self, why: str) -> None:
        """Raises ConfigError where seeds were given and would do nothing."""
        if self.seeds:
            raise ConfigError(f"--seeds is of no use here: {why}")


@dataclass(frozen=True)
class Grid:
    """One table of a benchmark's report."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | float | int | None, ...], ...]
    note: str = ""
    """One line below the table, such as what the rows may see."""


@dataclass(frozen=True)
class Figure:
    """A figure reached beside the one published or asked for."""

    name: str
    seen: float
    asked: str
    """As text, such as ``<= 0.0422`` or ``5.83 ± 0.1``."""
    met: bool


@dataclass(frozen=True)
class Report:
    """What a benchmark found."""

    benchmark: str
    grids: tuple[Grid, ...]
    figures: tuple[Figure, ...]
    cpu_seconds: float
    settings: dict[str, Any] = field(default_factory=dict)


class Benchmark(Protocol):
    """A published system's benchmark."""

    def __call__(self, request: Request) -> Report:
        """Run it.  Raises SldagentError where the data are not there or the request asks for parts it does not have."""
        ...


def at_most(name: str, seen: float, limit: float) -> Figure:
    return Figure(name, seen, f"<= {limit:g}", seen <= limit)


def at_least(name: str, seen: float, limit: float) -> Figure:
    return Figure(name, seen, f">= {limit:g}", seen >= limit)


def within(name: str, seen: float, value: float, tolerance: float) -> Figure:
    return Figure(name, seen, f"{value:g} ± {tolerance:g}", abs(seen - value) <= tolerance)


def figures_grid(figures: Sequence[Figure]) -> Grid:
    """The figures as a table."""
    rows = tuple((f.name, f.seen, f.asked, "yes" if f.met else "no") for f in figures)
    return Grid("Figures", ("figure", "seen", "asked for", "met"), rows)


def write_report(report: Report, path: Path) -> None:
    """The report as JSON.  Raises ExportError where the file cannot be written."""
    write_text(to_json(report) + "\n", path)


def cpu_seconds() -> float:
    """Processor time of this process and of its finished children."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
