"""The training rows that a run was started on, read again for the plots of its laws."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from sldagent.archive.records import RunRecord
from sldagent.archive.store import Archive
from sldagent.errors import SldagentError
from sldagent.origin import check_same, load_again
from sldagent.tasks.task import Task

KEPT = 4
"""Tables kept in memory; of more, those not asked for longest are let go."""
LARGEST = 2_000_000
"""Numbers of a table that is kept."""


class TrainingRows:
    """Reads tables once.  Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: OrderedDict[str, Task] = OrderedDict()

    def of(self, archive: Archive, run: RunRecord) -> Task:
        """The run's training rows, and no others.  Raises SldagentError, one sentence, where they are not at hand."""
        with self._lock:
            task = self._kept.pop(run.run, None)
            if task is None:
                task = _read(archive, run)
            if task.X.size + task.Y.size <= LARGEST:
                self._kept[run.run] = task
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
            return task


def _read(archive: Archive, run: RunRecord) -> Task:
    origin = archive.sessions().origin(run.run)
    if origin is None:
        raise SldagentError(f"the archive does not say which table run {run.run} was started on")
    task = load_again(run.run, origin)
    check_same(run.run, origin, task)
    return task.part("train")
