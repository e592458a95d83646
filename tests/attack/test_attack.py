"""Attacks on the jail, each with a control that shows it at work where there is none.

The short run takes the cases marked fast and two jails; SLDAGENT_ATTACK=all takes every case, user, jail and control.
"""

from __future__ import annotations

import os
import sys
from functools import cache

import pytest

from tests.attack import matrix
from tests.attack.catalogue import CASES
from tests.attack.matrix import Column, Outcome

ALL = os.environ.get("SLDAGENT_ATTACK") == "all"
NAMED = {
    "read_shadow", "read_ssh_key", "env_api_key", "environ_parent", "mem_parent", "ptrace_parent", "test_data_on_disk",
    "test_data_in_frames", "fd_scan", "dir_listing_home", "tcp", "udp_dns", "unix_socket", "abstract_socket",
    "raw_syscall_socket", "fork_bomb", "thread_bomb", "memory_bomb", "mmap_shared_bomb", "memfd_bomb", "cpu_spin",
    "cpu_spin_ignore_signals", "sleep_forever", "gil_hog_c", "disk_10gb", "inode_bomb", "dev_shm", "stdout_flood",
    "huge_result", "deep_json_header", "os_exit", "segfault", "stack_overflow", "sys_exit_in_predict", "kill_evaluator",
    "stop_evaluator", "patch_metrics", "forge_result_conn", "forge_result_fds", "pickle_reduce", "array_hook",
    "nan_predictions", "inf_predictions", "wrong_shape", "broadcast_shape", "complex_object", "exec_shell",
    "daemon_survivor", "late_thread", "atexit_write", "mmap_exec", "ctypes_syscalls", "x32_abi", "regain_root",
    "symlink_escape", "poison_library", "chmod_rename_unlink", "rlimit_raise", "stash_between_calls", "time_bomb",
}  # fmt: skip
"""The sixty that the jail was designed against."""
SHORT_CONTROLS = {
    "read_ssh_key", "test_data_on_disk", "tcp", "fork_bomb",
    "pickle_reduce", "mmap_exec", "kill_evaluator", "stash_between_calls", "env_api_key",
    "test_data_in_frames", "segfault", "patch_metrics", "zygote_poison", "forge_result_conn", "frame_trailing_bytes",
}  # fmt: skip
"""Whose controls the short run tries."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the layers under attack are those of Linux")


def columns() -> list[Column]:
    every = matrix.columns()
    if ALL:
        return every
    return [c for c in every if (c.user, c.jail) in ((matrix.users()[0], "all layers"), ("user", "no namespaces"))]


def controls() -> list[Column]:
    return matrix.controls() if ALL else [c for c in matrix.controls() if c.user == matrix.users()[0]]


@cache
def outcome(column: Column) -> Outcome:
    if not column.control:
        return matrix.run(column, [c for c in CASES.values() if ALL or c.fast])
    cases = [c for c in CASES.values() if ALL or (c.name in SHORT_CONTROLS and c.ways[0] == column.jail)]
    return matrix.run(column, matrix.control_cases(column, cases))


@pytest.mark.parametrize("column", columns(), ids=str)
def test_no_attack_gets_through(column: Column) -> None:
    seen = outcome(column)
    if seen.unavailable:
        pytest.skip(f"no such jail on this host: {seen.unavailable}")
    assert set(seen.results) == {c.name for c in CASES.values() if ALL or c.fast}
    assert {name: r.found for name, r in seen.results.items() if r.found} == {}
    assert {name: r.odd for name, r in seen.results.items() if r.odd} == {}


@pytest.mark.parametrize("column", [c for c in columns() if c.jail in ("jax", "scikit-learn")], ids=str)
def test_further_libraries_cost_no_layer(column: Column) -> None:
    """A layer that is lost to a library, not to the host, would be left out without a word otherwise."""
    further, numpy = outcome(column), outcome(Column(column.user, "all layers"))
    if further.unavailable or numpy.unavailable:
        pytest.skip(f"no such jail on this host: {further.unavailable or numpy.unavailable}")
    lost = {"no-executable-memory"} if column.jail == "jax" else set()  # JAX compiles
    assert {*further.layers, *lost} == set(numpy.layers)


def test_every_attack_works_where_there_is_no_jail() -> None:
    """The positive controls; as an ordinary user, without those that only root can make."""
    outcomes = [outcome(column) for column in controls()]
    assert [str(o.column) + ": " + o.unavailable for o in outcomes if o.unavailable] == []
    tried = {name for o in outcomes for name in o.results}
    wanted = {c.name for c in CASES.values() if not c.uncontrolled and (matrix.ROOT or not c.as_root)}
    assert tried == (wanted if ALL else SHORT_CONTROLS)
    assert sorted(name for name in tried if not matrix.fired(CASES[name], outcomes)) == []


def test_the_catalogue_is_whole() -> None:
    assert set(CASES) >= NAMED and len(NAMED) == 60
    assert {c.name for c in CASES.values() if not c.ways and not c.uncontrolled} == set()
    assert {name for name in NAMED if CASES[name].uncontrolled} == {"x32_abi"}  # the kernel must know the calls
    assert set(CASES) >= SHORT_CONTROLS
    known = {jail for case in CASES.values() for jail in case.leaks or ()}
    assert "all layers" not in known
