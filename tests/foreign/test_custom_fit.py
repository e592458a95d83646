"""Programs of the law language with fitting code of their own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sldagent import session
from sldagent.errors import FitError, LawError
from sldagent.evaluation.custom import custom_fit, round_significant
from sldagent.evaluation.evaluate import Evaluator
from sldagent.fitting.rows import Rows
from sldagent.fitting.tape import compile_law, layout_of
from sldagent.foreign.custom import fit_by_own_code
from sldagent.foreign.jails import ProgramJails
from sldagent.laws.parse import parse_program
from sldagent.laws.program import Program
from sldagent.laws.render import render_program

LAW = """def law(N, D, E, A, B, alpha, beta):
    return E + A * N**-alpha + B * D**-beta

parameters = {{
    "E": positive(), "A": positive(), "B": positive(),
    "alpha": interval(0, 2), "beta": interval(0, 2{scope}),
}}
recipe = fit(loss="squared", space="raw")

def custom_fit(rows, targets, law):
    import numpy as np
    from scipy.optimize import least_squares
    {first}
    start = [1.5 if n.startswith("E") else 500.0 if n[0] in "AB" else 0.4 for n in law.names]
    found = least_squares(law.residuals, start, jac=law.jacobian, bounds=(law.lower, law.upper), x_scale="jac", xtol=1e-14)
    return dict(zip(law.names, found.x))
"""
SHARED = ', scope="shared"'


def text(scope: str = "", first: str = "pass") -> str:
    return LAW.format(scope=scope, first=first)


def programmed(scope: str = "", first: str = "pass") -> Program:
    return parse_program(text(scope, first), variables=["N", "D"])


def test_the_source_is_kept_as_it_stands() -> None:
    program = programmed()
    assert program.custom_fit is not None
    assert program.custom_fit == text()[text().index("def custom_fit") :].rstrip("\n")
    assert parse_program(render_program(program), variables=["N", "D"]) == program


@pytest.mark.parametrize("arguments", ["rows", "rows, targets, law, more", "*rows", "rows, targets, law, *, more"])
def test_it_takes_three_arguments(arguments: str) -> None:
    with pytest.raises(LawError, match="rows, targets and law"):
        parse_program(text().replace("(rows, targets, law)", f"({arguments})"))


@pytest.mark.parametrize("scope", ["", SHARED])
def test_it_finds_what_the_engine_finds(scope: str, jails: ProgramJails, grounds: session.Grounds) -> None:
    program = programmed(scope)
    judge = Evaluator(grounds.train, grounds.cuts, jails)
    own = judge.fit(program).result
    engine = judge.fit(Program(program.law, program.recipe)).result
    assert own.by == "custom" and engine.by == "engine"
    assert own.objective == pytest.approx(engine.objective, rel=1e-4)
    for name, values in engine.parameters.items():
        np.testing.assert_allclose(own.parameters[name], values, rtol=1e-3)
        assert len(own.parameters[name]) == (1 if scope and name == "beta" else 2)
        np.testing.assert_allclose(own.parameters[name], round_significant(own.parameters[name]), rtol=1e-12)


def test_the_evaluation_is_that_of_a_law(jails: ProgramJails, grounds: session.Grounds) -> None:
    program = programmed(first="print(sorted(rows), law.names)")
    found = Evaluator(grounds.train, grounds.cuts, jails).evaluate(program)
    engine = Evaluator(grounds.train, grounds.cuts).evaluate(Program(program.law, program.recipe))
    assert found.failure is None
    assert found.fitted_by == "custom"
    assert found.x == pytest.approx(engine.x, abs=0.3)
    assert found.complexity == engine.complexity
    assert "['D', 'N', 'group'] ('E', 'A', 'B', 'alpha', 'beta')" in found.feedback
    polished = Evaluator(grounds.train, grounds.cuts, jails, polish=True).evaluate(program)
    assert polished.fitted_by == "custom+polish"
    assert polished.train_r2 >= found.train_r2 - 1e-12


def test_without_a_jail_it_is_a_failure(grounds: session.Grounds) -> None:
    found = Evaluator(grounds.train, grounds.cuts).evaluate(programmed())
    assert found.failure is not None and "no jail" in found.failure.detail


@pytest.mark.parametrize(
    ("first", "reason", "said"),
    [
        ("raise ValueError('no luck')", "program", "no luck"),
        ("return [1.0]", "program", "5 parameters"),
        ("return [float('nan')] * 5", "program", "not finite"),
        ("return [-1.0, 1.0, 1.0, 1.0, 1.0]", "program", "E = -1"),
        ("return [1.0, 1.0, 1.0, 1.0, 2.5]", "program", "beta = 2.5, outside its bounds [0, 2]"),
        ("return 'text'", "program", "custom_fit"),
    ],
)
def test_what_goes_wrong_is_recorded(
    first: str, reason: str, said: str, jails: ProgramJails, grounds: session.Grounds
) -> None:
    found = Evaluator(grounds.train, grounds.cuts, jails).evaluate(programmed(first=first))
    assert found.failure is not None
    assert found.failure.reason == reason
    assert said in found.failure.detail


def test_a_failure_on_a_cut_is_recorded(jails: ProgramJails, grounds: session.Grounds) -> None:
    first = "assert len(targets) == 25, 'too few rows'"
    found = Evaluator(grounds.train, grounds.cuts, jails).evaluate(programmed(first=first))
    assert found.failure is not None and found.failure.reason == "program"
    assert found.failure.detail.startswith("on a cut: ") and "too few rows" in found.failure.detail
    assert found.fitted_by == "custom" and "too few rows" in found.feedback


def test_all_its_fits_share_one_budget(
    jails: ProgramJails, grounds: session.Grounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sldagent.evaluation.evaluate.SECONDS", 0.4)
    first = "import time; time.sleep(0.08)"
    found = Evaluator(grounds.train, grounds.cuts, jails).evaluate(programmed(first=first))
    assert found.failure is not None and found.failure.reason == "time"


def test_several_targets_have_their_own_parameters(jails: ProgramJails, grounds: session.Grounds) -> None:
    train = grounds.train
    targets = (*train.targets, replace(train.targets[0], name="more"))
    two = replace(train, targets=targets, Y=np.hstack([train.Y, 2 * train.Y + 1]))
    source = """def law(N, D, c, k, a):
    return c[i] + k[i] * N**-a[i]{extra}

def custom_fit(rows, targets, law):
    from scipy.optimize import least_squares
    assert targets.shape[1] == 2
    start = [1.0 if n[0] == "c" else 500.0 if n[0] == "k" else 0.3 for n in law.names]
    return least_squares(law.residuals, start, jac=law.jacobian, x_scale="jac").x
"""
    for extra, declared in (("", ""), (" + s * D**-0.4", "")):
        program = parse_program(
            source.replace("{extra}", extra).replace("c, k, a)", "c, k, a, s)" if extra else "c, k, a)") + declared,
            variables=["N", "D"],
        )
        law, rows = compile_law(program.law, layout_of(two)), Rows.of_task(two)
        found = custom_fit(program, law, rows, two, jails, polish=False)
        assert found.ok, found.failure
        engine = Evaluator(two, grounds.cuts).fit(Program(program.law, program.recipe)).result
        assert found.objective == pytest.approx(engine.objective, rel=1e-3)
        assert found.parameters["c"].shape == (2, 2)


@pytest.mark.parametrize("first", ["pass", "raise ValueError('no luck')"])
def test_outside_a_run(first: str, jails: ProgramJails, grounds: session.Grounds) -> None:
    program = programmed(first=first)
    if first == "pass":
        assert fit_by_own_code(program, grounds.train, jails).r2 > 0.9999
        return
    with pytest.raises(FitError, match="no luck"):
        fit_by_own_code(program, grounds.train, jails)
