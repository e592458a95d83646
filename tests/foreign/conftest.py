"""A small table, its task and evaluator, and one jail for all tests that run code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "cli"))

from cli_tools import write_table

from sldagent import session
from sldagent.errors import JailUnavailable
from sldagent.foreign.jails import ProgramJails
from sldagent.foreign.lint import Lint
from sldagent.foreign.program import ForeignProgram, read_program
from sldagent.sandbox import Jail
from sldagent.tasks.load import load_task
from sldagent.tasks.task import Target, Task, Variable

PROGRAMS = Path(__file__).parent / "programs"


@pytest.fixture(scope="session")
def jails() -> Iterator[ProgramJails]:
    with ProgramJails() as opened:
        try:
            opened.jail_of(Lint())
        except JailUnavailable as error:
            pytest.skip(f"no jail on this host: {error}")
        yield opened


@pytest.fixture(scope="session")
def jail(jails: ProgramJails) -> Jail:
    """The jail with numpy and scipy alone."""
    return jails.jail_of(Lint())


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_table(tmp_path_factory.mktemp("foreign") / "runs.csv", groups=2)


@pytest.fixture(scope="session")
def task(table: Path) -> Task:
    """loss = E + A N^-0.35 + B D^-0.4 in two groups, with a test split."""
    return load_task(table, targets="loss", variables="N,D", group="family", split_column="split")


@pytest.fixture(scope="session")
def grounds(task: Task) -> session.Grounds:
    return session.prepare(task)


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], ForeignProgram]:
    """A program from its text."""

    def _program(source: str) -> ForeignProgram:
        path = tmp_path / "given.py"
        path.write_text(source, encoding="utf-8")
        return read_program(path)

    return _program


@pytest.fixture
def plain() -> Callable[..., Task]:
    """``plain(variables, targets)``: 24 positive rows; with as many targets as variables these form the vector r."""

    def _plain(variables: int, targets: int = 1) -> Task:
        rng = np.random.default_rng(0)
        X = np.exp(rng.normal(2.0, 1.0, (24, variables)))
        names = tuple(f"x{k}" for k in range(variables))
        return Task(
            "plain",
            tuple(Variable(n, n, "scale") for n in names),
            tuple(Target(f"y{t}") for t in range(targets)),
            X,
            np.ones((24, targets)),
            np.zeros(24, np.int64),
            ("all",),
            np.array(["train"] * 24),
            vectors={"r": names} if targets == variables > 1 else {},
        )

    return _plain
