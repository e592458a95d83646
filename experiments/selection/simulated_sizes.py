"""Simulated tables of loss against size, data and compute.  Ranges, grids and constants are near those of the literature."""

from __future__ import annotations

import math

import numpy as np

from experiments.selection.drafts import SHARED, Draft, Draw, crossed, grouped, power, program, stacked
from sldagent.tasks.task import Target, Variable

FRACTION = (Target("error", (0.0, 1.0)),)
AMPLITUDE = power(1, 3000)
EXPONENT = power(0.05, 1)


def chinchilla(draw: Draw) -> Draft:
    """Eight sizes, each trained at five multiples of its size in tokens; judged at sizes two to five times larger."""
    ratios = np.array([3.0, 8.0, 20.0, 50.0, 130.0])
    train = crossed(N=np.geomspace(44e6, 2.5e9, 8), D=ratios)
    test = crossed(N=[4e9, 7e9, 13e9], D=ratios[1:])
    columns = stacked(train, test)
    columns["D"] = columns["D"] * columns["N"]
    return Draft(
        kind="size x data, a size ladder",
        columns=columns,
        judged=columns["N"] > 2.6e9,
        truth=program(
            "N, D", "E + A*N**-alpha + B*D**-beta", E=power(0.5, 2), A=AMPLITUDE, B=AMPLITUDE, alpha=EXPONENT, beta=EXPONENT
        ),
        values={
            "E": draw.near(1.69),
            "A": draw.near(406.4, 0.2),
            "B": draw.near(410.7, 0.2),
            "alpha": draw.near(0.34, 0.05),
            "beta": draw.near(0.28, 0.05),
        },
        roles={},
    )


def kaplan(draw: Draw) -> Draft:
    """A crossed grid of six sizes and six data sets, the two terms inside one power."""
    sizes, data = np.geomspace(1e6, 3e8, 6), np.geomspace(2.2e7, 2.2e9, 6)
    columns = stacked(crossed(N=sizes, D=data), crossed(N=[1e9, 3e9], D=[2.2e9, 5.5e9, 2.2e10]))
    a_n, a_d = draw.near(0.076, 0.05), draw.near(0.095, 0.05)
    return Draft(
        kind="size x data, a crossed grid",
        columns=columns,
        judged=columns["N"] > 3.1e8,
        truth=program(
            "N, D",
            "(A*N**-gamma + B/D)**beta",
            A=power(1e8, 1e13),
            B=power(1e11, 1e15),
            gamma=power(0.3, 1.5),
            beta=power(0.03, 0.3),
        ),
        values={"A": (8.8e13) ** (a_n / a_d), "B": draw.near(5.4e13), "gamma": a_n / a_d, "beta": a_d},
        roles={},
    )


def isoflop(draw: Draw) -> Draft:
    """Seven compute budgets, nine sizes around the optimum of each; judged at budgets up to ten times larger."""
    budgets = np.array([6e18, 1e19, 3e19, 6e19, 1e20, 3e20, 6e20])
    columns = _budgets(budgets, np.array([1e21, 3e21, 6e21]), np.geomspace(0.22, 4.5, 9))
    compute = 6 * columns["N"] * columns["D"]
    return Draft(
        kind="IsoFLOP, size and data",
        columns=columns,
        judged=compute > 8e20,
        truth=program(
            "N, D", "E + A*N**-alpha + B*D**-beta", E=power(0.5, 2), A=AMPLITUDE, B=AMPLITUDE, alpha=EXPONENT, beta=EXPONENT
        ),
        values={
            "E": draw.near(1.82),
            "A": draw.near(482.0, 0.2),
            "B": draw.near(2085.0, 0.2),
            "alpha": draw.near(0.348, 0.04),
            "beta": draw.near(0.366, 0.04),
        },
        roles={},
    )


def isoflop_compute(draw: Draw) -> Draft:
    """The same design told as compute and size, with an interaction: larger budgets forgive a wrong size less."""
    budgets = np.array([1e17, 3e17, 1e18, 3e18, 1e19, 3e19])
    columns = _budgets(budgets, np.array([1e20, 3e20]), np.geomspace(0.25, 4.0, 7))
    compute = 6 * columns["N"] * columns["D"]
    return Draft(
        kind="IsoFLOP, compute and size",
        columns={"C": compute, "N": columns["N"]},
        judged=compute > 5e19,
        truth=program(
            "C, N",
            "E + A*C**-alpha + q*(log(N) - m - g*log(C))**2",
            E=power(0.5, 3),
            A=power(10, 1e4),
            alpha=EXPONENT,
            q=power(0.005, 0.2),
            m="real(start=(-8, 2))",
            g=power(0.2, 0.8),
            starts=64,
        ),
        values={
            "E": draw.near(1.6),
            "A": draw.near(1300.0, 0.2),
            "alpha": draw.near(0.16, 0.04),
            "q": draw.near(0.035),
            "m": math.log(0.1),
            "g": draw.near(0.5, 0.02),
        },
        roles={},
    )


def _budgets(train: np.ndarray, test: np.ndarray, factors: np.ndarray) -> dict[str, np.ndarray]:
    """Sizes around 0.1 sqrt(C), the data that the budget leaves."""
    columns = stacked(crossed(C=train, N=factors), crossed(C=test, N=factors[1:-1:2]))
    N = np.round(columns["N"] * 0.1 * np.sqrt(columns["C"]), -4)
    return {"N": np.asarray(N), "D": columns["C"] / (6 * N)}


def power_floor(draw: Draw) -> Draft:
    """One variable, fourteen points over four decades; judged up to two decades beyond."""
    x = np.concatenate([np.geomspace(1e15, 1e19, 14), np.geomspace(3e19, 1e21, 5)])
    alpha = draw.near(0.13, 0.06)
    return Draft(
        kind="one variable, power law with floor",
        columns={"C": x},
        judged=x > 2e19,
        truth=program("C", "E + A*C**-alpha", E=power(0.5, 3), A=power(10, 1e4), alpha=EXPONENT),
        values={"E": draw.near(2.0), "A": draw.near(2.6) * 1e15**alpha, "alpha": alpha},
        roles={},
    )


def power_shift(draw: Draw) -> Draft:
    """Learning curves of five data sets: flat while examples are few, a power law later."""
    x = 32.0 * 2.0 ** np.arange(16)
    columns, group = grouped({"n": x}, [f"data {k}" for k in range(5)])
    return Draft(
        kind="one variable, learning curves with a shift",
        columns=columns,
        judged=columns["n"] > 32.0 * 2**11,
        truth=program(
            "n", "E + A*(n + s)**-alpha", E=power(0.01, 0.2), A=power(1, 20), s=power(20, 3000), alpha=power(0.2, 1)
        ),
        values={
            "E": draw.each(0.04, 0.5, 5),
            "A": draw.each(8.0, 0.2, 5),
            "s": draw.each(400.0, 0.6, 5),
            "alpha": draw.each(0.45, 0.12, 5),
        },
        per_group=frozenset({"E", "A", "s", "alpha"}),
        group=group,
        roles={},
        targets=FRACTION,
    )


def repeated(draw: Draw) -> Draft:
    """Unique tokens, size and tokens seen: about 150 rows, up to 44 epochs."""
    columns = _repeats()
    return Draft(
        kind="repeated data",
        columns=columns,
        judged=_largest(columns),
        truth=program(
            "U, N, D",
            "E + A*N**-alpha + B*(U*(1 + R*(1 - exp(-(D/U - 1)/R))))**-beta",
            E=power(0.5, 2),
            A=AMPLITUDE,
            B=power(10, 1e4),
            alpha=EXPONENT,
            beta=EXPONENT,
            R=power(2, 40),
            starts=64,
        ),
        values={
            "E": draw.near(1.87),
            "A": draw.near(521.0, 0.2),
            "B": draw.near(1488.0, 0.2),
            "alpha": draw.near(0.353, 0.04),
            "beta": draw.near(0.353, 0.04),
            "R": draw.near(15.4, 0.3),
        },
        roles={},
    )


def repeated_overfit(draw: Draw) -> Draft:
    """Repetition that does harm in the end: a term that grows with epochs and with size over unique tokens."""
    columns = _repeats()
    return Draft(
        kind="repeated data with overfitting",
        columns=columns,
        judged=_largest(columns),
        truth=program(
            "U, N, D",
            "E + A*N**-alpha + B*D**-beta + c*(D/U)**p*(N/U)**q",
            E=power(0.5, 2),
            A=AMPLITUDE,
            B=power(10, 1e4),
            alpha=EXPONENT,
            beta=EXPONENT,
            c=power(0.003, 0.2),
            p=power(0.3, 1.5),
            q=power(0.2, 1),
            starts=64,
        ),
        values={
            "E": draw.near(1.75),
            "A": draw.near(480.0, 0.2),
            "B": draw.near(900.0, 0.2),
            "alpha": draw.near(0.34, 0.04),
            "beta": draw.near(0.33, 0.04),
            "c": draw.near(0.03, 0.2),
            "p": draw.near(0.8),
            "q": draw.near(0.6),
        },
        roles={},
    )


def _repeats() -> dict[str, np.ndarray]:
    columns = crossed(U=[1e8, 4e8, 1.5e9, 4e9, 9e9], N=[2.2e7, 7.4e7, 2.2e8, 6.3e8, 1.6e9, 4.2e9], D=[1, 2, 4, 7, 14, 44])
    columns["D"] = columns["D"] * columns["U"]
    return columns


def _largest(columns: dict[str, np.ndarray]) -> np.ndarray:
    """The most parameters or the most tokens."""
    return np.asarray((columns["N"] > 4e9) | (columns["D"] > 1.1e11))


def saturation(draw: Draw) -> Draft:
    """Accuracy of one benchmark over compute, from chance to its ceiling; the rise is seen, the plateau is judged."""
    x = np.concatenate([np.geomspace(1e19, 4e22, 20), np.geomspace(7e22, 2e24, 6)])
    k = draw.near(0.8, 0.06)
    return Draft(
        kind="saturation, one benchmark",
        columns={"C": x},
        judged=x > 5e22,
        truth=program(
            "C",
            "E + A*sigmoid(k*log(C) - b)",
            E=power(0.1, 0.4),
            A=power(0.3, 0.8),
            k=power(0.3, 2),
            b="real(start=(20, 90))",
        ),
        values={"E": draw.near(0.25, 0.05), "A": draw.near(0.64, 0.05), "k": k, "b": k * math.log(draw.near(5e21, 0.2))},
        roles={},
        targets=(Target("accuracy", (0.0, 1.0)),),
    )


def saturation_groups(draw: Draw) -> Draft:
    """Nine benchmarks over log10 compute with their own chance level, ceiling and midpoint, and one slope."""
    x = np.concatenate([np.linspace(19.0, 22.4, 14), np.linspace(22.7, 24.2, 4)])
    columns, group = grouped({"logC": x}, [f"benchmark {k}" for k in range(9)])
    return Draft(
        kind="saturation, several benchmarks",
        columns=columns,
        judged=columns["logC"] > 22.5,
        truth=program(
            "logC",
            "E + A*sigmoid(k*(logC - m))",
            E=power(0.1, 0.5),
            A=power(0.2, 0.8),
            m=power(20, 23),
            k=power(0.7, 4, SHARED),
            starts=48,
        ),
        values={
            "E": draw.between(0.02, 0.35, 9),
            "A": draw.between(0.4, 0.6, 9),
            "m": draw.between(20.6, 21.9, 9),
            "k": draw.near(1.9),
        },
        per_group=frozenset({"E", "A", "m"}),
        group=group,
        roles={"logC": Variable("logC", "logC", "scale", log=True, log_base=10.0)},
        targets=(Target("accuracy", (0.0, 1.0)),),
    )


def broken(draw: Draw) -> Draft:
    """One smoothly broken power law that steepens inside the training range."""
    x = np.geomspace(1e2, 3e7, 44)
    return Draft(
        kind="smoothly broken power law",
        columns={"x": x},
        judged=x > 1.2e6,
        truth=program(
            "x",
            "a + b*x**-c0*exp(-c1*f*softplus((log(x) - d)/f))",
            a=power(0.005, 0.1),
            b=power(0.5, 3),
            c0=power(0.02, 0.3),
            c1=power(0.1, 1),
            d="real(start=(6, 13))",
            f=power(0.1, 1),
            starts=64,
        ),
        values={
            "a": draw.near(0.03, 0.2),
            "b": draw.near(1.4),
            "c0": draw.near(0.07),
            "c1": draw.near(0.38),
            "d": math.log(draw.near(2.5e4, 0.3)),
            "f": draw.near(0.4, 0.2),
        },
        roles={},
    )


def broken_groups(draw: Draw) -> Draft:
    """Six tasks whose error breaks at their own number of examples, with exponents in common."""
    columns, group = grouped({"x": np.geomspace(1e3, 2e8, 26)}, [f"task {k}" for k in range(6)])
    return Draft(
        kind="smoothly broken power laws, groups",
        columns=columns,
        judged=columns["x"] > 1e7,
        truth=program(
            "x",
            "b*x**-c0*(1 + x/d)**-c1",
            b=power(0.5, 3),
            d=power(1e4, 1e6),
            c0=power(0.02, 0.2, SHARED),
            c1=power(0.1, 1, SHARED),
            starts=48,
        ),
        values={
            "b": draw.between(0.8, 1.6, 6),
            "d": draw.each(1.5e5, 0.7, 6),
            "c0": draw.near(0.06),
            "c1": draw.near(0.33),
        },
        per_group=frozenset({"b", "d"}),
        group=group,
        roles={},
    )
