"""One session of a run as a process of its own: ``python coordinator.py ARCHIVE [ROOM]``.

Starts the run where the archive has none, goes on with it otherwise, as the command line does.  The evaluator is the
pools' fake one, so that a session costs little; archive, search, workers and ownership are the real ones.  Prints
``searching`` once it searches; the exit code is 0 complete, 2 the run belongs to another process, 3 stopped, 4 failed.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
from pathlib import Path

from pool_fakes import make_delayed
from search_rig import ScriptedProposer, Watcher, beginning, config

from sldagent.archive.records import Origin
from sldagent.archive.sessions import RunTaken
from sldagent.archive.store import Archive
from sldagent.errors import ArchiveError
from sldagent.evolution.loop import discover, resume
from sldagent.evolution.observer import Event
from sldagent.evolution.past import Past
from sldagent.evolution.plan import Planner
from sldagent.evolution.summary import RunSummary
from sldagent.workers.base import WorkerPool
from sldagent.workers.local import LocalPool
from sldagent.workers.serial import SerialPool

CONFIG = config(candidates=400, look_back=8)
RUN = "r"
EVERY = 32
"""Candidates between checkpoints: kills fall before, between and after them."""
CODES = {"complete": 0, "stopped": 3}


class Announcer(Watcher):
    """Says when the search begins; remembers the workers, so that a test can kill one."""

    def __init__(self, pool: LocalPool) -> None:
        super().__init__()
        self._pool = pool

    def on_event(self, event: Event) -> None:
        if event.kind == "start":
            print("searching", *self._pool.process_ids, flush=True)


def session(archive: Archive, pool: WorkerPool, watcher: Watcher | None = None) -> RunSummary:
    """Begin, or go on with, the run."""
    try:
        archive.run(RUN)
    except ArchiveError:
        begun = beginning(run=RUN, origin=Origin("", ""))
        return discover(begun, CONFIG, archive, ScriptedProposer(), pool, watcher, checkpoint_every=EVERY)
    resumed = archive.resume_run(RUN, archive.sessions().wait_for_death(RUN))
    past = Past(RUN, resumed)
    return resume(past, CONFIG, archive, Planner(ScriptedProposer()), pool, watcher, checkpoint_every=EVERY)


def life(path: Path) -> None:
    """One session that evaluates by itself, in a process that ends with it."""
    with Archive.open(str(path)) as archive, SerialPool(make_delayed) as pool:
        code = CODES[session(archive, pool).status]
    os._exit(code)


def main(path: str, room: int | None) -> int:
    try:
        with Archive.open(path) as archive, LocalPool(make_delayed, 2, 30.0) as pool:
            if room is not None:  # no file may grow beyond this: writing then fails as on a full disk
                limit = room + log_size(Path(path))
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            return CODES[session(archive, pool, Announcer(pool)).status]
    except RunTaken as error:
        print(error, file=sys.stderr)
        return 2
    except ArchiveError as error:
        print(error, file=sys.stderr)
        return 4


def log_size(path: Path) -> int:
    """Bytes of an archive's write-ahead log."""
    with contextlib.suppress(FileNotFoundError):
        return Path(f"{path}-wal").stat().st_size
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else None))
