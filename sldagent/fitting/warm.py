"""Compile the kernels once, before workers start, so that they load them from the disk cache."""

from __future__ import annotations

import time

import numpy as np


def warm() -> float:
    """Run the kernels on a tiny fit; returns the seconds it took (about 10 s of compilation once, then the disk cache).

    Those of `robust` are compiled when a thorough fit first asks for them.
    """
    started = time.perf_counter()
    from sldagent.fitting.fit import fit_rows
    from sldagent.fitting.graph import Layout
    from sldagent.fitting.result import predict_point
    from sldagent.fitting.rows import Rows
    from sldagent.fitting.tape import compile_law
    from sldagent.laws.expr import add, call, mul, par, var
    from sldagent.laws.program import Law, Parameter, Recipe

    x = np.linspace(1.0, 3.0, 12)
    law = compile_law(
        Law(("x",), add(par("c"), mul(par("k"), call("exp", mul(par("a"), var("x"))))), tuple(map(Parameter, "cka"))),
        Layout({"x": 0}, {}, 1),
    )
    y = 1.0 + 2.0 * np.exp(-x)
    rows = Rows(x[:, None], y[None], np.zeros(12, np.int64), 1, np.ones((1, 12)))
    result = fit_rows(law, rows, Recipe(loss="huber", space="log"), np.random.default_rng(0))
    predict_point(law, law.tapes, rows, result.blocks, result.point)
    return time.perf_counter() - started
