"""Throughput of 1 and 2 workers, local and on Ray.

    python -m experiments.simulation.throughput [--candidates N] [--repeats N] [--task NAME]

Runs the same search (same seed) with each pool in turn, several times, and takes the fastest run of each.  On a machine
that others use too, wall time says little.  The kernel tells for every process how long it was ready but had to wait for a
processor (`/proc/PID/schedstat`); that wait, averaged over the workers, is taken off the wall time.  On a quiet machine
with a core more than there are workers the correction vanishes.  Prints the ratios between pools and whether all archives
are the same, and writes ``measured.json`` beside this file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from sldagent import session
from sldagent.archive.records import CandidateRecord
from sldagent.archive.store import Archive
from sldagent.evaluation.evaluate import Evaluator
from sldagent.evolution.config import RunConfig
from sldagent.evolution.loop import Beginning, discover
from sldagent.evolution.observer import Event, NullObserver
from sldagent.evolution.state import SearchState
from sldagent.fitting.warm import warm
from sldagent.proposers.grammar import GrammarProposer
from sldagent.tasks.archived import task_card
from sldagent.tasks.load import load_task
from sldagent.workers.local import LocalPool
from sldagent.workers.ray_cluster import connected
from sldagent.workers.ray_pool import RayPool

HERE = Path(__file__).parent
FIRST = 60
"""Candidates after which the clock starts: by then every worker has started."""
POOLS = (("local", 1), ("ray", 1), ("local", 2), ("ray", 2))


def delays(pids: Sequence[int]) -> list[float]:
    """Seconds that each process was ready to run and had to wait."""
    return [int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9 for pid in pids]


class Timer(NullObserver):
    """Wall time and the workers' waiting from candidate `FIRST` to the last."""

    def __init__(self, pids: Callable[[], Sequence[int]]) -> None:
        self._pids = pids
        self.wall = self.waited = self.own = 0.0

    def on_commit(self, state: SearchState, record: CandidateRecord) -> None:
        if record.k == FIRST:
            self._workers = self._pids()
            self._began, self._delays, self._own = time.monotonic(), delays(self._workers), time.process_time()

    def on_event(self, event: Event) -> None:
        if event.kind == "stop":
            self.wall, self.own = time.monotonic() - self._began, time.process_time() - self._own
            more = [b - a for a, b in zip(self._delays, delays(self._workers), strict=True)]
            self.waited = sum(more) / len(more)


def ray_pids(pool: RayPool) -> list[int]:
    """The worker processes under the pool's actors."""
    asked = [actor.handle.__ray_call__.remote(lambda s: s._pool.process_ids) for actor in pool._workers]
    return [pid for pids in pool._ray.get(asked) for pid in pids]


def measured(grounds: session.Grounds, kind: str, workers: int, candidates: int) -> dict[str, Any]:
    """One run."""
    make = partial(Evaluator, grounds.train, grounds.cuts)
    config = RunConfig(candidates=candidates, workers=workers, seed=0)
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        archive = stack.enter_context(Archive.open(f"{folder}/a.db"))
        if kind == "local":
            local = stack.enter_context(LocalPool(make, workers, 60.0, warm=warm))
            pool, timer = local, Timer(lambda: local.process_ids)
        else:
            ray = stack.enter_context(connected("local", workers))
            actors = stack.enter_context(RayPool(ray, make, workers, 60.0, warm=warm))
            pool, timer = actors, Timer(lambda: ray_pids(actors))
        beginning = Beginning(task=grounds.train.name, card=task_card(grounds.task), run="r")
        discover(beginning, config, archive, GrammarProposer(grounds.train), pool, timer)
        digest = _digest(archive)
    timed = candidates - FIRST - 1
    return {
        "pool": kind, "workers": workers, "candidates": timed, "wall": round(timer.wall, 2),
        "waited": round(timer.waited, 2), "coordinator": round(timer.own, 2),
        "per_second": round(timed / (timer.wall - timer.waited), 2), "by_the_clock": round(timed / timer.wall, 2),
        "archive": digest,
    }  # fmt: skip


def _digest(archive: Archive) -> str:
    """Of the candidates with their figures and parameters."""
    sql = (
        "SELECT c.k, c.source, c.operator, e.x, e.mdl, e.fingerprint, g.data, f.detail FROM candidate c "
        "JOIN evaluation e ON e.run = c.run AND e.k = c.k JOIN group_fit g ON g.run = c.run AND g.k = c.k "
        "LEFT JOIN failure f ON f.run = c.run AND f.k = c.k ORDER BY c.k"
    )
    return hashlib.sha256(repr(archive.query(sql)[1]).encode()).hexdigest()[:16]


def told(best: dict[tuple[str, int], dict[str, Any]]) -> None:
    """The ratios that are asked for."""
    for figure in ("per_second", "by_the_clock"):
        rate = {key: run[figure] for key, run in best.items()}
        print(
            f"{figure}: 2 workers against 1: local {rate['local', 2] / rate['local', 1]:.2f}, "
            f"Ray {rate['ray', 2] / rate['ray', 1]:.2f}; Ray against local: 1 worker "
            f"{rate['ray', 1] / rate['local', 1]:.2f}, 2 workers {rate['ray', 2] / rate['local', 2]:.2f}"
        )
    same = len({run["archive"] for run in best.values()}) == 1
    print("all archives are the same" if same else "the archives DIFFER")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=600)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--task", default="tiny_lm")
    args = parser.parse_args()
    grounds = session.prepare(load_task(args.task))
    best: dict[tuple[str, int], dict[str, Any]] = {}
    for _ in range(args.repeats):
        for kind, workers in POOLS:
            run = measured(grounds, kind, workers, args.candidates)
            print(run, flush=True)
            before = best.get((kind, workers))
            if before is None or run["per_second"] > before["per_second"]:
                best[kind, workers] = run
    told(best)
    (HERE / "measured.json").write_text(json.dumps(list(best.values()), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
