"""Small real evaluators for tests of pools and searches: figures computed from the program's tree alone."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import numpy as np

from sldagent.evaluation.result import Evaluation, Failure
from sldagent.laws.expr import Expr, add, call, mul, num, var, walk
from sldagent.laws.program import Law, Program


def program(*numbers: float, name: str = "x") -> Program:
    """``name + exp(number * name) + ...``; `name` picks what the fake evaluator does beside computing."""
    x = var(name)
    return Program(Law((name,), add(x, *(call("exp", mul(num(v), x)) for v in numbers)), ()))


def numbers(p: Program) -> list[float]:
    return [n.value for n in walk(p.law.expr) if n.op == "num"]


def size(e: Expr) -> int:
    return sum(1 for _ in walk(e))


def judge(p: Program) -> Evaluation:
    """X falls with the sum of sines of the literals and rises with nothing else; C is the tree's size."""
    values = numbers(p)
    x = float(np.sum(np.sin(values))) if values else 1.0
    if values and values[0] < 0:
        return Evaluation(failure=Failure("non-finite", "a negative literal"))
    boot = x + np.cos(np.arange(5.0) * (1 + len(values)))
    return Evaluation(
        x=x, x_se=0.1, mdl=x + len(values), complexity=float(size(p.law.expr)), valid=x > -4.0,
        x_boot=boot, fingerprint=f"{round(x, 6)}", evaluations=1,
    )


class FakeEvaluator:
    """Computes `judge`; the law's variable asks for more: sleep, raise, memory, kill, exit and so on."""

    def __init__(self, delays: bool = False) -> None:
        self.delays = delays

    def evaluate(self, p: Program) -> Evaluation:
        name = p.law.variables[0]
        if name == "sleep":
            time.sleep(60.0)
        elif name == "failing":
            raise ZeroDivisionError("by design")
        elif name == "memory":
            raise MemoryError
        elif name == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif name == "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        elif name == "exit":
            os.write(2, b"last words\n")
            os._exit(3)
        elif name == "print":
            os.write(1, b"noise on standard output\n")
            print("more noise", flush=True)
        elif name == "environment":
            return Evaluation(failure=Failure("limits", "\n".join(f"{k}={v}" for k, v in os.environ.items())))
        elif name == "interrupt":
            os.kill(os.getpid(), signal.SIGINT)
        elif name == "processes":
            return Evaluation(failure=Failure("limits", f"{os.getpid()} {threading.active_count()}"))
        if self.delays:  # finish out of order, differently in every run
            time.sleep(float(np.random.default_rng().uniform(0, 0.01)))
        return judge(p)


def make_fake() -> FakeEvaluator:
    return FakeEvaluator()


def make_delayed() -> FakeEvaluator:
    return FakeEvaluator(delays=True)


def make_broken() -> FakeEvaluator:
    raise ValueError("no such table")


def make_dying() -> FakeEvaluator:
    os._exit(7)


def make_flaky(folder: str) -> FakeEvaluator:
    """The first process to get here dies before it is ready; later ones work."""
    try:
        (Path(folder) / "first").touch(exist_ok=False)
    except FileExistsError:
        return FakeEvaluator()
    os._exit(7)


class SlowOnce(FakeEvaluator):
    """The first evaluation anywhere sleeps, after leaving a mark; later ones do not."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.folder = folder

    def evaluate(self, p: Program) -> Evaluation:
        try:
            (Path(self.folder) / "first").touch(exist_ok=False)
        except FileExistsError:
            return super().evaluate(p)
        time.sleep(600.0)
        raise AssertionError("nobody killed this process")


def make_slow_once(folder: str) -> FakeEvaluator:
    return SlowOnce(folder)
