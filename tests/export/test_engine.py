"""An exported file predicts what the fitting engine predicts."""

from __future__ import annotations

import json
import math
from datetime import datetime

import numpy as np
import pytest

from sldagent.archive.records import CandidateRecord, RunRecord
from sldagent.evaluation.result import Evaluation
from sldagent.export import document_parameters, export_law, law_document
from sldagent.fitting.public import fit_program, layout_of, predict
from sldagent.laws.catalogue import bind, find
from sldagent.laws.render import render_expr, render_program
from sldagent.tasks.archived import task_card
from sldagent.tasks.task import Target, Task, Variable


def scaling_task() -> Task:
    """Two groups of a noisy additive power law in two variables."""
    rng = np.random.default_rng(2)
    N, D = (g.ravel() for g in np.meshgrid(np.geomspace(1e6, 1e9, 6), np.geomspace(1e8, 1e11, 6)))
    X = np.tile(np.column_stack([N, D]), (2, 1))
    group = np.repeat([0, 1], 36)
    y = np.where(group, 1.5, 1.9) + 400 * X[:, 0] ** -0.34 + 410 * X[:, 1] ** -0.28
    y *= np.exp(0.002 * rng.standard_normal(72))
    return Task(
        name="two groups",
        variables=(Variable("params", "N", "scale", unit="parameters"), Variable("tokens", "D", "scale")),
        targets=(Target("loss", (0.0, math.inf)),),
        X=X,
        Y=y[:, None],
        group=group,
        groups=("web", "code"),
        split=np.full(72, "train"),
        group_column="corpus",
        noise_scale=np.ones(72),
    )


def mixture_task() -> Task:
    """Two targets that depend on the shares of three domains."""
    rng = np.random.default_rng(3)
    X = rng.dirichlet(np.ones(3), 40)
    Y = 2 + 0.5 * np.exp(X @ np.array([[-2.0, 0.5], [0.3, -1.0], [0.1, 0.2]]))
    names = ("r1", "r2", "r3")
    return Task(
        name="mixture",
        variables=tuple(Variable(n, n, "proportion") for n in names),
        targets=(Target("a", (0.0, math.inf)), Target("b", (0.0, math.inf))),
        X=X,
        Y=Y,
        group=np.zeros(40, dtype=np.int64),
        groups=("all",),
        split=np.full(40, "train"),
        vectors={"r": names},
        noise_scale=np.ones(40),
    )


@pytest.mark.parametrize(("task", "law"), [(scaling_task(), "chinchilla"), (mixture_task(), "mixing")])
def test_export_equals_the_engine(task: Task, law: str) -> None:
    program = bind(find(law), task)[0]
    fit = fit_program(program, task)
    run = RunRecord("r1", task.name, "complete", 0, datetime(2030, 1, 1), None, {}, task_card(task), "blind")
    candidate = CandidateRecord(
        0,
        0,
        "seed",
        (),
        render_program(program),
        render_expr(program.law.expr),
        "",
        Evaluation(x=-1.0, parameters=fit.parameters),
    )
    document = json.loads(export_law(law_document(run, candidate, "2030-01-02"), "json"))
    for name, values in fit.parameters.items():
        np.testing.assert_array_equal(document_parameters(document)[name], values)
    module: dict[str, object] = {}
    exec(compile(export_law(document, "python"), "law.py", "exec"), module)
    groups = np.array(task.groups, dtype=object)[task.group]
    got = module["predict"](*task.X.T, group=groups)
    expected = predict(program.law, fit.parameters, task.X, task.group, layout_of(task))
    np.testing.assert_allclose(np.reshape(got, expected.shape), expected, rtol=1e-12)
    assert fit.r2 > 0.99
