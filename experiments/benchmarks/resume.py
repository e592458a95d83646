"""How soon a run of a million candidates goes on: ``python -m experiments.benchmarks.resume [--candidates N] [--url URL]``.

Fills an archive by SQL (see `archive.py`), writes the checkpoints that such a run would have, and goes on with it in a
process of its own: time from taking the run over to the commit of the first new candidate, and that process's memory.
The grammar proposes and the law is fitted on tiny_lm, in the same process.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial

import numpy as np
from sqlalchemy import Connection, text

from experiments.benchmarks.archive import BIG, build
from sldagent import __version__, session
from sldagent.archive.checkpoints import add
from sldagent.archive.engine import make_engine, parse_address, writing
from sldagent.archive.records import CandidateRecord, Checkpoint
from sldagent.archive.store import Archive
from sldagent.evaluation.evaluate import Evaluator
from sldagent.evolution.checkpoint import EVERY, TRACE, VERSION
from sldagent.evolution.compact import digest
from sldagent.evolution.config import RunConfig
from sldagent.evolution.contenders import BAND
from sldagent.evolution.loop import resume
from sldagent.evolution.observer import NullObserver
from sldagent.evolution.past import Past
from sldagent.evolution.plan import Planner
from sldagent.evolution.state import SearchState
from sldagent.fitting.warm import warm
from sldagent.proposers.grammar import GrammarProposer
from sldagent.tasks.load import load_task
from sldagent.workers.serial import SerialPool

CONFIG = RunConfig(seed=0, stagnation=0, minutes=1e9, emphasis_at=0)
NEW = 50
"""Candidates after which the resumed run is stopped."""
CONTENDERS = 2000


def checkpointed(connection: Connection, candidates: int) -> None:
    """Give the synthetic run its checkpoints: traces of all candidates, and the last states."""
    last = (candidates - CONFIG.look_back) // EVERY * EVERY
    figures = connection.execute(
        text("SELECT k, x, complexity, mdl, usable FROM evaluation WHERE run = :run AND k < :last ORDER BY k"),
        {"run": BIG, "last": last},
    )
    traces = np.zeros(last, TRACE)
    for k, x, complexity, mdl, usable in figures:
        hashes = (digest(str(k)), digest(f"{BIG}-{k}-key"), digest(f"{BIG}-{k}"))
        traces[k] = (x, complexity, mdl, *hashes, usable, True)
    states = _states(traces, last)
    for end in range(EVERY, last + 1, EVERY):
        state = json.dumps(states) if end == last else "{}"
        add(connection, BIG, [Checkpoint(end, VERSION, state, traces[end - EVERY : end].tobytes(), 0)])


def _states(traces: np.ndarray, last: int) -> dict[str, object]:
    """A state as a search of these candidates might have it: full islands, the front, as many contenders as are kept."""
    usable = np.flatnonzero(traces["member"])
    order = usable[np.lexsort((usable, traces["x"][usable], traces["complexity"][usable]))]
    front, lowest = [], np.inf
    for k in order:
        if traces["x"][k] < lowest:
            lowest = traces["x"][k]
            front.append(int(k))
    best = usable[np.argsort(traces["x"][usable])]
    near = best[traces["x"][best] <= lowest + BAND][:CONTENDERS]
    islands = [[int(k) for k in best[best % CONFIG.islands == i][: CONFIG.population]] for i in range(CONFIG.islands)]
    return {
        "committed": last, "islands": islands, "front": front, "table": [["grammar", "grow", last, 100, 9.0, last, 0, 0.0]],
        "concepts": [], "recent_failures": [["time", "20 s"]] * 30, "models_spent": False,
        "failures": [["time", last // 50]],
        "trial": [[], 0], "last_change": max(front), "reset_at": [None] * CONFIG.islands, "catalogue": [0, 1, 2],
        "contenders": [[k, 0.01] for k in sorted({0, 1, 2, *front, *map(int, near)})], "always": [0, 1, 2],
    }  # fmt: skip


class Stopper(NullObserver):
    """Notes when the first new candidate is committed, and stops the run soon after."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self.first: tuple[float, float, int] | None = None
        self._count = 0

    def on_commit(self, state: SearchState, record: CandidateRecord) -> None:
        if self.first is None:
            self.first = time.perf_counter(), time.process_time(), _peak()
        self._count += 1
        if self._count >= NEW:
            self._stop.set()


def _peak() -> int:
    """Most resident bytes of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def go_on(url: str) -> None:
    """One session of the run, and what it took."""
    grounds = session.prepare(load_task("tiny_lm"))
    warm()
    proposer, stop = GrammarProposer(grounds.train), threading.Event()
    watcher, before = Stopper(stop), _peak()
    with Archive.open(url) as archive, SerialPool(partial(Evaluator, grounds.train, grounds.cuts)) as pool:
        wall, own = time.perf_counter(), time.process_time()
        sessions = archive.sessions().of_run(BIG)
        past = Past(BIG, archive.resume_run(BIG, sessions[-1] if sessions else None))
        summary = resume(past, CONFIG, archive, Planner(proposer), pool, watcher, stop=stop)
    assert watcher.first is not None
    committed, (then, own_then, peak_then) = past.resumed.committed, watcher.first
    print(
        f"{committed:,} candidates: first new one after {then - wall:.2f} s ({own_then - own:.2f} s of processor time); "
        f"resident at most {before >> 20} MiB before, {peak_then >> 20} MiB until then, {_peak() >> 20} MiB until the "
        f"end of {summary.candidates - committed} more"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=1_000_000)
    parser.add_argument("--url", help="an empty archive; default: an SQLite file in a temporary folder")
    parser.add_argument("--filled", action="store_true", help="the archive at --url is filled already")
    parser.add_argument("--session", metavar="URL", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.session:
        go_on(args.session)
        return
    with tempfile.TemporaryDirectory() as folder:
        url = args.url or f"sqlite:///{folder}/archive.db"
        if not args.filled:
            print(f"sldagent {__version__}: filled in {build(url, args.candidates):.0f} s", flush=True)
            engine = make_engine(parse_address(url), read_only=False)
            with writing(engine) as connection:
                checkpointed(connection, args.candidates)
            engine.dispose()
        for _ in range(2):  # the second time files are in the page cache
            subprocess.run([sys.executable, "-m", "experiments.benchmarks.resume", "--session", url], check=True)


if __name__ == "__main__":
    main()
