"""A plain evaluator of laws and random laws, for the tests of the law language."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from hypothesis import strategies as st

from sldagent.laws.expr import Expr, add, call, div, mul, neg, num, par, power, sum_over, var, walk
from sldagent.laws.program import Law, Parameter

VARIABLES = ("N", "D", "P")
LENGTH = 3
"""Elements of the task vector r."""
TARGETS = 2

PROGRAM = '''
"""Mixtures of data."""

def law(N, D, r, E, A, alpha, c, t, q):
    """One line."""
    x = log10(N)  # inlined
    z = [log(N), np.log(D), x]
    return E + A * N**-alpha - c[i] * exp(sum(t[i, j] * r[j] for j in r)) + sum(
        q[j, k] * z[j] * z[k] for j in z for k in z) + z[1]

parameters = {
    "E": positive(), "A": positive(start=(1e-3, 1e3)), "alpha": interval(0, 2, scope="shared", start=(0.05, 1)),
    "t": real(), "c": real(),
}
recipe = fit(loss="huber", delta=1e-4, space="log", starts=32, ridge={"q": 0.1})

def custom_fit(rows, targets, law):   # never run
    import os
    return [1, """a
b"""]
'''
"""A program that uses all of the language."""


def evaluate(law: Law, inputs: Mapping[str, np.ndarray], values: Mapping[str, np.ndarray], target: int = 0) -> np.ndarray:
    """Value of the law at the inputs, (n,) arrays or (n, length) for vectors; `values` by parameter, indexed as used."""
    vectors = dict(law.vectors)
    lengths = {name: len(elements) for name, elements in vectors.items()}

    def go(e: Expr, bound: Mapping[str, int]) -> np.ndarray:
        if e.op == "num":
            return np.asarray(e.value)
        if e.op == "var":
            if not e.index:
                return inputs[e.name]
            k = bound[e.index[0]]
            return go(vectors[e.name][k], {"i": target}) if e.name in vectors else inputs[e.name][:, k]
        if e.op == "par":
            return np.asarray(values[e.name])[tuple(bound[k] for k in e.index)]
        if e.op == "sum":
            length = lengths[e.over] if e.over in vectors else inputs[e.over].shape[1]
            return sum((go(e.args[0], {**bound, e.name: k}) for k in range(length)), np.asarray(0.0))
        a = [go(x, bound) for x in e.args]
        match e.op:
            case "add":
                return sum(a[1:], a[0])
            case "mul":
                return np.prod(np.broadcast_arrays(*a), axis=0)
            case "div":
                return a[0] / a[1]
            case "neg":
                return -a[0]
            case "pow":
                return np.power(a[0].astype(float), a[1])
            case "exp" | "log" | "sqrt" | "tanh" | "logaddexp":
                return getattr(np, e.op)(*a)
            case "sigmoid":
                return 1 / (1 + np.exp(-a[0]))
            case "softplus":
                return np.logaddexp(0, a[0])
            case "smoothmin":
                return -np.logaddexp(-a[0] * a[2], -a[1] * a[2]) / a[2]
            case "smoothmax":
                return np.logaddexp(a[0] * a[2], a[1] * a[2]) / a[2]
        raise AssertionError(e.op)

    with np.errstate(all="ignore"):
        return np.asarray(go(law.expr, {"i": target}), dtype=float)


def sample_inputs(rng: np.random.Generator, n: int = 7) -> dict[str, np.ndarray]:
    inputs = {v: rng.uniform(0.3, 3.0, n) for v in VARIABLES}
    inputs["r"] = rng.dirichlet(np.ones(LENGTH), n)
    return inputs


def sample_values(law: Law, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Random values of the parameters that `random_laws` uses (arrays by the first letter of the name)."""
    shapes = {"c": (TARGETS,), "t": (TARGETS, LENGTH), "w": (LENGTH,)}
    out = {}
    for p in law.parameters:
        u = rng.uniform(0.2, 2.0, shapes.get(p.name[0], ()))
        if p.kind == "real":
            u = u * rng.choice([-1.0, 1.0], u.shape)
        out[p.name] = p.lower + (p.upper - p.lower) * u / 2 if p.kind == "interval" else u
    return out


@st.composite
def random_laws(draw: st.DrawFn, vectors: bool = True, parameters: int = 5) -> Law:
    """Random laws over N, D, P and the vector r, with scalar, per-target and per-element parameters."""
    leaves = [var(v) for v in VARIABLES] + [par(f"p{k}") for k in range(parameters)]
    small = st.sampled_from([0.0, 1.0, -1.0, 2.0, 0.5, -0.5, 3.0, -2.0, 0.3, 10.0]).map(num)
    if vectors:
        leaves.append(par("c1", "i"))

    def extend(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
        several = st.lists(inner, min_size=2, max_size=3)
        one = st.sampled_from(["exp", "log", "sqrt", "tanh", "sigmoid", "softplus"])
        options = [
            several.map(lambda a: add(*a)),
            several.map(lambda a: mul(*a)),
            inner.map(neg),
            st.builds(div, inner, inner),
            st.builds(power, inner, inner),
            st.builds(call, one, inner),
            st.builds(power, inner, small),
            st.builds(lambda f, a, b: call(f, a, b, num(2.0)), st.sampled_from(["smoothmin", "smoothmax"]), inner, inner),
            st.builds(lambda a, b: call("logaddexp", a, b), inner, inner),
        ]
        return st.one_of(*options)

    base = st.one_of(st.sampled_from(leaves), small)
    if vectors:
        element = st.sampled_from(
            [
                mul(par("w1", "j"), var("r", "j")),
                mul(par("t1", "i", "j"), var("r", "j"), par("p0")),
                power(add(var("r", "j"), par("p1")), par("w2", "j")),
                mul(var("N"), var("r", "j")),
            ]
        )
        base = st.one_of(base, base, base, element.map(lambda b: sum_over(b, "j", "r")))
    return as_law(draw(st.recursive(base, extend, max_leaves=14)), draw)


def as_law(expr: Expr, draw: st.DrawFn) -> Law:
    """The law of an expression, its parameters' kinds and scopes drawn."""
    named = dict.fromkeys(e.name for e in walk(expr) if e.op == "par")
    used = {e.over if e.op == "sum" else e.name for e in walk(expr) if e.op in ("var", "sum")}
    parameters = []
    for name in named:
        kind = draw(st.sampled_from(["positive", "real", "interval"]))
        bounds = draw(st.sampled_from([(0.0, 2.0), (-1.0, 1.0), (0.5, 1.5)])) if kind == "interval" else ()
        scope = draw(st.sampled_from(["group", "group", "shared"]))
        parameters.append(Parameter(name, kind, *bounds, scope=scope))
    return Law(tuple(v for v in (*VARIABLES, "r") if v in used), expr, tuple(parameters))
