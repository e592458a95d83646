"""Shrinkage of the groups' values towards their mean, against SciPy and at its limits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import least_squares

from sldagent.errors import LawError
from sldagent.fitting.engines import fit_many
from sldagent.fitting.fit import fit_rows, normal_matrices
from sldagent.fitting.job import Job
from sldagent.fitting.public import fit_program
from sldagent.fitting.rows import Rows
from sldagent.fitting.tape import compile_law, layout_of
from sldagent.laws.parse import parse_program
from sldagent.laws.program import Recipe
from sldagent.laws.render import render_program
from tests.fitting.helpers import make_task

SIZES = [5, 8, 12, 20]
GROUP = np.repeat(np.arange(4), SIZES)
LAW = "def law(x, E, A, a):\n    return E + A * x**-a\nparameters = {{{}}}\nrecipe = fit(shrink={})"


def table(seed: int = 0):
    rng = np.random.default_rng(seed)
    x = np.concatenate([np.geomspace(10, 1e4, n) for n in SIZES])
    E, A, a = (rng.uniform(lo, hi, 4)[GROUP] for lo, hi in ((1, 2), (5, 9), (0.3, 0.5)))
    return x, E + A * x**-a + 0.05 * rng.normal(size=x.size)


def program(declared: str, shrink: str):
    return parse_program(LAW.format(declared, shrink))


def check(found, x, y, weight: dict[str, float], log: tuple[str, ...], units: dict[str, float]):
    """SciPy's sum of squares with the penalties, from the engine's own point, is not lower; and is the one reported."""
    scale = np.mean((y - y.mean()) ** 2)

    def residual(p):
        values = dict(zip("EAa", p.reshape(3, 4), strict=True))
        parts = [values["E"][GROUP] + values["A"][GROUP] * x ** -values["a"][GROUP] - y]
        for name, w in weight.items():
            v = np.log(values[name]) if name in log else values[name] / units[name]
            parts.append(np.sqrt(w * scale) * (v - v.mean()))
        return np.concatenate(parts)

    start = np.concatenate([found.parameters[name] for name in "EAa"])
    assert found.objective == pytest.approx(np.sum(residual(start) ** 2), rel=1e-9)
    best = least_squares(residual, start, x_scale=np.abs(start), xtol=1e-15, ftol=1e-15, gtol=1e-15)
    assert found.objective <= 2 * best.cost * (1 + 1e-8)


@pytest.mark.parametrize("weight", [1e-3, 1.0, 100.0])
def test_the_joint_optimum_is_scipys(weight):
    x, y = table()
    task = make_task({"x": x}, y, GROUP)
    text = '"E": real(), "A": real(), "a": positive()'
    alone = fit_program(program(text, "{}"), task)
    found = fit_program(program(text, f'{{"A": {weight}, "a": {weight}}}'), task)
    units = {"A": float(np.median(np.abs(alone.parameters["A"])))}
    check(found, x, y, {"A": weight, "a": weight}, ("a",), units)


def test_the_limits_are_separate_and_common_values():
    x, y = table(1)
    task = make_task({"x": x}, y, GROUP)
    text = '"E": real(), "A": real(), "a": interval(0, 2)'
    alone, weak, strong = (fit_program(program(text, s), task) for s in ("{}", '{"a": 1e-9}', '{"a": 1e9}'))
    common = fit_program(program('"E": real(), "A": real(), "a": interval(0, 2, scope="shared")', "{}"), task)
    np.testing.assert_allclose(weak.parameters["a"], alone.parameters["a"], rtol=1e-4)
    np.testing.assert_allclose(strong.parameters["a"], common.parameters["a"][0], rtol=1e-5)
    assert strong.objective == pytest.approx(common.objective, rel=1e-6)


def test_beside_shared_parameters_and_with_huber():
    x, y = table(2)
    y[7] += 3.0
    text = '"E": real(), "A": positive(), "a": interval(0, 2, scope="shared")'
    law = replace(program(text, '{"E": 10}'), recipe=Recipe("huber", "log", 0.02, shrink=(("E", 10.0),)))
    found = fit_program(law, make_task({"x": x}, y, GROUP))
    free = fit_program(replace(law, recipe=replace(law.recipe, shrink=())), make_task({"x": x}, y, GROUP))
    assert found.parameters["a"].shape == (1,)
    assert np.ptp(found.parameters["E"]) < 0.7 * np.ptp(free.parameters["E"])
    assert free.objective < found.objective


def test_groups_that_the_rows_hardly_determine_borrow_from_the_others():
    rng = np.random.default_rng(5)
    errors = {"{}": [], '{"a": 3, "A": 1}': []}
    for _ in range(12):
        x = np.tile(np.geomspace(10, 1000, 6), 8)
        g = np.repeat(np.arange(8), 6)
        a = rng.normal(0.4, 0.02, 8)
        y = 1 + 6 * x ** -a[g] + 0.1 * rng.normal(size=x.size)
        for shrink, found in errors.items():
            text = '"E": real(), "A": real(), "a": interval(0, 3)'
            found.append(np.mean((fit_program(program(text, shrink), make_task({"x": x}, y, g)).parameters["a"] - a) ** 2))
    free, shrunk = (np.mean(e) for e in errors.values())
    assert shrunk < 0.5 * free


def test_penalties_reach_the_normal_matrices():
    x, y = table()
    task = make_task({"x": x}, y, GROUP)
    p = program('"E": real(), "A": real(), "a": positive()', '{"a": 2.0}')
    rows = Rows.of_task(task)
    result = fit_rows(compile_law(p.law, layout_of(task)), rows, p.recipe, np.random.default_rng(0))
    with_pull, penalties = normal_matrices(result, rows, p.recipe)
    without, _ = normal_matrices(replace(result, shrinkage=None), rows, p.recipe)
    names = [s[0] for s in result.law.slots]
    assert penalties[:, names.index("a")] == pytest.approx(2.0 * np.mean((y - y.mean()) ** 2))
    every = np.arange(3)
    added = (with_pull - without)[:, every, every]
    np.testing.assert_allclose(added, np.broadcast_to(penalties, added.shape), rtol=1e-6, atol=1e-12)


def test_text_round_trip_and_refusals():
    p = program('"E": real(), "A": real(), "a": positive()', '{"a": 2, "A": 0.5}')
    assert p.recipe.shrink == (("a", 2.0), ("A", 0.5))
    assert parse_program(render_program(p)) == p
    with pytest.raises(LawError, match="shrink names 'a', which is shared"):
        program('"E": real(), "A": real(), "a": positive(scope="shared")', '{"a": 2}')
    with pytest.raises(LawError, match="shrink weight of 'a'"):
        program('"E": real(), "A": real(), "a": positive()', '{"a": -2}')
    with pytest.raises(LawError, match="squared or Huber"):
        program('"E": real(), "A": real(), "a": positive()', '{"a": 2}, loss="absolute"')


@pytest.mark.requires("jax")
def test_the_accelerator_shrinks_every_weight_set_as_the_cpu_engine_does():
    """All rows, and a cut that leaves a group out: its values are NaN and it has no part in the mean."""
    x, y = table()
    task = make_task({"x": x}, y, GROUP)
    p = program('"E": real(), "A": real(), "a": positive()', '{"a": 2, "A": 0.5}')
    law, rows = compile_law(p.law, layout_of(task)), Rows.of_task(task)
    weights = np.stack([np.ones((1, x.size)), (rows.group != 2)[None].astype(float)])
    cpu, jax = (
        fit_many([Job(law, rows, p.recipe, np.random.default_rng(0), weights)], engine)[0] for engine in ("cpu", "jax")
    )
    for one, other in zip(cpu, jax, strict=True):
        assert one.ok and other.ok
        assert other.objective == pytest.approx(one.objective, rel=1e-8)
        np.testing.assert_allclose(other.shrinkage, one.shrinkage, rtol=1e-5)
        for name, values in one.parameters.items():
            np.testing.assert_allclose(other.parameters[name], values, rtol=1e-5)
    assert np.isnan(jax[1].parameters["a"]).tolist() == [False, False, True, False]
    assert jax[1].point.local.shape == jax[0].point.local.shape
