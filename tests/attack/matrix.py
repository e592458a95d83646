"""The matrix of attacks: every case in every column, a column being a user and a jail or a naive evaluator.

Each column is a process of its own (`runner.py`); one that is killed, stopped or hung by a candidate is a breach, and the
rest of its cases go on in another.
"""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import select
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.attack.case import Case
from tests.attack.catalogue import CASES
from tests.attack.world import KEY
from tests.sandbox.conftest import _REACHABLE, _closed_parent

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE = 300.0
"""Seconds without a word after which a column counts as hung; an attack takes a few."""
ROOT = os.geteuid() == 0
WAYS = ("subprocess", "thread", "alarm", "lax")


@dataclass(frozen=True)
class Column:
    """Who runs what: `jail` is a column of `runner.JAILS`, or a way of `naive.py` where `control`."""

    user: str
    jail: str
    control: bool = False

    def __str__(self) -> str:
        return f"{self.user}: {self.jail}"


@dataclass(frozen=True)
class Result:
    """One attack in one column.

    Attributes:
        found: breaches; outside the jail, what the detectors saw.
        known: breaches that the case names as known in this column, with the reason.
        odd: what is no breach and yet not as it should be.
    """

    found: tuple[str, ...]
    known: tuple[str, ...] = ()
    odd: tuple[str, ...] = ()
    end: str = ""


@dataclass
class Outcome:
    """Everything that was seen in one column; `unavailable` says why there is nothing."""

    column: Column
    results: dict[str, Result] = field(default_factory=dict)
    layers: tuple[str, ...] = ()
    unavailable: str = ""


def users() -> tuple[str, ...]:
    """Whom the attacks can be run as here."""
    return ("root", "user") if ROOT else ("user",)


def columns() -> list[Column]:
    """Every jail that this host can be asked for, for every user."""
    jails = ["all layers", "no namespaces", "filter alone"]
    jails += ["scikit-learn"] if importlib.util.find_spec("sklearn") else []
    jails += ["jax", "jax, no namespaces"] if importlib.util.find_spec("jax") else []
    return [Column(user, jail) for user in users() for jail in jails]


def controls() -> list[Column]:
    """Every naive evaluator, for every user."""
    return [Column(user, way, True) for user in users() for way in WAYS]


def control_cases(column: Column, cases: Iterable[Case]) -> list[Case]:
    """Cases whose positive control can fire in a column."""
    return [c for c in cases if column.jail in c.ways and not c.uncontrolled and not (c.as_root and column.user != "root")]


def run(column: Column, cases: Sequence[Case]) -> Outcome:
    """Run the cases in a column."""
    outcome = Outcome(column)
    left = [case.name for case in cases]
    while left and not outcome.unavailable:
        done = _run_some(column, left, outcome)
        left = left[done:]
    return outcome


def _run_some(column: Column, names: list[str], outcome: Outcome) -> int:
    """One process of a column; gives the number of cases that it came to an end with, or died of."""
    process = subprocess.Popen(
        [*_as_user(column.user), sys.executable, "-m", "tests.attack.runner", column.jail, *names],
        cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), KEY: secrets.token_hex(12), "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    done, begun, silent = 0, "", False
    with process, process.stdout as stdout, process.stderr as stderr:
        text = b""
        while not silent:
            ready = select.select([stdout], [], [], PATIENCE)[0]
            silent = not ready
            chunk = os.read(stdout.fileno(), 1 << 16) if ready else b""
            if ready and not chunk:
                break
            *lines, text = (text + chunk).split(b"\n")
            for line in map(json.loads, lines):
                if "unavailable" in line:
                    outcome.unavailable = str(line["unavailable"])
                elif "layers" in line:
                    outcome.layers = tuple(line["layers"])
                elif "begin" in line:
                    begun = str(line["begin"])
                else:
                    outcome.results[begun] = _result(column, CASES[begun], line)
                    done += 1
        if silent:
            process.kill()
        said = b"" if silent else stderr.read()
    if done < len(names) and not outcome.unavailable:
        if not begun or begun in outcome.results:
            outcome.unavailable = said.decode(errors="replace")[-600:].strip() or "the column could not be started"
        else:
            outcome.results[begun] = Result((f"evaluator {'hangs' if silent else 'died'}",), odd=(said.decode()[-300:],))
            done += 1
    return done


def _result(column: Column, case: Case, line: dict[str, Any]) -> Result:
    found, reason = tuple(line["found"]), (case.leaks or {}).get(column.jail)
    if reason is None or column.control:
        return Result(found, (), tuple(line["odd"]), str(line["end"]))
    return Result((), (*found, reason) if found else (), tuple(line["odd"]), str(line["end"]))


def _as_user(user: str) -> list[str]:
    """The start of a command that is run as somebody."""
    if user == "root" or not ROOT:
        return []
    return ["unshare", "--mount", "sh", "-c", _REACHABLE, "sh", _closed_parent()]


def fired(case: Case, outcomes: Iterable[Outcome]) -> list[str]:
    """Where outside the jail the attack was seen at work: "user: way: what"."""
    return [
        f"{o.column}: {', '.join(o.results[case.name].found[:3])}"
        for o in outcomes
        if case.name in o.results and o.results[case.name].found
    ]
