"""Simulated tables with many groups, uneven or correlated errors, and tables of compressed networks."""

from __future__ import annotations

import numpy as np

from experiments.selection.drafts import SHARED, Draft, Draw, crossed, grouped, power, program, stacked
from sldagent.tasks.task import Target, Variable

AMPLITUDE = power(1, 3000)
EXPONENT = power(0.05, 1)


def noisy_groups(draw: Draw) -> Draft:
    """Size x data on six data sets whose noise differs by up to a factor of sixteen; exponents in common."""
    rows = crossed(N=np.geomspace(1e7, 1e9, 7), D=[5.0, 20.0, 80.0, 320.0])
    rows["D"] = rows["D"] * rows["N"]
    rows = stacked(rows, {"N": np.array([2e9, 4e9, 4e9]), "D": np.array([4e10, 2e10, 3.2e11])})
    columns, group = grouped(rows, [f"data {k}" for k in range(6)])
    factor = draw.rng.permutation([0.3, 0.5, 0.8, 1.2, 2.4, 4.8])
    return Draft(
        kind="noise that differs by group",
        columns=columns,
        judged=columns["N"] > 1.5e9,
        truth=program(
            "N, D",
            "E + A*N**-alpha + B*D**-beta",
            E=power(0.3, 3),
            A=AMPLITUDE,
            B=AMPLITUDE,
            alpha=power(0.1, 1, SHARED),
            beta=power(0.1, 1, SHARED),
            starts=48,
        ),
        values={
            "E": draw.between(0.8, 2.4, 6),
            "A": draw.each(300.0, 0.3, 6),
            "B": draw.each(500.0, 0.3, 6),
            "alpha": draw.near(0.33, 0.04),
            "beta": draw.near(0.3, 0.04),
        },
        per_group=frozenset({"E", "A", "B"}),
        group=group,
        roles={},
        noise_factor=np.repeat(factor, len(rows["N"])),
    )


def checkpoints(draw: Draw) -> Draft:
    """Twelve training runs at a constant rate with thirty checkpoints each; judged on two whole runs of larger models."""
    sizes = np.array([2e7, 2e7, 4.5e7, 4.5e7, 1e8, 1e8, 1.9e8, 1.9e8, 3.7e8, 3.7e8, 7.6e8, 7.6e8, 1.3e9, 3.2e9])
    length = np.where(np.arange(len(sizes)) % 2 == 0, 20.0, 100.0)
    D = np.concatenate([np.geomspace(4e8, n * r, 30) for n, r in zip(sizes, np.maximum(length, 40.0), strict=True)])
    N, run = np.repeat(sizes, 30), np.repeat(np.arange(len(sizes)), 30)
    return Draft(
        kind="checkpoints of runs, correlated noise",
        columns={"N": N, "D": D},
        judged=N > 1e9,
        truth=program(
            "N, D",
            "E + A*N**-alpha + B*D**-beta*N**-g",
            E=power(0.5, 2),
            A=AMPLITUDE,
            B=AMPLITUDE,
            alpha=EXPONENT,
            beta=EXPONENT,
            g=power(0.01, 0.2),
            starts=48,
        ),
        values={
            "E": draw.near(1.75),
            "A": draw.near(300.0, 0.2),
            "B": draw.near(2500.0, 0.2),
            "alpha": draw.near(0.32, 0.04),
            "beta": draw.near(0.33, 0.04),
            "g": draw.near(0.03, 0.1),
        },
        roles={},
        run=run,
        correlation=0.9,
    )


def schedule(draw: Draw) -> Draft:
    """Cosine runs: the loss also depends on how far the learning rate has come down (its share of the peak, a setting)."""
    part = np.linspace(0.08, 1.0, 24)
    columns: dict[str, list[np.ndarray]] = {"N": [], "D": [], "h": []}
    runs = [(n, r) for n in (1.9e8, 3.7e8, 7.6e8, 1.3e9) for r in (10.0, 20.0, 40.0, 100.0)] + [
        (3.2e9, 20.0),
        (3.2e9, 100.0),
    ]
    for n, r in runs:
        columns["N"].append(np.full(24, n))
        columns["D"].append(part * n * r)
        columns["h"].append(0.1 + 0.45 * (1 + np.cos(np.pi * part)))
    flat = {k: np.concatenate(v) for k, v in columns.items()}
    return Draft(
        kind="checkpoints of schedules, correlated noise",
        columns=flat,
        judged=flat["N"] > 2e9,
        truth=program(
            "N, D, h",
            "E + A*N**-alpha + B*D**-beta + G*h**q",
            E=power(0.5, 2),
            A=AMPLITUDE,
            B=AMPLITUDE,
            alpha=EXPONENT,
            beta=EXPONENT,
            G=power(0.02, 0.5),
            q=power(0.3, 2),
            starts=48,
        ),
        values={
            "E": draw.near(1.7),
            "A": draw.near(350.0, 0.2),
            "B": draw.near(800.0, 0.2),
            "alpha": draw.near(0.33, 0.04),
            "beta": draw.near(0.31, 0.04),
            "G": draw.near(0.14),
            "q": draw.near(0.8),
        },
        roles={"h": Variable("h", "h", "setting")},
        run=np.repeat(np.arange(len(runs)), 24),
        correlation=0.8,
    )


def sparsity(draw: Draw) -> Draft:
    """Non-zero parameters, share of weights kept and tokens: the share changes the amplitude of the size term."""
    densities = [1.0, 0.5, 0.25, 0.125]
    columns = stacked(
        crossed(density=densities, N=[1.3e6, 2.6e6, 5.3e6, 1.1e7, 2.1e7], D=[1.6e10, 3.3e10, 6.6e10]),
        crossed(density=densities, N=[4.2e7, 8.5e7], D=[6.6e10, 1.3e11]),
    )
    return Draft(
        kind="sparsity",
        columns=columns,
        judged=columns["N"] > 3e7,
        truth=program(
            "density, N, D",
            "(a*density**b + c)*N**-g + (B/D)**h + E",
            a=power(1, 50),
            b=power(0.2, 2),
            c=power(5, 100),
            g=power(0.1, 0.5),
            B=power(1e7, 1e10),
            h=power(0.1, 0.5),
            E=power(0.2, 2),
            starts=96,
        ),
        values={
            "a": draw.near(16.8),
            "b": draw.near(0.72),
            "c": draw.near(45.0),
            "g": draw.near(0.245, 0.03),
            "B": draw.near(6.9e8),
            "h": draw.near(0.203, 0.03),
            "E": draw.near(0.65),
        },
        roles={"density": Variable("density", "density", "setting")},
    )


def pruning(draw: Draw) -> Draft:
    """Loss after pruning without retraining: explodes as density falls, later for larger models."""
    columns = stacked(
        crossed(N=[7e7, 1.6e8, 4.1e8, 1e9, 1.4e9, 2.8e9], density=np.linspace(0.3, 1.0, 8)),
        crossed(N=[6.9e9, 1.2e10], density=np.linspace(0.3, 1.0, 8)),
    )
    return Draft(
        kind="pruning",
        columns=columns,
        judged=columns["N"] > 5e9,
        truth=program(
            "N, density",
            "E + A*N**-alpha*(1 + k*(1/density - 1)**p)",
            E=power(0.5, 2),
            A=AMPLITUDE,
            alpha=EXPONENT,
            k=power(0.05, 2),
            p=power(0.7, 3),
            starts=48,
        ),
        values={
            "E": draw.near(1.7),
            "A": draw.near(150.0, 0.2),
            "alpha": draw.near(0.27, 0.04),
            "k": draw.near(0.35),
            "p": draw.near(1.7),
        },
        roles={"density": Variable("density", "density", "setting")},
    )


def precision(draw: Draw) -> Draft:
    """Training in few bits acts as fewer parameters."""
    bits = [3.0, 4.0, 5.0, 6.0, 8.0, 12.0, 16.0]
    columns = stacked(
        crossed(bits=bits, N=[3e7, 6e7, 1.1e8, 2.2e8], D=[1.5e9, 3e9, 6e9, 1.3e10, 2.6e10]),
        crossed(bits=bits, N=[4.4e8, 1.7e9], D=[2.6e10, 5.2e10]),
    )
    return Draft(
        kind="precision in training",
        columns=columns,
        judged=columns["N"] > 3e8,
        truth=program(
            "bits, N, D",
            "E + A*(N*(1 - exp(-bits/gamma)))**-alpha + B*D**-beta",
            E=power(0.5, 3),
            A=AMPLITUDE,
            B=power(10, 1e5),
            alpha=EXPONENT,
            beta=EXPONENT,
            gamma=power(0.5, 8),
            starts=48,
        ),
        values={
            "E": draw.near(2.77, 0.04),
            "A": draw.near(4300.0, 0.2),
            "B": draw.near(20000.0, 0.2),
            "alpha": draw.near(0.5, 0.04),
            "beta": draw.near(0.5, 0.04),
            "gamma": draw.near(2.7),
        },
        roles={"bits": Variable("bits", "bits", "setting")},
    )


def quantisation(draw: Draw) -> Draft:
    """Quantised after training: the harm grows with tokens over parameters and falls with bits."""
    bits = [3.0, 4.0, 5.0, 6.0, 8.0]
    columns = stacked(
        crossed(bits=bits, N=[3e7, 6e7, 1.1e8, 2.2e8], D=[1.5e9, 3e9, 6e9, 1.3e10, 2.6e10]),
        crossed(bits=bits, N=[2.2e8, 4.4e8, 1.7e9], D=[5.2e10, 1e11]),
    )
    return Draft(
        kind="quantisation after training",
        columns=columns,
        judged=columns["D"] > 3e10,
        truth=program(
            "bits, N, D",
            "E + A*N**-alpha + B*D**-beta + C*D**d*N**-n*exp(-bits/gamma)",
            E=power(0.5, 3),
            A=AMPLITUDE,
            B=power(10, 1e5),
            C=power(0.001, 0.3),
            alpha=EXPONENT,
            beta=EXPONENT,
            d=power(0.2, 1),
            n=power(0.1, 0.8),
            gamma=power(0.3, 4),
            starts=96,
        ),
        values={
            "E": draw.near(2.3, 0.04),
            "A": draw.near(400.0, 0.2),
            "B": draw.near(1500.0, 0.2),
            "C": draw.near(0.02),
            "alpha": draw.near(0.35, 0.04),
            "beta": draw.near(0.34, 0.04),
            "d": draw.near(0.5, 0.03),
            "n": draw.near(0.35, 0.03),
            "gamma": draw.near(1.2),
        },
        roles={"bits": Variable("bits", "bits", "setting")},
    )


def vocabulary(draw: Draw) -> Draft:
    """Size, vocabulary and characters: three powers under a negative offset; judged at more characters and words."""
    columns = stacked(
        crossed(
            N=[3.3e7, 8.5e7, 1.5e8, 3e8, 6e8, 1.1e9],
            V=[4e3, 6e3, 8e3, 1.2e4, 1.6e4, 2.4e4, 3.2e4, 4.8e4],
            D=np.geomspace(1e9, 4e10, 9),
        ),
        crossed(N=[6e8, 1.1e9], V=[4.8e4, 6.4e4, 9.6e4, 1.3e5], D=np.geomspace(6e10, 2e11, 4)),
    )
    return Draft(
        kind="three additive powers, negative target",
        columns=columns,
        judged=columns["D"] > 5e10,
        truth=program(
            "N, V, D",
            "E + A*N**-a + B*V**-b + C*D**-c",
            E="real(start=(-8, -3))",
            A=power(3, 1000),
            B=power(1, 100),
            C=power(10, 3000),
            a=EXPONENT,
            b=EXPONENT,
            c=EXPONENT,
            starts=64,
        ),
        values={
            "E": -draw.near(6.1, 0.03),
            "A": draw.near(60.0),
            "B": draw.near(12.0),
            "C": draw.near(210.0),
            "a": draw.near(0.25, 0.04),
            "b": draw.near(0.35, 0.04),
            "c": draw.near(0.25, 0.04),
        },
        roles={},
        targets=(Target("normalised_loss"),),
    )


def fine_tuning(draw: Draw) -> Draft:
    """Forty short fine-tuning curves: constants of their own, one exponent; judged at four and sixteen times the data."""
    sizes = np.append(250.0 * 2.0 ** np.arange(9), [250.0 * 2**10, 250.0 * 2**12])
    columns, group = grouped({"examples": sizes}, [f"model {k}" for k in range(40)])
    return Draft(
        kind="forty small groups",
        columns=columns,
        judged=columns["examples"] > 1e5,
        truth=program(
            "examples",
            "C + A/(examples**alpha + B)",
            C=power(0.2, 3),
            A=power(10, 1000),
            B=power(10, 1000),
            alpha=power(0.3, 1.2, SHARED),
            starts=48,
        ),
        values={
            "C": draw.between(0.7, 2.4, 40),
            "A": draw.each(220.0, 0.5, 40),
            "B": draw.each(110.0, 0.6, 40),
            "alpha": draw.near(0.65, 0.06),
        },
        per_group=frozenset({"A", "B", "C"}),
        group=group,
        roles={},
    )
