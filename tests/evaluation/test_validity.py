"""What a fitted law may not do: leave its range, run wild beyond the data, break an order."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sldagent.evaluation.evaluate import Evaluator
from sldagent.evaluation.probe import probe_rows
from sldagent.laws.parse import parse_formula
from sldagent.laws.program import Program
from sldagent.tasks.cuts import blind_cuts
from sldagent.tasks.load import task_from_frame


def judged(task, formula: str):
    return Evaluator(task, blind_cuts(task)).evaluate(Program(parse_formula(formula, task.symbols, task.vectors)))


def bowl():
    """A falling curve with a kink upwards at its end, which a rising power of N follows and carries on."""
    N = np.geomspace(1e6, 1e8, 12)
    loss = 2.0 + 40.0 * N**-0.25
    loss[-1] += 0.4
    frame = pd.DataFrame({"N": N, "loss": loss})
    return task_from_frame(frame, targets=["loss"], variables=["N"])


def test_a_law_that_explodes_within_a_decade_is_invalid() -> None:
    task = bowl()
    wild = judged(task, "E + A*log(N) + B*N**2")
    tame = judged(task, "E + A*N**-a")
    assert tame.valid
    assert not wild.valid
    assert "leaves the observed range of loss" in wild.invalid_reason


def mixtures(n: int = 30):
    rng = np.random.default_rng(0)
    r = rng.dirichlet([1.0, 1.0, 1.0], size=n)
    r[::5, 0] = 0.0
    r /= r.sum(axis=1, keepdims=True)
    frame = pd.DataFrame(r, columns=["a", "b", "c"])
    frame["loss"] = 2.0 + np.exp(-2.0 * r[:, 0]) + 0.3 * r[:, 1]
    return task_from_frame(frame, targets=["loss"], variables=dict.fromkeys("abc", "proportion"))


def test_probe_mixtures_sum_to_one_and_try_rows_without_a_share() -> None:
    task = mixtures()
    probe = probe_rows(task, 1.0).X
    assert np.allclose(probe.sum(axis=1), 1.0)
    assert (probe >= 0).all()
    seen = {tuple(np.round(x, 12)) for x in task.X}
    fresh = [x for x in probe if tuple(np.round(x, 12)) not in seen]
    assert len(fresh) > len(probe) // 4
    assert all(any(x[j] == 0.0 for x in fresh) for j in range(3))


def test_a_law_with_a_pole_at_an_absent_share_is_invalid() -> None:
    """Share b is never zero in training, but a is: absence is part of the design."""
    task = mixtures()
    assert judged(task, "E + A*exp(-t*a)").valid
    pole = judged(task, "E + A/b")
    assert not pole.valid and "not finite" in pole.invalid_reason


def test_shares_that_are_never_absent_are_tried_at_half_their_least() -> None:
    rng = np.random.default_rng(1)
    r = 0.1 + 0.7 * rng.dirichlet([1.0, 1.0, 1.0], size=30)
    r /= r.sum(axis=1, keepdims=True)
    frame = pd.DataFrame(r, columns=["a", "b", "c"]).assign(loss=1.0 + r[:, 0])
    task = task_from_frame(frame, targets=["loss"], variables=dict.fromkeys("abc", "proportion"))
    probe = probe_rows(task, 1.0).X
    assert np.allclose(probe.sum(axis=1), 1.0)
    assert np.allclose(probe.min(axis=0), 0.5 * task.X.min(axis=0))
