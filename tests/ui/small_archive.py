"""A finished run named ``small``: seven candidates on sixteen rows, one of them written by a language model."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sldagent.archive.chat import CallRecord
from sldagent.archive.records import AskedRecord, CandidateRecord, Note
from sldagent.archive.store import Archive
from sldagent.evaluation.result import CutScore, Evaluation, Failure
from sldagent.origin import origin_of
from sldagent.tasks.archived import task_card
from sldagent.tasks.load import load_task

VALUES = {"E": 1.7, "A": 400.0, "a": 0.35, "B": 900.0, "b": 0.4, "c": 1.0}
PROGRAM = """def law(N, D, {names}):
    return {formula}

parameters = {{{declared}}}
recipe = fit(loss="squared")
"""
FORMULAS = ("A*N**-a", "B*D**-b + A*N**-a", "E + B*D**-b + A*N**-a", "E + (B*D**-b + A*N**-a)**c")
COMPLEXITY = (9.0, 19.0, 23.0, 27.0)
X = (-0.8, -4.1, -8.4, -11.0)
ANSWER = "hypothesis: the two terms saturate together\n\n```python\n{}```\n"
CALL = "0" * 64 + "-0"


def write_table(path: Path) -> Path:
    """loss = 1.7 + 400 N^-0.35 + 900 D^-0.4 on a grid, with a little noise."""
    rng = np.random.default_rng(3)
    lines = ["N,D,loss"]
    for N in 1e5 * 4.0 ** np.arange(4):
        for D in 1e6 * 5.0 ** np.arange(4):
            lines.append(f"{N:.0f},{D:.0f},{1.7 + 400 * N**-0.35 + 900 * D**-0.4 + rng.normal(0, 0.002):.5f}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def source(formula: str) -> str:
    """The program of a formula over N and D."""
    names = [name for name in VALUES if name in formula]
    declared = ", ".join(f'"{name}": positive()' for name in names)
    return PROGRAM.format(names=", ".join(names), formula=formula, declared=declared)


def fitted(k: int, **changed: object) -> CandidateRecord:
    """The law with the k-th formula."""
    formula = FORMULAS[k]
    cuts = tuple(CutScore(f"{v}: top level", v, "loss", 4, X[k] + n, X[k] - 2.0) for n, v in enumerate("ND"))
    evaluation = Evaluation(
        x=X[k], x_se=0.2, mdl=-10.0 * k, complexity=COMPLEXITY[k], tree=9, scalars=2 * k + 1, valid=True, train_r2=0.9,
        parameters={name: np.array([value]) for name, value in VALUES.items() if name in formula}, cuts=cuts,
        x_boot=X[k] + np.linspace(-0.3, 0.3, 9) * (k + 1), fingerprint=f"f{k}", evaluations=1000, seconds=0.2,
    )  # fmt: skip
    given = {"operator": "catalogue", "parents": (k - 1,) if k else (), "note": "", **changed}
    return CandidateRecord(
        k, k % 2, structure=f"s{k}", source=source(formula), formula=formula, evaluation=evaluation, **given
    )  # fmt: skip


def unfitted(k: int, evaluation: Evaluation, **changed: object) -> CandidateRecord:
    """A candidate that is not used."""
    given = {"source": source(FORMULAS[0]), "formula": FORMULAS[0], "operator": "grow", **changed}
    return CandidateRecord(k, k % 2, parents=(0,), structure=f"s{k}", evaluation=evaluation, **given)


def write_archive(folder: Path) -> Path:
    """The archive's file; its rows are in a table beside it."""
    table, file = write_table(folder / "runs.csv"), folder / "archive.db"
    task = load_task(str(table))
    asked = AskedRecord(
        "local:scripted", "extend", 3, "program", (CALL,), "local:scripted", "program", "the two terms saturate together",
        "bias at large N", True, 0.5, 0.1, tokens=120, usd=0.25,
    )  # fmt: skip
    refused = AskedRecord("local:scripted", "rethink", 3, "unusable", error="the answer holds no program", usd=None)
    with Archive.open(str(file)) as archive:
        archive.start_run(
            run="small", task="runs", seed=5, config={"candidates": 7, "llm": ["local:scripted"], "max_tokens": 1000},
            card=task_card(task), mode="blind", origin=origin_of(task, table), pool="1 local worker",
            islands=[{"temperature": 0.2, "bias": ""}, {"temperature": 0.9, "bias": "saturation"}],
            notes=[Note("start", "run small on runs")],
        )  # fmt: skip
        message = {"role": "user", "text": "Write a better law."}
        answer = {"text": ANSWER.format(source(FORMULAS[3])), "finish": "stop", "model": "scripted", "tokens": {}}
        call = CallRecord(
            CALL, "0" * 64, 0, "local", "scripted", {"messages": [message]}, answer, finish="stop", tokens_in=100,
            tokens_out=20, cost=0.25, seconds=1.0,
        )  # fmt: skip
        archive.chats().begin("small", call, 200, 0.5)
        archive.chats().copy(call)
        bent = Evaluation(x=-2.0, complexity=11.0, invalid_reason="not finite within one decade of the data (loss)")
        none = Evaluation(failure=Failure("parse", "no program"))
        archive.commit(
            "small",
            [
                *(fitted(k) for k in range(3)),
                fitted(3, operator="llm:extend", asked=asked),
                unfitted(4, none, asked=refused, operator="llm:rethink", source=""),
                unfitted(5, Evaluation(failure=Failure("duplicate", "same program as candidate 0"))),
                unfitted(6, bent),
            ],
        )
        archive.finish_run(
            "small", status="complete", choice=3, shortlist=[3, 2], reason="no other law's extrapolation error comes near",
            candidates=7, failures=2, seconds=12.5,
        )  # fmt: skip
    return file
