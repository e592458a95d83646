"""The canonical form: what is equal, what is merged, and that values are kept."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sldagent.laws.canonical import _rewrite, canonical, simplify_program, structure_hash
from sldagent.laws.expr import Expr, par, walk
from sldagent.laws.inspect import expressions
from sldagent.laws.lexical import MAX_DEPTH
from sldagent.laws.parse import parse_formula, parse_program
from sldagent.laws.program import Law, Parameter
from sldagent.laws.render import render_expr

sys.path.insert(0, str(Path(__file__).parent))
from law_tools import evaluate, random_laws, sample_inputs, sample_values


def law(text: str, **kinds: str | Parameter) -> Law:
    """A law whose parameters have the kinds given (default: real)."""
    found = parse_formula(text, ["N", "D", "P"], ["r"])

    def declare(p: Parameter) -> Parameter:
        kind = kinds.get(p.name, "real")
        return kind if isinstance(kind, Parameter) else replace(p, kind=kind)

    return replace(found, parameters=tuple(map(declare, found.parameters)))


def form(text: str, **kinds: str | Parameter) -> str:
    return render_expr(canonical(law(text, **kinds)).expr)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("N + (D + (P + N))", "D + 2*N + P"),
        ("N*(D*(P*N))", "D*N**2*P"),
        ("2*N*3 + 1 - 5", "6*N - 4"),
        ("-(-N)", "N"),
        ("N - (D - P)", "N + P - D"),
        ("(-N)*(-D)/(-P)", "-D*N/P"),
        ("N**1 + D**0", "1 + N"),
        ("N**0.5", "sqrt(N)"),
        ("exp(log(N))", "N"),
        ("log(exp(N))", "N"),
        ("exp(N)**a", "exp(a*N)"),
        ("exp(N)*exp(D)", "exp(D + N)"),
        ("exp(2*log(N) + log(D))", "D*N**2"),
        ("0*N + D", "D"),
        ("N/N + D - D", "1"),
        ("1/N**a", "N**-a"),
        ("D/(N**a*P)", "D*N**-a/P"),
        ("(N*D)**2*P", "(D*N)**2*P"),
        ("(N**2)**0.5", "sqrt(N**2)"),  # the absolute value, not N
        ("(N**3)**2", "N**6"),
        ("tanh(-(N - D))", "tanh(D - N)"),
        ("(D - N)**2 - (N - D)**2", "0"),
        ("N/3", "N/3"),
        ("N*D/(2*D)", "N/2"),
        ("N/0", "N/0"),
        ("log(0*N)", "log(0)"),
        ("exp(0*N) + log(1) + sqrt(4)", "3"),
        ("(-1)**0.5*N", "N*sqrt(-1)"),
        ("sum(N*r[j]*2 for j in r)", "2*N*sum(r[j] for j in r)"),
        ("sum(r[q]*sum(r[m] for m in r) for q in r)", "sum(r[j] for j in r)**2"),
    ],
)
def test_rewrites(text: str, expected: str) -> None:
    assert form(text) == expected


@pytest.mark.parametrize(
    ("text", "kinds", "expected", "kind"),
    [
        ("a + b + N", {"a": "positive", "b": "positive"}, "a + N", "positive"),
        ("a - b + N", {"a": "positive", "b": "positive"}, "a + N", "real"),
        ("a*b*N", {"a": "positive", "b": "positive"}, "a*N", "positive"),
        ("a*b*N", {"a": "positive", "b": "real"}, "a*N", "real"),
        ("a/b*N", {"a": "positive", "b": "positive"}, "a*N", "positive"),
        ("N/(a*b)", {"a": "positive", "b": "positive"}, "N/a", "positive"),
        ("a*N + b*N", {"a": "real", "b": "positive"}, "a*N", "real"),
        ("3*a*N", {"a": "positive"}, "a*N", "positive"),
        ("a + 3 + N", {"a": "real"}, "a + N", "real"),
        ("N**a + N*0", {"a": "positive"}, "N**a", "positive"),
        ("(N**a)**b", {"a": "positive", "b": "positive"}, "N**a", "positive"),
        ("exp(a + b*log(N))", {"a": "real", "b": "interval"}, "a*N**b", "positive"),
        ("a*(N/b)**-2", {"a": "positive", "b": "positive"}, "a*N**-2", "positive"),
        ("log(a) + N", {"a": "positive"}, "a + N", "real"),
    ],
)
def test_merges(text: str, kinds: dict[str, str], expected: str, kind: str) -> None:
    interval = Parameter("b", "interval", 0.0, 2.0)
    result = canonical(law(text, **{k: interval if v == "interval" else v for k, v in kinds.items()}))
    assert render_expr(result.expr) == expected
    assert result.parameter("a").kind == kind


@pytest.mark.parametrize(
    "text",
    [
        "a + 3 + N",  # positive plus 3 starts at 3
        "a*b*N + b",  # b appears twice
        "N**a + 2",
    ],
)
def test_what_is_not_merged(text: str) -> None:
    before = law(text, a="positive", b="positive")
    assert len(canonical(before).parameters) == len(before.parameters)


def test_scaled_bases_lose_their_scale_only_under_a_coefficient() -> None:
    assert form("A*(N/d)**-a", A="positive", d="positive") == "A*N**-a"
    assert form("A*(N/d)**-a", A="positive", d="real") == "A*(N/d)**-a"
    assert form("E + (N/d)**-a", E="positive", d="positive") == "E + (N/d)**-a"
    assert form("A*(2*N)**-a") == "A*N**-a"


def test_scope_and_index_limit_merges() -> None:
    shared = Parameter("b", scope="shared")
    assert form("a + b + N", a="real", b=shared) == "a + N"
    both = law("a[i] + b + N", b=Parameter("b"))
    assert render_expr(canonical(both).expr) == "a[i] + N"
    apart = law("a[i] + b + N", a=Parameter("a", scope="shared"))
    assert len(canonical(apart).parameters) == 2


def test_intervals_merge_to_the_interval_of_their_values() -> None:
    a, b = Parameter("a", "interval", 0.0, 2.0), Parameter("b", "interval", -1.0, 1.0)
    assert canonical(law("a + b + N", a=a, b=b)).parameters == (Parameter("b", "interval", -1.0, 3.0),)
    assert canonical(law("a/b*N", a=a, b="positive")).parameters == (Parameter("a", "positive"),)
    assert canonical(law("N**(a*b)", a=a, b=b)).parameters == (Parameter("b", "interval", -2.0, 2.0),)


def test_a_number_taken_in_moves_the_start_range() -> None:
    found = canonical(law("4*a*N", a=Parameter("a", "positive", start=(1.0, 3.0))))
    assert found.parameters == (Parameter("a", "positive", start=(4.0, 12.0)),)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("E + A*N**-a + B*D**-b", "x*D**-y + z + w*N**-v"),
        ("E + A/N**a", "E + A*N**-a"),
        ("A/(B + D**a) + C", "C + A/(D**a + B)"),
        ("N**a", "N**-a"),  # a is real
        ("(log(N) - c)**2*k", "k*(c + log(N))**2"),
        ("a*N + b*D + c*P + a*D", "c*N + a*D + b*P + c*D"),
        ("exp(c + a*log(N))", "exp(c)*N**a"),
        ("sum(t[i, j]*r[j] for j in r)", "sum(r[k]*u[i, k] for k in r)"),
        ("N**a + D**b + a*P + b", "N**b + D**a + b*P + a"),
    ],
)
def test_equal_structures(one: str, other: str) -> None:
    assert structure_hash(law(one)) == structure_hash(law(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("E + A*N**-a + B*D**-b", "E + A*N**-a + B*D**-a"),
        ("N**a + D**b + a*P", "N**a + D**b + b*P"),
        ("c + N", "c[i] + N"),
        ("N**a + N", "D**a + D"),
        ("sum(t[j]*r[j] for j in r)", "sum(t[i, j]*r[j] for j in r)"),
        ("sum(r[j]*sum(q[j, k]*r[k] for k in r) for j in r)", "sum(r[j]*sum(q[k, k]*r[k] for k in r) for j in r)"),
        ("N*2 + 1", "N*3 + 1"),
        ("smoothmin(N, D, 1)", "smoothmax(N, D, 1)"),
        ("a*N + b*D + a*b", "a*N + b*D + a*a"),
    ],
)
def test_different_structures(one: str, other: str) -> None:
    assert structure_hash(law(one)) != structure_hash(law(other))


def test_declarations_are_part_of_the_structure() -> None:
    hashes = {
        structure_hash(law("a + N", a=p))
        for p in (
            Parameter("a"),
            Parameter("a", "positive"),
            Parameter("a", scope="shared"),
            Parameter("a", "interval", 0.0, 1.0),
            Parameter("a", "interval", 0.0, 2.0),
        )
    }
    assert len(hashes) == 5
    assert structure_hash(law("a + N")) == structure_hash(law("a + N", a=Parameter("a", start=(1.0, 2.0))))


VECTORS = """
def law(N, D, {a}, {q}):
    {z} = [{one}, {two}, {a}*N]
    return {a} + sum({q}[{j}, {k}]*{z}[{j}]*{z}[{k}] for {j} in {z} for {k} in {z})
parameters = {{"{a}": real(), "{q}": real()}}
"""


def test_names_of_vectors_and_indices_do_not_count() -> None:
    def of(**names: str) -> str:
        return structure_hash(parse_program(VECTORS.format(**names)).law)

    plain = of(a="a", q="q", z="z", j="j", k="k", one="log(N)", two="log(D)")
    assert plain == of(a="q", q="a", z="y", j="m", k="j", one="log(N)", two="log(D)")
    assert plain != of(a="a", q="q", z="z", j="j", k="k", one="log(N)", two="sqrt(D)")


def test_named_vectors_are_rewritten_and_pruned() -> None:
    p = parse_program(
        "def law(N, q, s):\n    z = [N*1, exp(log(N))]\n    w = [N]\n    return s + sum(q[m]*z[m] for m in z)"
        "\nparameters = {'q': real(), 's': real()}"
    )
    found = canonical(replace(p.law, vectors=(*p.law.vectors, ("w", (par("q"),)))))
    assert [name for name, _ in found.vectors] == ["z"]
    assert [render_expr(e) for e in found.vectors[0][1]] == ["N", "N"]
    assert render_expr(found.expr) == "s + sum(q[j]*z[j] for j in z)"


def test_simplify_keeps_penalised_parameters_and_custom_fits() -> None:
    text = "def law(N, a, b): return a*N + b*N\nparameters = {'a': real(), 'b': real()}\nrecipe = fit(ridge={'b': 1})"
    simple = simplify_program(parse_program(text))
    assert [q.name for q in simple.law.parameters] == ["a", "b"]
    assert simple.recipe.ridge == (("b", 1.0),)
    plain = simplify_program(parse_program(text.split("recipe")[0]))
    assert [q.name for q in plain.law.parameters] == ["a"]
    custom = parse_program(text.split("recipe")[0] + "def custom_fit(x, y, law): ...")
    assert simplify_program(custom) == custom


def assert_same_values(one: Law, other: Law, seed: int) -> None:
    rng = np.random.default_rng(seed)
    inputs, values = sample_inputs(rng), sample_values(one, rng)
    for target in (0, 1):
        a, b = (np.broadcast_to(evaluate(x, inputs, values, target), (7,)) for x in (one, other))
        usable = np.isfinite(a) & (np.abs(a) < 1e6) & steady(one, inputs, values, target)
        np.testing.assert_allclose(b[usable], a[usable], rtol=1e-6, atol=1e-6)


def steady(one: Law, inputs: dict, values: dict, target: int) -> np.ndarray:
    """Rows where every part of the law is moderate, and does not move when the inputs move by their last digits."""
    fine = np.ones(7, dtype=bool)
    for e in walk(one.expr):
        if e.args and not any(x.index for x in walk(e)):
            part = np.broadcast_to(evaluate(replace(one, expr=e), inputs, values, target), (7,))
            fine &= np.isfinite(part) & (np.abs(part) < 1e6) & (np.abs(part) > 1e-6)
    moved = {k: v * (1 + 1e-9) for k, v in inputs.items()}
    base, near = (np.broadcast_to(evaluate(one, x, values, target), (7,)) for x in (inputs, moved))
    with np.errstate(all="ignore"):
        return fine & (np.abs(near - base) < 1e-7 * (1 + np.abs(base)))


@settings(max_examples=100, deadline=None)
@given(random_laws(), st.integers(0, 100))
def test_rewrites_keep_values(one: Law, seed: int) -> None:
    assert_same_values(one, _rewrite(one, merge=False, signs=False), seed)


@settings(max_examples=100, deadline=None)
@given(random_laws())
def test_canonical_is_idempotent_and_never_larger_in_parameters(one: Law) -> None:
    once = canonical(one)
    assert canonical(once) == once
    assert len(once.parameters) <= len(one.parameters)
    assert {p.name for p in once.parameters} <= {p.name for p in one.parameters}
    assert structure_hash(once) == structure_hash(one)


def shuffled(e: Expr, rng: np.random.Generator) -> Expr:
    args = [shuffled(a, rng) for a in e.args]
    if e.op in ("add", "mul"):
        args = [args[k] for k in rng.permutation(len(args))]
        if len(args) == 3 and rng.random() < 0.5:
            args = [Expr(e.op, tuple(args[:2])), args[2]]
    return replace(e, args=tuple(args)) if args else e


@settings(max_examples=100, deadline=None)
@given(random_laws(), st.integers(0, 1000))
def test_hash_ignores_names_and_order(one: Law, seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = [p.name for p in one.parameters]
    fresh = dict(zip(names, (names[0][:0] + f"q{k}" for k in rng.permutation(len(names))), strict=True)) if names else {}

    def rename(e: Expr) -> Expr:
        if e.op == "par":
            return replace(e, name=fresh[e.name])
        return replace(e, args=tuple(map(rename, e.args))) if e.args else e

    other = replace(
        one,
        expr=rename(shuffled(one.expr, rng)),
        parameters=tuple(replace(p, name=fresh[p.name]) for p in reversed(one.parameters)),
    )
    assert structure_hash(other) == structure_hash(one)


@settings(max_examples=150, deadline=None)
@given(random_laws(vectors=False, parameters=3), st.integers(0, 20))
def test_merges_keep_the_set_of_functions(one: Law, seed: int) -> None:
    """Whatever the original computes at some parameters, the merged law computes at some parameters: fit and see."""
    from scipy.optimize import least_squares

    merged = canonical(one)
    rng = np.random.default_rng(seed)
    inputs, values = sample_inputs(rng, 7), sample_values(one, rng)
    goal = np.broadcast_to(evaluate(one, inputs, values), (7,))
    free = [p for p in merged.parameters if p.kind != "interval"]
    if len(merged.parameters) == len(one.parameters) or len(free) != 1 or len(merged.parameters) != 1:
        return
    if not steady(one, inputs, values, 0).all():
        return
    p = free[0]
    signs = [1.0] if p.kind == "positive" else [1.0, -1.0]

    def residual(u: np.ndarray, sign: float) -> np.ndarray:
        r = evaluate(merged, inputs, {p.name: np.asarray(sign * math.exp(np.clip(u[0], -30, 30)))}) - goal
        return np.nan_to_num(np.broadcast_to(r, (7,)), nan=1e3, posinf=1e3, neginf=-1e3)

    best = min(
        least_squares(residual, [u], args=(s,), xtol=1e-15, ftol=1e-15, gtol=1e-15).cost
        for s in signs
        for u in (-4, -2, -1, -0.3, 0, 0.3, 1, 2, 4)
    )
    assert best < 1e-8 * (1 + np.sum(goal**2))


def test_deepest_laws_pass_through() -> None:
    text = "N"
    for k in range(MAX_DEPTH // 2 - 2):
        text = f"tanh(a{k} + {text})"
    deep = law(text)
    assert canonical(canonical(deep)) == canonical(deep)
    assert len(structure_hash(deep)) == 40
    twice = law(f"{text} + a0*D")
    assert structure_hash(twice) != structure_hash(deep)
    assert sum(1 for _ in expressions(deep)) == 1
