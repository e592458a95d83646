"""What language models cost the coordinator, and whether runs with them repeat exactly.

    python experiments/benchmarks/llm.py replay|idle|proposal [TASK] [DATA]|prompts [TASK ...] [DATA]

Everything is asked of a loopback server that answers by content (`tests/llm`), so no figure needs a key.  Times are the
kernel's account of processor time, except for `idle`, whose evaluations sleep.
"""

from __future__ import annotations

import math
import queue
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests" / "llm"))

import small_run  # noqa: E402
from laws_told import told  # noqa: E402
from rows import rows  # noqa: E402
from talk_server import TalkServer  # noqa: E402

from sldagent import estimate, replay, session  # noqa: E402
from sldagent.archive.records import CandidateRecord  # noqa: E402
from sldagent.archive.store import Archive  # noqa: E402
from sldagent.chat.base import ChatAnswer, ChatRequest, Usage  # noqa: E402
from sldagent.chat.client import LiveChat  # noqa: E402
from sldagent.chat.ledger import Budget, Ledger  # noqa: E402
from sldagent.chat.policy import Policy  # noqa: E402
from sldagent.chat.prices import Prices  # noqa: E402
from sldagent.evaluation.evaluate import Evaluator  # noqa: E402
from sldagent.evaluation.result import Evaluation  # noqa: E402
from sldagent.evolution.config import RunConfig  # noqa: E402
from sldagent.evolution.loop import Beginning, discover  # noqa: E402
from sldagent.evolution.plan import Planned, Planner  # noqa: E402
from sldagent.evolution.slots import Models, context_for_model  # noqa: E402
from sldagent.evolution.state import SearchState  # noqa: E402
from sldagent.laws.program import Program  # noqa: E402
from sldagent.llm import make_desk  # noqa: E402
from sldagent.proposers.grammar import GrammarProposer  # noqa: E402
from sldagent.proposers.llm.conversation import Options  # noqa: E402
from sldagent.proposers.llm.proposer import LLMProposer  # noqa: E402
from sldagent.tasks.archived import task_card  # noqa: E402
from sldagent.tasks.load import load_task  # noqa: E402
from sldagent.workers.base import WorkerPool  # noqa: E402

SPEC = "local:scripted@http://127.0.0.1:1/v1"
BENCHMARK = ("parallel", "vocab", "sft", "domain_mixture", "moe", "data_constrained", "lr_bsz", "easy_question")


def replay_run(folder: Path, calls: int = 300) -> None:
    """A run of at least `calls` answers, and its replays."""
    small_run.shrink()
    replay.GrammarProposer, replay.make_pool = small_run.FewSeeds, small_run.here  # type: ignore[misc]
    table = small_run.write_table(folder / "runs.csv")
    with TalkServer(told) as server:
        cfg = small_run.config(server.spec, llm_share=1.0, candidates=calls + 8, llm_look_back=64)
        small_run.begin(table, folder / "a.db", cfg)
        print(f"recorded: {len(server.asked)} calls, {calls + 8} candidates")
    for reuse in (True, False):
        place, began = folder / f"{reuse}.db", time.process_time()
        with Archive.open(str(folder / "a.db"), read_only=True) as source, Archive.open(str(place)) as target:
            found = replay.replay(small_run.RUN, source, target, reuse=reuse)
        used = time.process_time() - began
        how = "recorded evaluations" if reuse else "fits repeated     "
        print(
            f"replay, {how}: {used:6.2f} s processor, {0.5 * calls / used:5.0f} times faster than {calls} calls of 0.5 s; "
            f"differing candidates {len(found.differing)}, rows equal: {rows(place) == rows(folder / 'a.db')}"
        )


class Instant:
    """A backend that answers at once."""

    identity = "local:scripted"

    def complete(self, request: ChatRequest, timeout: float) -> ChatAnswer:
        text = told([{"content": m.text} for m in request.messages])
        return ChatAnswer(text, "stop", "scripted", Usage(3000, 200))

    def close(self) -> None:
        """Nothing to let go of."""


Filled = tuple[Archive, SearchState, Planner, session.Grounds]


def filled(task_name: str, folder: Path, count: int, data: Path | None) -> Filled:
    """An archive and a state with `count` candidates: a few hundred real ones, repeated with figures shaken a little."""
    grounds = session.prepare(load_task(task_name, data=data))
    archive = Archive.open(str(folder / "many.db"))
    config = RunConfig(llm=(SPEC,), candidates=count + 1000)
    planner, state = Planner(GrammarProposer(grounds.train)), SearchState(config)
    archive.start_run(
        run="many", task="t", seed=0, config=config.to_mapping(), card=task_card(grounds.task), mode="blind",
        islands=[{}] * config.islands,
    )  # fmt: skip
    evaluator, rng = Evaluator(grounds.train, grounds.cuts), np.random.default_rng(0)
    real = [(p, evaluator.evaluate(p.program)) for p in planner.seeds[:40]]
    batch: list[CandidateRecord] = []
    for k in range(count):
        proposal, known = real[k % len(real)]
        x = known.x + float(rng.normal(0, 0.3)) if k >= len(real) else known.x
        record = Planned.of(k, k % config.islands, proposal).record(replace(known, x=x, fingerprint=str(k)))
        state.apply(record, proposal.program)
        batch.append(record)
        if len(batch) == 500:
            archive.commit("many", batch)
            batch.clear()
    archive.commit("many", batch)
    return archive, state, planner, grounds


def proposal_time(folder: Path, task_name: str = "tiny_lm", count: int = 10_000, data: Path | None = None) -> None:
    """Processor time of the coordinator for one proposal of a model."""
    archive, state, planner, grounds = filled(task_name, folder, count, data)
    desk = make_desk(grounds.train, grounds.cuts, state.config, Options())
    chat = LiveChat([Instant()], Ledger(archive.chats(), "many", Budget(calls=10**6), Prices(table={})), Policy())
    proposer = LLMProposer(chat, desk)
    steps: dict[str, list[float]] = {"prompt": [], "ask, ledger and parse": [], "whole": []}
    for k in range(count, count + 120):
        began = time.process_time()
        context = context_for_model(k, state, planner.parents)
        arm = state.table.choose({proposer.model: proposer.operators(context.parents)}, np.random.default_rng(k))
        conversation = proposer.prepare(context, arm.operator)
        written = time.process_time()
        conversation.run()
        ended = time.process_time()
        for name, used in zip(steps, (written - began, ended - written, ended - began), strict=True):
            steps[name].append(1e3 * used)
    for name, used in steps.items():
        mean, median = statistics.mean(used), statistics.median(used)
        print(f"{task_name}, {count} candidates, {name:22}: {mean:6.1f} ms mean, {median:6.1f} median")
    archive.close()


class SleepingPool:
    """Two workers that sleep; counts the seconds in which one has nothing to do."""

    def __init__(self, workers: int, seconds: float) -> None:
        self.idle = 0.0
        self._seconds = seconds
        self._workers = workers
        self._todo: queue.SimpleQueue[tuple[int, Program] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[int, Evaluation]] = queue.SimpleQueue()
        self._given = 0
        self._lock = threading.Lock()
        for _ in range(workers):
            threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        while True:
            began = time.perf_counter()
            given = self._todo.get()
            with self._lock:
                self.idle += time.perf_counter() - began
            if given is None:
                return
            time.sleep(self._seconds)
            x = float(np.random.default_rng(given[0]).normal(-2, 1))
            self._done.put((given[0], Evaluation(x=x, complexity=20.0, mdl=x, valid=True, fingerprint=str(given[0]))))

    def submit(self, k: int, program: Program) -> None:
        self._given += 1
        self._todo.put((k, program))

    def results(self, timeout: float) -> list[tuple[int, Evaluation]]:
        found = []
        while self._given:
            try:
                found.append(self._done.get(timeout=timeout) if timeout > 0 else self._done.get_nowait())
            except queue.Empty:
                break
            self._given -= 1
            timeout = 0.0
        return found

    def pending(self) -> int:
        return self._given

    def close(self) -> None:
        for _ in range(self._workers):
            self._todo.put(None)


def idle_time(folder: Path, seconds: float, look_back: int, count: int = 500) -> None:
    """Share of two workers' time without work: 2 s per call, half of the slots the grammar's."""
    table = small_run.write_table(folder / "runs.csv")
    grounds = session.prepare(load_task(str(table)))
    with TalkServer(told, delay=2.0) as server, Archive.open(str(folder / "idle.db")) as archive:
        config = small_run.config(server.spec, candidates=count, look_back=16, llm_look_back=look_back)
        models = small_run.LiveModels(config, {}, policy=Policy(concurrency=32))
        pool = SleepingPool(2, seconds)
        beginning = Beginning("idle", task_card(grounds.task), run="idle")
        start: Callable[[str], Models] = partial(models.start, grounds.train, grounds.cuts, archive, threading.Event())
        began = time.perf_counter()
        given: WorkerPool = pool  # type: ignore[assignment]
        discover(beginning, config, archive, GrammarProposer(grounds.train), given, models=start)
        wall = time.perf_counter() - began
        pool.close()
        print(
            f"{1e3 * seconds:4.0f} ms per evaluation, look-back {look_back}: {wall:5.1f} s for {count} candidates, "
            f"{len(server.asked)} calls, two workers idle {pool.idle / (2 * wall):.1%}"
        )


def prompt_sizes(data: Path | None, names: tuple[str, ...] = BENCHMARK) -> None:
    """Tokens of prompts, at 3.5 characters each, and the share that all have in common."""
    for name in names:
        grounds = session.prepare(load_task(name, data=data))
        config = RunConfig(llm=(SPEC,), candidates=500)
        proposer = GrammarProposer(grounds.train)
        desk = make_desk(grounds.train, grounds.cuts, config, Options())
        model = LLMProposer(estimate.Mute("local:scripted"), desk)
        requests = estimate.sample_requests(grounds, config, proposer, model, 4096)
        whole = [sum(len(m.text) for m in r.messages) for r in requests]
        shares = [len(r.messages[0].text) / w for r, w in zip(requests, whole, strict=True)]
        print(
            f"{name:16} prefix {len(desk.writer.prefix) / 3.5:5.0f} tokens, "
            f"prompts {statistics.mean(whole) / 3.5:5.0f} mean, "
            f"{math.ceil(max(whole) / 3.5):5d} largest, stable share at least {min(shares):.0%}"
        )


def main(words: list[str]) -> None:
    what, rest = (words[0], words[1:]) if words else ("", [])
    data = Path(sys.argv[-1]) if len(sys.argv) > 2 and Path(sys.argv[-1]).is_dir() else None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if what == "replay":
            replay_run(folder)
        elif what == "proposal":
            proposal_time(folder, next((w for w in rest if not Path(w).is_dir()), "tiny_lm"), data=data)
        elif what == "idle":
            for n, (seconds, look_back) in enumerate(((0.03, 128), (0.06, 128), (0.12, 128), (0.03, 256))):
                (folder / str(n)).mkdir()
                idle_time(folder / str(n), seconds, look_back)
        elif what == "prompts":
            prompt_sizes(data, tuple(w for w in rest if not Path(w).is_dir()) or BENCHMARK)
        else:
            print(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
