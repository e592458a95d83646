"""Where a run's candidates are evaluated, as the user says it, and the pool that follows from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sldagent.errors import ConfigError
from sldagent.workers.base import MakeEvaluator, WorkerPool


@dataclass(frozen=True)
class Place:
    """Worker processes on this machine, or actors on a Ray cluster.

    Raises ConfigError for GPUs without Ray, or an impossible number of them.
    """

    ray: str | None = None
    """Address of a cluster, or ``local``; None: no Ray."""
    gpus: float = 0.0
    """GPUs of every actor."""

    def __post_init__(self) -> None:
        if not 0 <= self.gpus < float("inf"):
            raise ConfigError(f"{self.gpus:g} GPUs per worker is not a number of GPUs that can be given")
        if self.gpus and self.ray is None:
            raise ConfigError("--gpus-per-worker needs --ray: workers on this machine share its accelerators")

    def words(self, workers: int) -> str:
        """Who evaluates, for the archive's record of sessions."""
        count = f"{workers} {'local worker' if self.ray is None else 'Ray actor'}{'s' if workers > 1 else ''}"
        where = "" if self.ray in (None, "local") else f" at {self.ray}"
        return f"{count}{where}{f', {self.gpus:g} GPUs each' if self.gpus else ''}"


@contextmanager
def open_pool(
    place: Place, make_evaluator: MakeEvaluator, workers: int, time_limit: float, warm: Callable[[], object]
) -> Iterator[WorkerPool]:
    """The pool, until the block ends.  Raises ConfigError where the cluster cannot be reached or lacks GPUs."""
    if place.ray is None:
        from sldagent.workers.local import LocalPool

        with LocalPool(make_evaluator, workers, time_limit, warm=warm) as local:
            yield local
        return
    from sldagent.workers.ray_cluster import connected
    from sldagent.workers.ray_pool import RayPool

    with connected(place.ray, workers, place.gpus * workers) as ray:
        if place.gpus and ray.cluster_resources().get("GPU", 0.0) < place.gpus:
            raise ConfigError(f"no node of the Ray cluster offers {place.gpus:g} GPUs: leave --gpus-per-worker out")
        with RayPool(ray, make_evaluator, workers, time_limit, gpus=place.gpus, warm=warm) as pool:
            yield pool
