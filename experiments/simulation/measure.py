"""Measure what a run's steps cost on this machine, in CPU seconds: ``python -m experiments.simulation.measure``.

CPU time, because the machine may be busy with other things; of what waits on nothing but the processor that is its wall
time on a quiet one.  Writes ``costs.json`` beside this file.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from experiments.simulation.throughput import FIRST
from sldagent import session
from sldagent.archive.store import Archive
from sldagent.evaluation.evaluate import Evaluator
from sldagent.evaluation.result import Evaluation
from sldagent.evolution.config import RunConfig
from sldagent.evolution.contenders import Contenders
from sldagent.evolution.loop import Beginning, discover
from sldagent.evolution.plan import Planner
from sldagent.evolution.state import SearchState
from sldagent.fitting.warm import warm
from sldagent.laws.program import Program
from sldagent.laws.render import render_program
from sldagent.proposers.grammar import GrammarProposer
from sldagent.sandbox import Jail, Job
from sldagent.tasks.archived import task_card
from sldagent.tasks.load import load_task
from sldagent.workers.frames import encode
from sldagent.workers.serial import SerialPool
from sldagent.workers.wire import decode_evaluation, encode_evaluation

HERE = Path(__file__).parent
CANDIDATES = 800
"""Those of `throughput`, whose first `FIRST` are not timed there and do not count here."""
TASK = "tiny_lm"


class Stopwatch:
    """CPU seconds by step."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = defaultdict(list)

    def around(self, step: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """`work`, timed."""

        def timed(*args: Any, **more: Any) -> Any:
            start = time.process_time()
            try:
                return work(*args, **more)
            finally:
                self.seconds[step].append(time.process_time() - start)

        return timed


class TimedEvaluator:
    """An evaluator whose calls are timed; also what sending its answers takes."""

    def __init__(self, inner: Evaluator, watch: Stopwatch) -> None:
        self._evaluate = watch.around("evaluate", inner.evaluate)
        self._send = watch.around("dispatch", _there_and_back)

    def evaluate(self, program: Program) -> Evaluation:
        evaluation: Evaluation = self._evaluate(program)
        self._send(program, evaluation)
        return evaluation


def _there_and_back(program: Program, evaluation: Evaluation) -> None:
    """What the coordinator does to hand a candidate to a pool and to take its answer."""
    encode((0, program))
    render_program(program)
    decode_evaluation(encode_evaluation(evaluation))


def main() -> None:
    grounds, watch = session.prepare(load_task(TASK)), Stopwatch()
    warm()
    proposer = GrammarProposer(grounds.train)
    planner_plan, apply = Planner.plan, SearchState.apply
    config = RunConfig(candidates=CANDIDATES, workers=1, seed=0)
    Planner.plan = watch.around("propose", planner_plan)  # type: ignore[method-assign]
    SearchState.apply = watch.around("commit", apply)  # type: ignore[method-assign]
    Contenders.add = watch.around("contenders", Contenders.add)  # type: ignore[method-assign]
    batches: list[int] = []
    with tempfile.TemporaryDirectory() as folder, Archive.open(f"{folder}/a.db") as archive:
        write = watch.around("write", archive.commit)

        def commit(run: str, records: Any, *rest: Any) -> None:
            batches.append(len(records))
            write(run, records, *rest)

        archive.commit = commit  # type: ignore[method-assign]
        make = partial(TimedEvaluator, Evaluator(grounds.train, grounds.cuts), watch)
        beginning = Beginning(task=TASK, card=task_card(grounds.task))
        with SerialPool(make) as pool:
            summary = discover(beginning, config, archive, proposer, pool)
    costs = _costs(watch, batches, summary.failures.get("duplicate", 0))
    costs["fits"] = 1 + len(grounds.cuts)
    costs["jail"] = round(jail_seconds(), 5)
    (HERE / "costs.json").write_text(json.dumps(costs, indent=1) + "\n", encoding="utf-8")
    json.dump({k: v for k, v in costs.items() if k != "evaluate"}, sys.stdout, indent=1)


def jail_seconds(calls: int = 60) -> float:
    """One call of the jail that fits nothing: the fastest of many, which other work on the machine disturbs least."""
    rows = {"X": np.ones((8, 1)), "Y": np.ones(8), "group": np.zeros(8)}
    job = Job("def fit_scaling_law(x, y):\n    return [1.0]\n", "fit", rows)
    with Jail(parallel=1) as jail:
        times = []
        for _ in range(calls):
            start = time.perf_counter()
            jail.call(job)
            times.append(time.perf_counter() - start)
    return min(times)


def _costs(watch: Stopwatch, batches: list[int], duplicates: int) -> dict[str, Any]:
    """Means and samples; a batch's cost is a line in its size, by least squares through what was measured."""
    timed = {step: values if step == "write" else values[FIRST + 1 :] for step, values in watch.seconds.items()}
    mean = {step: sum(values) / len(values) for step, values in timed.items()}
    sizes = np.array(batches, dtype=float)
    design = np.stack([np.ones_like(sizes), sizes], axis=1)
    batch, record = np.maximum(np.linalg.lstsq(design, np.array(watch.seconds["write"]), rcond=None)[0], 0.0)
    return {
        "task": TASK,
        "candidates": CANDIDATES,
        "evaluate": [round(s, 5) for s in timed["evaluate"]],
        "propose": round(mean["propose"], 6),
        "commit": round(mean["commit"] + mean["contenders"], 6),
        "write_batch": round(float(batch), 6),
        "write_record": round(float(record), 6),
        "dispatch": round(mean["dispatch"], 6),
        "duplicates": duplicates / CANDIDATES,
    }


if __name__ == "__main__":
    main()
