"""Simulated tables with settings, proportions, groups, runs, experts, streams, bits: what is more than size and data."""

from __future__ import annotations

import math

import numpy as np

from experiments.selection.drafts import Draft, Draw, crossed, grouped, power, program, stacked
from sldagent.tasks.task import Target, Variable

AMPLITUDE = power(1, 3000)
EXPONENT = power(0.05, 1)
FRACTION = (Target("error", (0.0, 1.0)),)


def _settings(*names: str) -> dict[str, Variable]:
    return {name: Variable(name, name, "setting") for name in names}


def _losses(count: int) -> tuple[Target, ...]:
    return tuple(Target(f"loss_{k + 1}", (0.0, math.inf)) for k in range(count))


def mixture(draw: Draw) -> Draft:
    """Shares of four domains, some zero; losses on three validation sets; judged at the farthest fifth of the mixtures."""
    shares = draw.rng.dirichlet(np.full(4, 0.9), size=90)
    shares[shares < 0.05] = 0.0
    shares = np.round(shares / shares.sum(axis=1, keepdims=True), 4)
    shares[:, 0] = 1.0 - shares[:, 1:].sum(axis=1)
    distance = np.linalg.norm(shares - shares.mean(axis=0), axis=1)
    t = draw.between(-0.6, 0.5, 3, 4)
    t[np.arange(3), np.arange(3)] = draw.between(-3.0, -1.5, 3)
    names = tuple(f"share_{k + 1}" for k in range(4))
    return Draft(
        kind="mixture, exponential",
        columns=dict(zip(names, np.clip(shares, 0.0, 1.0).T, strict=True)),
        judged=distance > np.quantile(distance, 0.8),
        truth=program(
            "r", "c[i] + k[i]*exp(sum(t[i, j]*r[j] for j in r))", c=power(0.5, 3), k=power(0.3, 3), t="real(start=(-3, 1))"
        ),
        values={"c": draw.between(1.4, 2.6, 3), "k": draw.between(0.9, 1.8, 3), "t": t},
        roles={n: Variable(n, n, "proportion") for n in names},
        vectors={"r": names},
        targets=_losses(3),
    )


def mixture_scale(draw: Draw) -> Draft:
    """Shares of three domains and tokens; each domain's loss falls with its own share; judged at eight times the tokens."""
    shares = draw.rng.dirichlet(np.full(3, 1.2), size=14)
    shares[shares < 0.04] = 0.0
    shares = np.round(shares / shares.sum(axis=1, keepdims=True), 3)
    index = crossed(k=np.arange(14), D=[1e9, 2e9, 4e9, 8e9, 1.6e10, 6.4e10])
    rows = shares[index["k"].astype(int)]
    names = ("web", "code", "books")
    return Draft(
        kind="mixture x data",
        columns={**dict(zip(names, rows.T, strict=True)), "D": index["D"]},
        judged=index["D"] > 2e10,
        truth=program(
            "r, D",
            "E[i] + A[i]*D**-beta[i]*(r[i] + z[i])**-g[i]",
            E=power(0.5, 3),
            A=power(1, 1000),
            beta=power(0.1, 0.5),
            z=power(0.003, 0.3),
            g=power(0.05, 0.5),
            starts=64,
        ),
        values={
            "E": draw.between(1.2, 2.2, 3),
            "A": draw.each(350.0, 0.2, 3),
            "beta": draw.each(0.28, 0.04, 3),
            "z": draw.between(0.01, 0.05, 3),
            "g": draw.between(0.12, 0.25, 3),
        },
        roles={n: Variable(n, n, "proportion") for n in names},
        vectors={"r": names},
        targets=_losses(3),
    )


def rate_batch(draw: Draw) -> Draft:
    """Learning rate x batch size x size x data, 2,000 rows and more, a bowl around an optimum that moves."""
    grid = {"lr": 2.0 ** np.linspace(-12.5, -6.5, 13), "bsz": 3.2e4 * 2.0 ** np.arange(8)}
    columns = stacked(
        crossed(**grid, N=[6e7, 1.2e8, 2.5e8, 5e8, 1e9], D=[2e9, 5e9, 1e10, 2e10, 4e10]),
        crossed(**grid, N=[2e9], D=[4e10, 1e11]),
    )
    values = {
        "E": draw.near(1.7),
        "A": draw.near(130.0, 0.2),
        "B": draw.near(350.0, 0.2),
        "alpha": draw.near(0.29, 0.04),
        "beta": draw.near(0.28, 0.04),
        "q": draw.near(0.03),
        "l": math.log(draw.near(1.8)),
        "g": draw.near(0.71, 0.04),
        "z": draw.near(0.31, 0.04),
        "p": draw.near(0.012),
        "m": math.log(draw.near(0.58)),
        "e": draw.near(0.57, 0.03),
    }
    rate = np.log(columns["lr"]) - values["l"] + values["g"] * np.log(columns["N"]) - values["z"] * np.log(columns["D"])
    kept = (values["q"] * rate**2 < 0.5) & ~((rate > 2.0) & (columns["bsz"] < 1e5))  # diverged runs are not reported
    columns = {k: v[kept] for k, v in columns.items()}
    return Draft(
        kind="learning rate x batch x size x data",
        columns=columns,
        judged=columns["N"] > 1.5e9,
        truth=program(
            "lr, bsz, N, D",
            "E + A*N**-alpha + B*D**-beta + q*(log(lr) - l + g*log(N) - z*log(D))**2 + p*(log(bsz) - m - e*log(D))**2",
            E=power(0.5, 2),
            A=AMPLITUDE,
            B=AMPLITUDE,
            alpha=EXPONENT,
            beta=EXPONENT,
            q=power(0.005, 0.2),
            l="real(start=(-2, 2))",
            g="real(start=(0.3, 1))",
            z="real(start=(0.1, 0.6))",
            p=power(0.002, 0.1),
            m="real(start=(-2, 2))",
            e="real(start=(0.3, 0.8))",
        ),
        values=values,
        roles=_settings("lr", "bsz"),
    )


def rate(draw: Draw) -> Draft:
    """Learning rate x size x data; too large a rate hurts more than too small a one."""
    grid = {"lr": 2.0 ** np.arange(-13.0, -5.0)}
    columns = stacked(
        crossed(**grid, N=[1e6, 3e6, 1e7, 3e7, 1e8], D=[2e8, 5e8, 1e9, 2e9]), crossed(**grid, N=[3e8], D=[2e9, 5e9])
    )
    return Draft(
        kind="learning rate x size x data, lopsided",
        columns=columns,
        judged=columns["N"] > 2e8,
        truth=program(
            "lr, N, D",
            "E + A*N**-alpha + B*D**-beta + q*(exp(k*(log(lr) - l + g*log(N))) - k*(log(lr) - l + g*log(N)) - 1)",
            E=power(0.5, 2),
            A=AMPLITUDE,
            B=AMPLITUDE,
            alpha=EXPONENT,
            beta=EXPONENT,
            q=power(0.01, 0.3),
            k=power(0.3, 1.5),
            l="real(start=(-4, 4))",
            g="real(start=(0.1, 0.7))",
            starts=64,
        ),
        values={
            "E": draw.near(1.9),
            "A": draw.near(60.0, 0.2),
            "B": draw.near(300.0, 0.2),
            "alpha": draw.near(0.3, 0.04),
            "beta": draw.near(0.31, 0.04),
            "q": draw.near(0.05),
            "k": draw.near(0.7),
            "l": math.log(draw.near(0.9)),
            "g": draw.near(0.33, 0.05),
        },
        roles=_settings("lr"),
    )


def u_shape(draw: Draw) -> Draft:
    """Minus the Brier score of eight benchmarks over log10 FLOPs: a dip, then a rise; the largest of each judged."""
    xs = [np.sort(draw.between(-2.6, 2.4, 46)) for _ in range(8)]
    x, judged = np.concatenate(xs), np.concatenate([v > np.quantile(v, 0.76) for v in xs])
    return Draft(
        kind="U-shape over log compute",
        columns={"log_flops": x},
        judged=judged,
        truth=program(
            "log_flops",
            "E + A*sigmoid(k*(log_flops - m)) - B*exp(-((log_flops - c)/w)**2)",
            E="real(start=(-0.9, -0.5))",
            A=power(0.2, 0.8),
            k=power(0.7, 4),
            m="real(start=(-0.5, 1.5))",
            B=power(0.03, 0.3),
            c="real(start=(-1.5, 0.5))",
            w=power(0.3, 1.5),
            starts=96,
        ),
        values={
            "E": draw.between(-0.78, -0.66, 8),
            "A": draw.between(0.4, 0.55, 8),
            "k": draw.between(1.6, 2.6, 8),
            "m": draw.between(0.1, 0.7, 8),
            "B": draw.between(0.06, 0.13, 8),
            "c": draw.between(-0.9, -0.3, 8),
            "w": draw.between(0.5, 0.8, 8),
        },
        per_group=frozenset(["E", "A", "k", "m", "B", "c", "w"]),
        group=[f"benchmark {k}" for k, v in enumerate(xs) for _ in v],
        roles={"log_flops": Variable("log_flops", "log_flops", "scale", log=True, log_base=10.0)},
        targets=(Target("brier_score", (-1.0, 0.0)),),
    )


def double_descent(draw: Draw) -> Draft:
    """Test error against width and examples: a power law with a peak where the network begins to interpolate."""
    columns = stacked(
        crossed(N=np.geomspace(3e3, 1e7, 24), D=[1e3, 3e3, 1e4, 3e4]), crossed(N=np.geomspace(1.5e7, 2e8, 6), D=[1e4, 3e4])
    )
    return Draft(
        kind="double descent",
        columns=columns,
        judged=columns["N"] > 1.2e7,
        truth=program(
            "N, D",
            "A*N**-a*D**-b + B*exp(-((log(N) - m - g*log(D))/w)**2)",
            A=power(1, 100),
            a=EXPONENT,
            b=EXPONENT,
            B=power(0.03, 0.5),
            m="real(start=(0, 5))",
            g="real(start=(0.5, 1.3))",
            w=power(0.3, 2),
            starts=96,
        ),
        values={
            "A": draw.near(5.0),
            "a": draw.near(0.12, 0.05),
            "b": draw.near(0.2, 0.05),
            "B": draw.near(0.1),
            "m": math.log(draw.near(9.0)),
            "g": 1.0,
            "w": draw.near(0.8),
        },
        roles={},
        targets=FRACTION,
    )


def moe(draw: Draw) -> Draft:
    """Experts x dense size, bilinear in logarithms, experts saturating; two replicates; the largest sizes judged."""
    columns = crossed(
        replicate=[0, 1], X=2.0 ** np.arange(9), N=[1.5e7, 2.5e7, 5.5e7, 8.7e7, 1.3e8, 2.3e8, 3.7e8, 8.7e8, 1.3e9]
    )
    del columns["replicate"]
    return Draft(
        kind="mixture of experts",
        columns=columns,
        judged=columns["N"] > 8e8,
        truth=program(
            "X, N",
            "exp(d + a*log(N) - (b - c*log(N))*log(1/(X + s) + 1/m))",
            a="real(start=(-0.2, -0.02))",
            b="real(start=(-0.3, 0))",
            c="real(start=(-0.02, 0.02))",
            d="real(start=(1, 5))",
            s=power(0.1, 5),
            m=power(50, 1000),
            starts=96,
        ),
        values={
            "a": -draw.near(0.082, 0.04),
            "b": -draw.near(0.125, 0.05),
            "c": -draw.near(0.004, 0.1),
            "d": draw.near(2.54, 0.02),
            "s": draw.near(0.9, 0.2),
            "m": draw.near(300.0, 0.2),
        },
        roles={},
    )


def moe_fine(draw: Draw) -> Draft:
    """Granularity of experts x size x data."""
    columns = stacked(
        crossed(G=2.0 ** np.arange(5), N=[6e7, 1.3e8, 2.6e8, 5.3e8], D=[4e9, 8e9, 1.6e10, 3.3e10]),
        crossed(G=2.0 ** np.arange(5), N=[1.3e9, 3.1e9], D=[3.3e10, 6.6e10]),
    )
    return Draft(
        kind="fine-grained mixture of experts",
        columns=columns,
        judged=columns["N"] > 1e9,
        truth=program(
            "G, N, D",
            "E + (g*G**-gamma + a)*N**-alpha + b*D**-beta",
            E=power(0.1, 2),
            g=power(0.3, 10),
            gamma=power(0.2, 1),
            a=power(3, 60),
            alpha=power(0.05, 0.4),
            b=power(3, 100),
            beta=power(0.05, 0.4),
            starts=64,
        ),
        values={
            "E": draw.near(0.47),
            "g": draw.near(2.1),
            "gamma": draw.near(0.58),
            "a": draw.near(18.1),
            "alpha": draw.near(0.115, 0.03),
            "b": draw.near(30.8),
            "beta": draw.near(0.147, 0.03),
        },
        roles={},
    )


def test_time(draw: Draw) -> Draft:
    """Failure rate against size and samples per question, few levels of each, two tasks; judged at more samples."""
    rows = crossed(N=[5e8, 1.5e9, 3e9, 7e9, 1.4e10], k=2.0 ** np.arange(8))
    columns, group = grouped(rows, ["maths", "code"])
    return Draft(
        kind="test-time samples x size",
        columns=columns,
        judged=columns["k"] > 20,
        truth=program(
            "N, k",
            "1 - exp(-a*N**-p*k**-b)",
            a=power(100, 1e5),
            p=power(0.1, 0.8),
            b=power(0.1, 1),
        ),
        values={"a": draw.each(1.3, 0.1, 2) * 5e8**0.33, "p": np.array([0.33, 0.32]), "b": draw.between(0.35, 0.6, 2)},
        per_group=frozenset({"a", "p", "b"}),
        group=group,
        roles={},
        targets=FRACTION,
    )


def ensemble(draw: Draw) -> Draft:
    """Members x size, few levels of each, two data sets; judged at eight members."""
    rows = crossed(N=[5.3e8, 7e8, 1.1e9, 1.6e9, 2.8e9, 4.4e9], P=[1, 2, 4, 8])
    columns, group = grouped(rows, ["web", "code"])
    return Draft(
        kind="parallel members x size",
        columns=columns,
        judged=columns["P"] > 4,
        truth=program(
            "N, P", "E + A*N**-alpha*(1 + k/P)", E=power(0.3, 2), A=power(1, 300), alpha=EXPONENT, k=power(0.02, 1)
        ),
        values={
            "E": np.array([draw.near(1.3), draw.near(0.6)]),
            "A": draw.each(45.0, 0.2, 2),
            "alpha": draw.each(0.2, 0.05, 2),
            "k": draw.between(0.08, 0.2, 2),
        },
        per_group=frozenset({"E", "A", "alpha", "k"}),
        group=group,
        roles={},
    )
