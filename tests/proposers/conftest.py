"""Small tables of every kind that a proposer must cope with."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from sldagent.tasks.task import Target, Task, Variable


def _task(
    name: str, variables: list[Variable], X: np.ndarray, Y: np.ndarray, targets: list[Target], groups: int = 1,
    **options: object,
) -> Task:
    n = len(X)
    return Task(
        name=name, variables=tuple(variables), targets=tuple(targets), X=np.asarray(X, dtype=float),
        Y=np.asarray(Y, dtype=float).reshape(n, -1), group=np.arange(n, dtype=np.int64) % groups,
        groups=tuple(f"g{k}" for k in range(groups)), split=np.array(["train"] * n), noise_scale=np.ones(n),
        **options,  # type: ignore[arg-type]
    )


def _scales() -> Task:
    N, D = (a.ravel() for a in np.meshgrid(np.logspace(6, 9, 7), np.logspace(8, 11, 8)))
    y = 1.7 + 400 * N**-0.34 + 410 * D**-0.28
    return _task("scales", [Variable("N", "N", "scale"), Variable("D", "D", "scale")], np.c_[N, D], y,
                 [Target("loss", (0.0, math.inf))])


def _short_curves() -> Task:
    x = np.repeat(np.logspace(2, 5, 12), 5)
    y = 2.0 + 30 / (x**0.5 + 9.0) + 0.1 * (np.arange(60) % 5)
    return _task("short curves", [Variable("size", "size", "scale")], x[:, None], y, [Target("loss", (0.0, math.inf))],
                 groups=5, max_parameters=4)


def _u_shape() -> Task:
    x = np.repeat(np.linspace(-0.9, 4.0, 40), 3)
    y = -0.4 + 0.2 / (1 + np.exp(-3 * (x - 3))) - 0.1 * np.exp(-((x - 1.5) ** 2))
    return _task("u shape", [Variable("log_flops", "log_flops", "scale", log=True, log_base=10.0)], x[:, None], y,
                 [Target("score", (-1.0, 0.0))], groups=3, max_parameters=6)


def _settings() -> Task:
    rng = np.random.default_rng(3)
    X = np.c_[rng.choice(np.logspace(6, 9, 5), 200), rng.choice(np.logspace(9, 11, 5), 200),
              rng.choice(np.logspace(-4, -2, 6), 200), rng.choice([0.0, 0.1, 0.2], 200)]
    y = 1.5 + 100 * X[:, 0] ** -0.3 + 200 * X[:, 1] ** -0.3 + 0.02 * (np.log(X[:, 2]) + 7) ** 2 + X[:, 3]
    roles = [Variable("N", "N", "scale"), Variable("D", "D", "scale"), Variable("lr", "lr", "setting"),
             Variable("dropout", "dropout", "setting")]
    return _task("settings", roles, X, y, [Target("loss", (0.0, math.inf))])


def _mixture(targets: int, scale: bool) -> Task:
    rng = np.random.default_rng(4)
    r = rng.dirichlet(np.ones(3), 60)
    r[rng.random(r.shape) < 0.15] = 0.0
    r[r.sum(axis=1) == 0] = [1.0, 0.0, 0.0]
    r /= r.sum(axis=1, keepdims=True)
    y = 1.0 + np.exp(-2.0 * r[:, :targets])
    names = ("r1", "r2", "r3")
    roles = [Variable(s, s, "proportion") for s in names]
    X = r
    if scale:
        D = rng.choice(np.logspace(8, 10, 5), 60)
        X, y = np.c_[r, D], y + 300 * D[:, None] ** -0.3
        roles.append(Variable("D", "D", "scale"))
    return _task("mixture", roles, X, y, [Target(f"loss{k}", (0.0, math.inf)) for k in range(targets)], groups=2,
                 vectors={"r": names})


def _repeats() -> Task:
    U, epochs, N = (a.ravel() for a in np.meshgrid(np.logspace(7, 9, 4), [1.0, 2, 4, 16], np.logspace(6, 9, 4)))
    D = U * epochs
    effective = U * (1 + 15 * (1 - np.exp(-(epochs - 1) / 15)))
    y = 1.8 + 100 * N**-0.3 + 300 * effective**-0.3
    roles = [Variable(s, s, "scale") for s in ("U", "D", "N")]
    return _task("repeats", roles, np.c_[U, D, N], y, [Target("loss", (0.0, math.inf))])


def _accuracy() -> Task:
    x, s = (a.ravel() for a in np.meshgrid(np.logspace(18, 23, 10), [0.0, 0.5, 0.9]))
    y = 0.25 + 0.7 / (1 + np.exp(-(np.log(x) - 48))) - 0.1 * s
    return _task("accuracy", [Variable("C", "C", "scale"), Variable("sparsity", "sparsity", "scale")], np.c_[x, s], y,
                 [Target("accuracy", (0.0, 1.0))])


def _awkward() -> Task:
    """Columns whose names are those that laws use for parameters, and a table of six rows."""
    E, A = (a.ravel() for a in np.meshgrid([1.0, 8.0, 64.0], [1e6, 1e7]))
    return _task("awkward", [Variable("E", "E", "scale"), Variable("A", "A", "scale")], np.c_[E, A], E**-0.1 + A**-0.2,
                 [Target("loss", (0.0, math.inf))])


TASKS: dict[str, Callable[[], Task]] = {
    "scales": _scales, "short curves": _short_curves, "u shape": _u_shape, "settings": _settings,
    "mixture": lambda: _mixture(3, False), "mixture and scale": lambda: _mixture(1, True),
    "mixtures and scale": lambda: _mixture(3, True), "repeats": _repeats,
    "accuracy": _accuracy, "awkward": _awkward,
}


@pytest.fixture(scope="session")
def tasks() -> dict[str, Task]:
    return {name: make() for name, make in TASKS.items()}


@pytest.fixture(params=list(TASKS))
def task(request: pytest.FixtureRequest, tasks: dict[str, Task]) -> Task:
    return tasks[request.param]
