"""Foreign programs on cuts: the same figures as laws, one fit and one prediction call per cut, no held-out target inside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sldagent import session
from sldagent.evaluation.evaluate import Evaluator
from sldagent.foreign.check import check
from sldagent.foreign.evaluate import judge, score
from sldagent.foreign.jails import ProgramJails
from sldagent.foreign.program import ForeignProgram, Runner, is_foreign, read_program
from sldagent.foreign.translate import translate
from sldagent.laws.render import render_expr
from sldagent.sandbox import Answer, Jail, Job, Limits
from sldagent.tasks.task import Task
from tests.sandbox.helpers import ATTACK

PROGRAMS = Path(__file__).parent / "programs"

BROKEN = {
    "raises": ("raise ValueError('\\x1b[31mboom\\u202e')", "return X[:, 0]", "boom"),
    "wrong shape": ("return [1.0]", "return X", "shape"),
    "not finite": ("return [float('nan')]", "return X[:, 0]", "not finite"),
    "prediction not finite": ("return [1.0]", "return X[:, 0] * float('inf')", "not finite"),
    "not installed": ("import surely_not_installed", "return X[:, 0]", "surely_not_installed"),
    "text": ("return 'abc'", "return X[:, 0]", "fit_scaling_law"),
    "too many": ("return [1.0] * 500", "return X[:, 0]", "500 fitted numbers"),
    "exits": ("import sys; sys.exit(3)", "return X[:, 0]", "exit"),
}


class Spy:
    """A jail that remembers its jobs."""

    def __init__(self, jail: Jail) -> None:
        self.jail, self.jobs = jail, list[Job]()

    def call(self, job: Job, limits: Limits | None = None) -> Answer:
        self.jobs.append(job)
        return self.jail.call(job, limits)


def test_a_program_is_judged_like_the_law_that_it_is(jail: Jail, grounds: session.Grounds) -> None:
    evaluator, spy = Evaluator(grounds.train, grounds.cuts), Spy(jail)
    judged = judge(read_program(PROGRAMS / "power_numpy.py"), spy, evaluator)
    assert judged.failure is None
    law = judged.translation.program
    assert law is not None
    assert render_expr(law.law.expr) == "(p0 + p1*N**-p2) + p3*D**-p4"
    own = evaluator.evaluate(law)
    # a grid of exponents is coarser than the engine's optimum, which is near the noise on every cut
    assert abs(judged.x - own.x) < 3.0
    assert judged.train_r2 == pytest.approx(own.train_r2, abs=1e-4)
    assert [(s.cut, s.target, s.rows) for s in judged.cuts] == [(s.cut, s.target, s.rows) for s in own.cuts]
    assert 0 < judged.x_se < 1
    assert judged.scalars == 5
    fits = [job for job in spy.jobs if job.entry == "fit"]
    assert len(fits) == 1 + len(grounds.cuts)
    last = spy.jobs[-2 * len(grounds.cuts) :]
    assert [job.entry for job in last] == ["fit", "predict"] * len(grounds.cuts)


def test_held_out_targets_never_enter(jail: Jail, grounds: session.Grounds) -> None:
    evaluator, spy = Evaluator(grounds.train, grounds.cuts), Spy(jail)
    judge(read_program(PROGRAMS / "power_numpy.py"), spy, evaluator)
    cuts = iter(grounds.cuts)
    next_fits = [job for job in spy.jobs if job.entry == "fit"][1:]
    for job in next_fits:
        kept = grounds.train.Y[next(cuts).kept]
        assert sorted(job.arrays["Y"].ravel()) == sorted(kept.ravel())
    for job in spy.jobs:
        if job.entry == "predict":
            assert set(job.arrays) == {"X", "group"} | {n for n in job.arrays if n.startswith("params/")}


def test_scores_of_the_sample_programs(jails: ProgramJails, task: Task, grounds: session.Grounds) -> None:
    expected = {"power_numpy": 0.9999, "minimise_scipy": 0.9999, "raw_powers_bfgs": None}
    test = task.part("test")
    for name, least in expected.items():
        program = read_program(PROGRAMS / f"{name}.py")
        scored = score(program, jails.jail_of(program.lint), grounds.train, test)
        assert scored.failure is None, scored.failure
        predicted = scored.guarded.predictions
        assert predicted is not None
        r2 = 1 - np.mean((predicted - test.Y) ** 2) / np.var(test.Y)
        assert r2 < -1 if least is None else r2 > least


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "module", "least"),
    [
        ("evolution_scipy", "scipy", 0.3),
        ("ridge_sklearn", "sklearn", 0.99),
        pytest.param(
            "descent_jax", "jax", 0.9999, marks=pytest.mark.skipif(not ATTACK, reason="compiles in every call: make attack")
        ),
    ],
)
def test_programs_of_further_libraries(
    name: str, module: str, least: float, jails: ProgramJails, task: Task, grounds: session.Grounds
) -> None:
    pytest.importorskip(module)
    test = task.part("test")
    program = read_program(PROGRAMS / f"{name}.py")
    scored = score(program, jails.jail_of(program.lint), grounds.train, test)
    assert scored.failure is None, scored.failure
    predicted = scored.guarded.predictions
    assert predicted is not None
    assert 1 - np.mean((predicted - test.Y) ** 2) / np.var(test.Y) > least


@pytest.mark.parametrize("case", BROKEN)
def test_bad_programs_are_recorded_failures(
    case: str, program: Callable[[str], ForeignProgram], jail: Jail, grounds: session.Grounds
) -> None:
    fitting, predicting, said = BROKEN[case]
    source = f"def fit_scaling_law(X, y):\n    {fitting}\n\ndef scaling_law_func(X, p):\n    {predicting}\n"
    judged = judge(program(source), jail, Evaluator(grounds.train, grounds.cuts))
    assert judged.failure is not None
    assert judged.failure.reason in ("program", "guard")
    assert said in judged.failure.detail
    assert "\x1b" not in judged.failure.detail + judged.feedback
    assert "\u202e" not in judged.failure.detail + judged.feedback
    assert judged.x == np.inf


def test_what_is_printed_is_marked_and_capped(
    program: Callable[[str], ForeignProgram], jail: Jail, task: Task, grounds: session.Grounds
) -> None:
    source = "def fit_scaling_law(X, y):\n    print('\\x1b[2J\\u202ehello ' + 'x' * 9000)\n    return [1.0]\n"
    source += "def scaling_law_func(X, p):\n    return X[:, 0] * p[0]\n"
    scored = score(program(source), jail, grounds.train, task.part("test"))
    assert scored.failure is None
    assert scored.feedback.startswith("[untrusted output of the program]\n")
    assert not {"\x1b", "\u202e"} & set(scored.feedback)
    assert "hello xxx" in scored.feedback
    assert len(scored.feedback) <= 2000


def test_a_branch_taken_by_one_training_row_alone_is_no_law(
    jail: Jail, program: Callable[[str], ForeignProgram], plain: Callable[..., Task]
) -> None:
    """Of 400 rows the numerical check samples 40; the row between them counts too."""
    few = plain(1)
    X = np.geomspace(1.0, 100.0, 400)[:, None]
    task = replace(few, X=X, Y=2.0 / X, group=np.zeros(400, np.int64), split=np.array(["train"] * 400))
    for where, exact in ((-9.0, True), (float(X[5, 0]), False)):
        given = program(
            "import numpy as np\ndef fit_scaling_law(x, y):\n    return [2.0, 1.0]\ndef scaling_law_func(x, p):\n"
            f"    return p[0] * x[:, 0] ** -p[1] * np.where(np.abs(x[:, 0] - {where}) < 1e-4, 2, 1)\n"
        )
        assert given.lint.tree is not None
        runner, parameters = Runner(given, jail, 1), np.array([[2.0, 1.0]])
        found = translate(given.lint.tree, task, X, parameters[0])
        assert found.program is not None, found.reason
        checked = check(found, runner, task, parameters, np.random.default_rng(0))
        assert (checked.program is not None) is exact
        assert ("on 1 of" in checked.reason) is not exact


@pytest.mark.parametrize(
    ("text", "foreign"),
    [
        ("def law(x):\n    return x\ndef fit_scaling_law(x, y):\n    return [1.0]\n", True),
        ("def law(x):\r\n    return x\r\nscaling_law_func = law\r\n", True),
        ("\ufeffdef law(N, E):\n    return E * N\n", False),
        ("def  law (N, E):\n    return E * N  # not scaling_law_func\n", False),
        ("class Law:\n    def law(self):\n        return 1\n", True),
        ("", True),
    ],
)
def test_whose_format_a_file_has(text: str, foreign: bool, tmp_path: Path) -> None:
    path = tmp_path / "given.py"
    path.write_bytes(text.encode())
    assert is_foreign(path) is foreign
