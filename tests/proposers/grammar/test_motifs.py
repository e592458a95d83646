from __future__ import annotations

import numpy as np
import pytest

from sldagent.fitting.public import predict
from sldagent.fitting.tape import layout_of
from sldagent.laws.expr import walk
from sldagent.laws.inspect import expressions
from sldagent.laws.program import Law, Recipe
from sldagent.proposers.grammar.build import Builder
from sldagent.proposers.grammar.draft import Draft
from sldagent.proposers.grammar.limits import undefined
from sldagent.proposers.grammar.motifs import FAMILIES, MOTIFS, applicable
from sldagent.proposers.grammar.probe import Probe
from sldagent.proposers.grammar.profile import profile
from sldagent.tasks.task import Task


def built(task: Task, seed: int = 0) -> list[tuple[str, Law]]:
    """Every motif with every choice of variables, as a law of its own."""
    view = profile(task)
    laws = []
    for choice in applicable(MOTIFS, view):
        b = Builder(view, np.random.default_rng(seed))
        expr = choice.build(b)
        program = Draft(expr, {}, {}, Recipe()).declared(b).program((*task.symbols, *task.vectors))
        laws.append((f"{choice.motif.name} {[v.symbol for v in choice.variables]}", program.law))
    return laws


def test_every_motif_is_defined_and_finite(task: Task) -> None:
    probe, view = Probe(task), profile(task)
    for name, law in built(task):
        assert undefined(law, view) == "", name
        assert probe.finite(law, np.random.default_rng(1)), name


def test_no_logarithm_or_power_of_what_may_be_zero(task: Task) -> None:
    lows = dict(zip(task.symbols, task.X.min(axis=0), strict=True))
    zero = {v.symbol for v in task.variables if v.role == "proportion" or (not v.log and lows[v.symbol] <= 0)}
    zero |= set(task.vectors)
    logs = {v.symbol for v in task.variables if v.log}
    for name, law in built(task):
        for e in (n for root in expressions(law) for n in walk(root)):
            if e.op in ("log", "sqrt") or (e.op == "pow" and e.args[1].op != "num"):
                assert not (e.args[0].op == "var" and e.args[0].name in zero | logs), name
            if e.op == "div":
                assert not (e.args[1].op == "var" and e.args[1].name in zero | logs), name


def test_parameters_of_several_targets_are_indexed_by_the_target(tasks: dict[str, Task]) -> None:
    for name, law in built(tasks["mixture"]):
        for e in (n for root in expressions(law) for n in walk(root)):
            assert e.op != "par" or e.index[:1] == ("i",), name


def test_signs_follow_the_targets(tasks: dict[str, Task]) -> None:
    assert profile(tasks["scales"]).loss_like
    assert not profile(tasks["u shape"]).loss_like
    assert not profile(tasks["accuracy"]).loss_like, "an accuracy rises: its amplitudes are real"


def test_every_family_occurs_and_every_motif_fits_some_table(tasks: dict[str, Task]) -> None:
    fitting = {c.motif.name for t in tasks.values() for c in applicable(MOTIFS, profile(t))}
    assert {m.family for m in MOTIFS} == set(FAMILIES)
    assert {m.name for m in MOTIFS} - fitting <= {"three powers above a floor", "bowl moving with a setting"}
    assert len({m.name for m in MOTIFS}) == len(MOTIFS)


@pytest.mark.parametrize("name", ["scales", "u shape", "mixture", "mixture and scale", "settings"])
def test_the_probe_agrees_with_the_reference_evaluator(tasks: dict[str, Task], name: str) -> None:
    task = tasks[name]
    probe = Probe(task)
    for label, law in built(task)[::5]:
        values = probe.draw(law, np.random.default_rng(2))
        X = np.stack([probe.columns[s][0] for s in task.symbols], axis=1)
        with np.errstate(all="ignore"):
            ours = probe.evaluate(law, values, {"i": 0})[0]
            theirs = predict(
                law, {k: v[0] for k, v in values.items()}, X, np.zeros(len(X), dtype=np.int64), layout_of(task),
            )[:, 0]
        assert np.allclose(ours, theirs, rtol=1e-9, equal_nan=True), label
