"""A cluster of two nodes that loses one of them in the middle of a run, again and again."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import coordinator
import pytest
from pool_fakes import make_delayed, make_fake
from rig import full, rows
from search_rig import ScriptedProposer, Watcher, beginning, config

from sldagent.archive.records import CandidateRecord
from sldagent.archive.store import Archive
from sldagent.evolution.config import RunConfig
from sldagent.evolution.loop import discover
from sldagent.evolution.state import SearchState
from sldagent.workers.base import WorkerPool
from sldagent.workers.ray_cluster import ray as package
from sldagent.workers.ray_cluster import scrubbed
from sldagent.workers.ray_pool import RayPool
from sldagent.workers.serial import SerialPool

pytest.importorskip("ray", reason="the package ray is not installed (the extra 'ray')")
PATIENCE = 5
"""Attempts to start a node: Ray gives each half a minute, which a busy machine may not have."""
NODE = {"num_cpus": 1, "object_store_memory": 80 << 20}
KILLS = 20


def patiently(start: Callable[[], Any]) -> Any:
    """What `start` returns, at the last of a few attempts."""
    for _ in range(PATIENCE - 1):
        with contextlib.suppress(Exception):
            return start()
    return start()


@pytest.fixture
def cluster() -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    folder = tempfile.mkdtemp(prefix="sldray-")
    os.mkdir(f"{folder}/ray")
    ray = package()
    with scrubbed():
        os.environ["RAY_TMPDIR"] = folder
        made = patiently(lambda: Cluster(initialize_head=True, head_node_args={**NODE, "temp_dir": f"{folder}/ray"}))
        ray.init(address=made.address, log_to_driver=False, logging_level="ERROR")
        try:
            yield made
        finally:
            ray.shutdown()
            made.shutdown()
            shutil.rmtree(folder, ignore_errors=True)


def run(path: Path, cfg: RunConfig, pool: WorkerPool, watcher: Watcher | None = None) -> dict[str, list[Any]]:
    with Archive.open(str(path)) as archive, pool:
        discover(beginning(run=coordinator.RUN), cfg, archive, ScriptedProposer(), pool, watcher)
    return rows(path)


@full
def test_a_node_that_is_lost_twenty_times_costs_nothing(cluster: Any, tmp_path: Path) -> None:
    cfg = config(candidates=60 * (KILLS + 1), look_back=8)
    second = [patiently(lambda: cluster.add_node(**NODE))]
    kills: list[int] = []

    def strike(state: SearchState, record: CandidateRecord) -> None:
        if record.k % 60 == 59 and len(kills) < KILLS:
            kills.append(record.k)
            print(f"kill {len(kills)} after candidate {record.k}", flush=True)
            cluster.remove_node(second.pop(), allow_graceful=False)
            second.append(patiently(lambda: cluster.add_node(**NODE)))

    expected = run(tmp_path / "local.db", cfg, SerialPool(make_fake))
    found = run(tmp_path / "ray.db", cfg, RayPool(package(), make_delayed, 2, 30.0), Watcher(strike))
    assert len(kills) == KILLS
    assert found == expected
