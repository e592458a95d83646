"""The published laws: complete, evaluable, and bound to tables that have the right columns."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from sldagent.errors import LawError
from sldagent.laws.catalogue import CatalogueLaw, bind, catalogue, find, omitted
from sldagent.laws.expr import Expr, names, walk
from sldagent.laws.inspect import parameter_axes
from sldagent.laws.parse import parse_program
from sldagent.laws.render import render_expr, render_program
from sldagent.tasks.task import Target, Task, Variable

ENTRIES = [pytest.param(e, id=e.name) for e in catalogue()]

VALUES = {
    "N": np.geomspace(1e6, 1e9, 7),
    "D": np.geomspace(1e8, 1e11, 7),
    "U": np.geomspace(1e8, 1e10, 7),
    "V": np.geomspace(4e3, 9e4, 7),
    "S": np.geomspace(1e3, 1e5, 7),
    "C": np.geomspace(1e18, 1e22, 7),
    "x": np.geomspace(1e2, 1e6, 7),
    "X": np.array([1.0, 2, 4, 8, 64, 128, 512]),
    "G": np.array([1.0, 1, 2, 4, 8, 8, 16]),
    "P": np.array([1.0, 2, 2, 4, 4, 8, 8]),
    "lr": np.geomspace(1e-4, 1e-2, 7),
    "b": np.geomspace(32, 4096, 7),
}
"""Plausible columns by the symbol that the entries use."""


def evaluate(e: Expr, at: dict[str, np.ndarray], index: dict[str, int]) -> np.ndarray:
    """An independent evaluation of the tree; vectors and array parameters have their elements on the first
    axis.
    """
    a = [evaluate(x, at, index) for x in e.args] if e.op != "sum" else []
    match e.op:
        case "num":
            return np.float64(e.value)
        case "var" | "par":
            return at[e.name][index[e.index[0]]] if e.index else at[e.name]
        case "add":
            return sum(a[1:], a[0])
        case "mul":
            return math.prod(a[1:], start=a[0])
        case "div":
            return a[0] / a[1]
        case "neg":
            return -a[0]
        case "pow":
            return a[0] ** a[1]
        case "sum":
            return sum(evaluate(e.args[0], at, {**index, e.name: k}) for k in range(len(at[e.over])))
        case "exp" | "log" | "sqrt" | "tanh":
            return getattr(np, e.op)(a[0])
        case "sigmoid":
            return 1 / (1 + np.exp(-a[0]))
        case "softplus":
            return np.logaddexp(0, a[0])
        case "smoothmin":
            return -np.logaddexp(-a[0] * a[2], -a[1] * a[2]) / a[2]
    raise AssertionError(e.op)


def task_of(columns: dict[str, np.ndarray], roles: dict[str, str], y: np.ndarray, **changes: object) -> Task:
    """A task whose symbols are the columns' names."""
    n = len(y)
    task = Task(
        name="table",
        variables=tuple(Variable(c, c, roles.get(c, "scale")) for c in columns),
        targets=(Target("loss", (0.0, math.inf)),),
        X=np.column_stack(list(columns.values())),
        Y=y.reshape(n, -1),
        group=np.zeros(n, dtype=np.int64),
        groups=("all",),
        split=np.full(n, "train"),
        noise_scale=np.ones(n),
    )
    return replace(task, **changes)


def matching_task(entry: CatalogueLaw) -> Task:
    """A table with exactly the columns that the entry needs."""
    rng = np.random.default_rng(0)
    columns, roles, vectors = {}, {}, {}
    for v in entry.variables:
        if "vector" in v.role:
            shares = rng.dirichlet(np.ones(3), 7)
            columns |= {f"share{k}": shares[:, k] for k in range(3)}
            roles |= {f"share{k}": "proportion" for k in range(3)}
            vectors["mix"] = ("share0", "share1", "share2")
        else:
            columns[v.symbol], roles[v.symbol] = VALUES[v.symbol], v.role[0]
    return task_of(columns, roles, rng.uniform(1, 4, 7), vectors=vectors)


@pytest.mark.parametrize("entry", ENTRIES)
def test_entry_is_complete(entry: CatalogueLaw) -> None:
    program = entry.program
    declared = {p.name for p in program.law.parameters}
    assert parse_program(render_program(program)) == program
    assert set(program.law.variables) == set(entry.roles)
    assert set(names(program.law.expr, "par")) == declared
    assert {*entry.floors, *entry.amplitudes} <= declared
    assert {s for small, large, _ in entry.order for s in (small, large)} <= set(entry.roles)
    assert entry.title
    assert entry.source.authors
    assert entry.source.title
    assert entry.source.equation
    assert 2000 < entry.source.year < 2030
    assert len(entry.source.arxiv.split(".")[0]) == 4
    assert entry.source.arxiv in str(entry.source)


@pytest.mark.parametrize("entry", ENTRIES)
def test_entry_is_finite_on_plausible_rows(entry: CatalogueLaw) -> None:
    task = matching_task(entry)
    at: dict[str, np.ndarray] = dict(zip(task.symbols, task.X.T, strict=True))
    at["r"] = task.X.T
    for p in entry.program.law.parameters:
        size = parameter_axes(entry.program.law)[p.name]
        low, high = p.start or (0.1, 0.4)
        at[p.name] = (
            np.linspace(-1, 1, 3)
            if size
            else np.float64(np.sqrt(low * high) if low > 0 else (low + high) / 2)
        )
    if entry.name == "exponential":
        at["b"] = np.float64(1e-4)  # a rate per unit of the variable
    y = np.broadcast_to(evaluate(entry.program.law.expr, at, {}), 7)
    assert np.all(np.isfinite(y))
    assert np.ptp(y) > 0


@pytest.mark.parametrize("entry", ENTRIES)
def test_entry_binds_to_a_matching_table(entry: CatalogueLaw) -> None:
    task = matching_task(entry)
    programs = bind(entry, task)
    assert programs
    for program in programs:
        assert set(program.law.variables) == (set(task.vectors) or set(task.symbols))
        assert len(program.law.parameters) == len(entry.program.law.parameters)


def test_names_are_unique_and_found() -> None:
    every = [n for e in catalogue() for n in (e.name, *e.aliases)]
    assert len(set(every)) == len(every)
    assert find("Chinchilla") is find("hoffmann")
    assert find("data-constrained").name == "data_constrained"
    with pytest.raises(LawError, match="did you mean 'chinchilla'"):
        find("chinchila")
    with pytest.raises(LawError, match="implicit"):
        find("m4")
    assert all(o.name not in every for o in omitted())


def test_chinchilla_formula() -> None:
    at = {
        "N": np.float64(70e9),
        "D": np.float64(1.4e12),
        "E": 1.69,
        "A": 406.4,
        "B": 410.7,
        "alpha": 0.34,
        "beta": 0.28,
    }
    assert evaluate(find("chinchilla").program.law.expr, at, {}) == pytest.approx(1.936, abs=1e-3)


def test_bnsl_stable_form_equals_the_published_one() -> None:
    x = VALUES["x"]
    p = {"a": 0.4, "b": 2.3, "c0": 0.05, "c1": 1.7, "d1": 600.0, "f1": 0.3, "c2": -0.4, "d2": 2e4, "f2": 0.6}
    published = p["a"] + p["b"] * x ** -p["c0"] * math.prod(
        (1 + (x / p[f"d{k}"]) ** (1 / p[f"f{k}"])) ** (-p[f"c{k}"] * p[f"f{k}"]) for k in (1, 2)
    )
    np.testing.assert_allclose(
        evaluate(find("bnsl2").program.law.expr, {**p, "x": x}, {}), published, rtol=1e-12
    )


def test_effective_parameters_use_the_compute_optimal_size() -> None:
    """Below N_opt(U) parameters count in full; far above it they saturate at U_N (1 + R_N)."""
    p = {"E": 0.0, "A": 500.0, "B": 400.0, "alpha": 0.34, "beta": 0.28, "R_D": 15.0, "R_N": 5.0}
    U = np.float64(1e9)
    optimum = (p["alpha"] * p["A"] * U ** p["beta"] / (p["beta"] * p["B"])) ** (1 / p["alpha"])

    def size_term(N: float) -> float:
        law = find("data_constrained_full").program.law
        return (
            float(evaluate(law.expr, {**p, "B": p["B"], "N": np.float64(N), "D": U, "U": U}, {}))
            - p["B"] * U ** -p["beta"]
        )

    assert size_term(optimum / 10) == pytest.approx(p["A"] * (optimum / 10) ** -p["alpha"], rel=1e-3)
    assert size_term(optimum * 1e6) == pytest.approx(p["A"] * (6 * optimum) ** -p["alpha"], rel=1e-3)


def three_scales(**changes: object) -> Task:
    rng = np.random.default_rng(1)
    columns = {s: rng.permutation(VALUES[k]) for s, k in (("a1", "N"), ("a2", "D"), ("a3", "V"))}
    return task_of(columns, {}, rng.uniform(1, 3, 7), **changes)


def test_symmetric_forms_appear_once() -> None:
    assert len(bind(find("chinchilla"), three_scales())) == 3
    assert len(bind(find("vocabulary"), three_scales())) == 1
    assert len(bind(find("kaplan"), three_scales())) == 6
    assert len(bind(find("power_floor"), three_scales())) == 3
    assert len(bind(find("kaplan"), three_scales(), limit=4)) == 4


def test_roles_are_respected() -> None:
    task = three_scales()
    settings = replace(task, variables=tuple(replace(v, role="setting") for v in task.variables))
    assert bind(find("chinchilla"), settings) == []
    assert bind(find("mixing"), task) == []
    assert bind(find("step_law"), task) == []


def test_special_meanings_need_fitting_values() -> None:
    assert bind(find("parscale"), three_scales()) == []  # nothing lies between 1 and 10 000 throughout
    tokens = np.repeat([1e8, 1e9], 4)
    columns = {
        "size": np.geomspace(1e6, 1e9, 8),
        "seen": tokens * np.tile([1.0, 2, 4, 8], 2),
        "unique": tokens,
    }
    programs = bind(find("data_constrained"), task_of(columns, {}, np.linspace(3, 2, 8)))
    assert len(programs) == 1
    assert render_program(programs[0]).count("unique") > 1
    for seen in (tokens / 2, tokens * 1e6):
        assert (
            bind(find("data_constrained"), task_of({**columns, "seen": seen}, {}, np.linspace(3, 2, 8))) == []
        )


def test_settings_take_a_special_meaning_only_by_name() -> None:
    columns = {"size": VALUES["N"], "k": VALUES["P"]}
    y = np.linspace(3, 2, 7)
    assert bind(find("parscale"), task_of(columns, {"k": "setting"}, y)) == []
    assert len(bind(find("parscale"), task_of(columns, {}, y))) == 1
    assert (
        len(
            bind(
                find("parscale"),
                task_of({"size": VALUES["N"], "streams": VALUES["P"]}, {"streams": "setting"}, y),
            )
        )
        == 1
    )


def test_names_of_columns_decide_between_columns() -> None:
    columns = {"num_params": VALUES["N"], "train_tokens": VALUES["D"]}
    programs = bind(find("kaplan"), task_of(columns, {}, np.linspace(3, 2, 7)))
    assert len(programs) == 1
    assert "/train_tokens" in render_program(programs[0]).replace(" ", "")


def test_logarithms_enter_as_exponentials() -> None:
    task = task_of({"logC": np.linspace(18, 24, 7)}, {}, np.linspace(3, 2, 7))
    base10 = replace(task, variables=(replace(task.variables[0], log=True, log_base=10.0),))
    power = bind(find("power_floor"), base10)[0]
    assert "exp" in {e.op for e in walk(power.law.expr)}
    assert "pow" not in {e.op for e in walk(power.law.expr)}
    assert not [e for e in walk(power.law.expr) if e.op == "num" and 2 < abs(e.value) < 3]
    straight = bind(find("logarithmic"), base10)[0]
    assert {"exp", "log"}.isdisjoint(e.op for e in walk(straight.law.expr))
    shifted = bind(find("shifted_power"), base10)[0]
    assert [e.value for e in walk(shifted.law.expr) if e.op == "num" and 2 < abs(e.value) < 3] == [
        pytest.approx(math.log(10))
    ]


def test_several_targets_get_their_own_parameters() -> None:
    task = matching_task(find("mixing"))
    two = replace(
        task,
        targets=(Target("a", (0.0, math.inf)), Target("b", (0.0, math.inf))),
        Y=np.repeat(task.Y, 2, axis=1),
    )
    law = bind(find("mixing"), two)[0].law
    assert sorted(parameter_axes(law).values()) == [("i",), ("i",), ("i", "mix")]
    assert sorted(parameter_axes(bind(find("mixing"), task)[0].law).values()) == [(), (), ("mix",)]


def test_negative_targets_free_the_signs() -> None:
    task = three_scales(targets=(Target("gain"),), Y=np.linspace(-1, 2, 7).reshape(-1, 1))
    program = bind(find("chinchilla"), task)[0]
    assert sorted(p.kind for p in program.law.parameters) == ["positive", "positive", "real", "real", "real"]
    assert (program.recipe.loss, program.recipe.space) == ("squared", "raw")
    assert bind(find("kaplan"), task) == []
    loss = bind(find("chinchilla"), three_scales())[0]
    assert {p.kind for p in loss.law.parameters} == {"positive"}
    assert loss.recipe.space == "log"


def test_bounded_targets_may_rise() -> None:
    task = three_scales(targets=(Target("accuracy", (0.0, 1.0)),))
    kinds = [p.kind for p in bind(find("power_floor"), task)[0].law.parameters]
    assert kinds.count("real") == 1
    assert kinds.count("positive") == 2


def test_symbols_that_clash_with_parameters_keep_their_meaning() -> None:
    task = task_of({"E": VALUES["N"], "A": VALUES["D"], "j": VALUES["V"]}, {}, np.linspace(3, 2, 7))
    for program in bind(find("chinchilla"), task):
        declared = {p.name for p in program.law.parameters}
        assert declared.isdisjoint(task.symbols)
        assert len(declared) == 5
        assert len(program.law.variables) == 2
        assert parse_program(render_program(program)).law.variables == program.law.variables


def test_columns_named_as_the_field_names_them_come_first() -> None:
    from tests.fitting.helpers import make_task

    x = np.geomspace(1e6, 1e9, 12)
    task = make_task({"tokens": x[::-1] * 20, "params": x}, x**-0.3)
    first = bind(find("chinchilla"), task)[0]
    assert render_expr(first.law.expr) == "E + A*params**-alpha + B*tokens**-beta"
