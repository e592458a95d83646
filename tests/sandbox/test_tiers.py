"""The layers: what each tier has in force, what it holds, and that too little is refused."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from sldagent.errors import JailUnavailable
from sldagent.sandbox import Answer, Jail, Job, Layers, Limits, guest
from sldagent.sandbox.escapes import ESCAPES, bait
from tests.sandbox.conftest import start
from tests.sandbox.helpers import POWER_LAW, ROWS, SHORT, body

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="layers of Linux")
TIERS = {
    "all": (),
    "without namespaces": ("namespaces",),
    "without Landlock": ("landlock",),
    "neither": ("namespaces", "landlock"),
}


def tried(jail: Jail) -> list[str]:
    """Escapes that succeed."""
    with bait() as what:
        jobs = {e.name: (Job(e.code(what), "fit", ROWS), e.jailed) for e in ESCAPES}
        return [name for name, (job, limits) in jobs.items() if "BREACH" in jail.call(job, limits).log]


@LINUX
@pytest.mark.parametrize("tier", TIERS)
def test_every_tier_holds_and_fits(tier: str, jail: Jail) -> None:
    with contextlib.nullcontext(jail) if tier == "all" else start(without=TIERS[tier]) as jail:
        active = set(jail.layers.active)
        assert jail.layers.safe and {"process", "rlimits", "seccomp", "capabilities", "no-executable-memory"} <= active
        assert ("landlock" in active) == ("landlock" not in TIERS[tier])
        assert ("no-open" in active) == (tier == "neither")
        assert ("uid" in active) == (os.geteuid() == 0)
        if "namespaces" in TIERS[tier]:
            assert "pid-namespace" in jail.layers.missing
        answer = jail.call(Job(POWER_LAW, "fit", ROWS), SHORT)
        assert answer.failure is None
        np.testing.assert_allclose(answer.arrays["params/0"], [1.0, 3.0, 0.3], rtol=1e-6)
        assert tried(jail) == []


def test_the_escapes_work_where_there_is_no_jail(open_jail: Jail) -> None:
    """The positive control of the test above, but for the two limits that every call has."""
    assert not open_jail.layers.safe and "NOT ISOLATED" in open_jail.layers.describe()
    assert set(tried(open_jail)) >= {e.name for e in ESCAPES} - {"memory", "wall-time"}


@LINUX
def test_without_seccomp_it_refuses() -> None:
    with pytest.raises(JailUnavailable, match="doctor"):
        Jail(without=["seccomp"])


@LINUX
@pytest.mark.parametrize("mode", ["auto", "no-namespaces"])
def test_as_an_ordinary_user(ordinary_user: Callable[[str], subprocess.CompletedProcess[str]], mode: str) -> None:
    text = f"""
import json, os
from sldagent.sandbox import Jail, Job
from tests.sandbox.helpers import POWER_LAW, ROWS
from tests.sandbox.test_tiers import tried
with Jail(mode={mode!r}) as jail:
    answer = jail.call(Job(POWER_LAW, "fit", ROWS))
    print(json.dumps([os.geteuid(), jail.layers.as_json(), answer.arrays["params/0"].tolist(), tried(jail)]))
"""
    done = ordinary_user(text)
    assert done.returncode == 0, done.stderr
    user, layers, parameters, breaches = json.loads(done.stdout)
    assert user != 0 and layers["safe"] and "uid" not in layers["active"]
    np.testing.assert_allclose(parameters, [1.0, 3.0, 0.3], rtol=1e-6)
    assert breaches == []


@LINUX
def test_a_jail_that_cannot_be_closed_ends_before_it_reads_the_job() -> None:
    """A ruleset that is no ruleset: the call must end with its own code, the job unread."""
    text = f"""
import os, sys
sys.path.insert(0, {str(guest.folder())!r})
import child, lockdown, seccomp, syscalls
job = os.memfd_create("job"); os.write(job, b"never read"); os.lseek(job, 0, 0)
log, log_end = os.pipe(); result, result_end = os.pipe(); wrong = os.open(os.devnull, os.O_RDONLY)
calls = seccomp.build(seccomp.Rules(True, False, False), syscalls.machine())
plan = lockdown.Plan(1 << 40, calls, wrong, None, True, True)
process = os.fork()
if process == 0:
    child.run(plan, (job, log_end, result_end), 1 << 28, 10)
os.close(log_end); os.close(result_end)
code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
print(code, os.lseek(job, 0, 1), os.read(result, 10), os.read(log, 100).decode())
"""
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True, timeout=600)
    code, place, result, *log = done.stdout.split()
    assert (code, place, result) == ("77", "0", "b''")
    assert " ".join(log).startswith("lockdown failed: OSError") and "landlock_restrict_self" in done.stdout


def test_the_environment_is_fixed(open_jail: Jail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "secret")
    assert "SOME_API_KEY" not in guest.environment()
    log = open_jail.call(Job(body("print(sorted(os.environ))\nreturn [1.0]"), "fit", ROWS), SHORT).log
    extra = set(json.loads(log.replace("'", '"'))) - set(guest.environment())
    assert extra <= {"LC_CTYPE", "KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK"}  # libraries set these themselves


@LINUX
def test_installed_packages_that_are_not_asked_for_are_out_of_reach(jail: Jail) -> None:
    """A wheel's tables lie beside numpy in site-packages: they are not part of the jail."""
    place = os.path.dirname(pytest.__file__)
    for text in (f"os.listdir({place!r})", f"open({os.path.join(place, '__init__.py')!r})"):
        answer = jail.call(Job(body(text), "fit", ROWS), SHORT)
        assert answer.failure is not None and "Error" in answer.failure.message


@LINUX
def test_packages_asked_for_can_be_imported(jail: Jail) -> None:
    pytest.importorskip("sklearn")
    code = body(
        "from sklearn.linear_model import LinearRegression\nreturn LinearRegression().fit(data_points, loss_values).coef_"
    )
    with start(modules=["sklearn.linear_model"]) as made:
        assert made.failed_imports == {}
        assert set(made.layers.active) == set(jail.layers.active)
        answer = made.call(Job(code, "fit", ROWS), SHORT)
        assert answer.failure is None, answer.failure
        assert answer.arrays["params/0"].shape == (1,)


@LINUX
def test_a_thread_of_a_library_is_named(jail: Jail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs the namespaces, which a process of several threads cannot enter."""
    if "pid-namespace" not in jail.layers.active:
        pytest.skip("this host has no namespaces")
    (tmp_path / "busy_thread.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(1e6,), daemon=True).start()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with start(modules=["busy_thread"]) as made:
        assert made.layers.safe and "pid-namespace" not in made.layers.active
        assert "a library has started a thread" in made.layers.missing["pid-namespace"]
        assert made.call(Job(POWER_LAW, "fit", ROWS), SHORT).failure is None


@LINUX
@pytest.mark.parametrize("mode", ["auto", "unsafe-local"])
def test_memory_that_a_library_shares_does_not_join_calls(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a jail it does: the positive control."""
    (tmp_path / "shares_memory.py").write_text("import mmap\npage = mmap.mmap(-1, mmap.PAGESIZE)\npage[0] = 7\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    text = "import shares_memory\nfound = shares_memory.page[0]\nshares_memory.page[0] = 9\nreturn [float(found)]"
    with start(modules=["shares_memory"], mode=mode) as made:
        found = [made.call(Job(body(text), "fit", ROWS), SHORT).arrays["params/0"].tolist() for _ in range(2)]
    assert found == [[7.0], [7.0 if mode == "auto" else 9.0]]


@LINUX
def test_reading_a_file_leaves_no_time_for_the_next_call(
    jail: Jail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a private file system, which is read-only: else the time of the last reading would be a message."""
    if "mount-namespace" not in jail.layers.active:
        pytest.skip("this host has no private file systems")
    (tmp_path / "has_a_file").mkdir()
    (tmp_path / "has_a_file" / "__init__.py").write_text("")
    file = tmp_path / "has_a_file" / "read.txt"
    file.write_text("x")
    monkeypatch.syspath_prepend(str(tmp_path))
    os.utime(file, (1e9, 1.1e9))
    with start(modules=["has_a_file"]) as made:
        answer = made.call(Job(body(f"return [float(len(open({str(file)!r}).read()))]"), "fit", ROWS), SHORT)
    assert answer.failure is None, answer.failure
    assert answer.arrays["params/0"].tolist() == [1.0]
    assert file.stat().st_atime == 1e9
    file.read_text()
    if file.stat().st_atime == 1e9:
        pytest.skip("this file system keeps no times of reading")


@LINUX
def test_the_jax_profile(jail: Jail) -> None:
    pytest.importorskip("jax")
    code = body("import jax, jax.numpy as jnp\nreturn jax.jit(jax.grad(lambda p: jnp.sum(p ** 2)))(jnp.array([1.0, 2.0]))")
    with start(profile="jax") as made:
        assert made.layers.safe and "no-executable-memory" in made.layers.missing
        assert {*made.layers.active, "no-executable-memory"} == set(jail.layers.active)
        answers = at_once(made, code, 4)
        assert [a.failure for a in answers] == [None] * 4
        assert [a.arrays["params/0"].tolist() for a in answers] == [[2.0, 4.0]] * 4
        assert tried(made) == ["machine-code"]


def at_once(jail: Jail, code: str, calls: int) -> list[Answer]:
    """Answers of the same call made by several threads."""
    with ThreadPoolExecutor(calls) as pool:
        jobs = [pool.submit(jail.call, Job(code, "fit", ROWS)) for _ in range(calls)]
        return [job.result() for job in jobs]


COUNT_THREADS = """
import resource, threading
started = 0
try:
    while started < 1000:
        threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
        started += 1
except RuntimeError:
    pass
return [started, *resource.getrlimit(resource.RLIMIT_NPROC), len(os.sched_getaffinity(0))]"""


@LINUX
@pytest.mark.parametrize("mode", ["auto", "no-namespaces"])
def test_threads_of_jax_are_capped(mode: str) -> None:
    """To each call's share where it is counted alone; else to that of all calls beyond what its user runs.

    Other processes of the user count as well, so that only the limit is looked at where the zygote is not a user of its own.
    """
    pytest.importorskip("jax")
    with start(profile="jax", mode=mode, parallel=2) as jail:
        limits = Limits(wall_seconds=600.0, memory_bytes=16 << 30)
        answer = jail.call(Job(body(COUNT_THREADS), "fit", ROWS), limits)
        assert answer.failure is None, answer.failure
        started, soft, hard, processors = answer.arrays["params/0"]
        assert 0 < soft == hard and 1 <= processors <= 4
        if "pid-namespace" in jail.layers.active:
            assert started == 64
        elif "uid" in jail.layers.active:
            assert started == 128


@pytest.mark.parametrize(
    ("active", "mode", "safe", "reduced"),
    [
        (("seccomp", "landlock"), "auto", True, False),
        (("seccomp", "mount-namespace"), "auto", True, False),
        (("seccomp", "no-open"), "auto", True, False),
        (("seccomp",), "auto", False, False),
        (("landlock",), "auto", False, False),
        (("landlock", "mount-namespace"), "auto", False, False),
        (("seccomp", "landlock"), "unsafe-local", False, False),
        (("seatbelt",), "auto", True, True),
        (("docker",), "docker", False, False),
        (("docker", "seccomp", "landlock"), "docker", True, False),
    ],
)
def test_what_counts_as_safe(active: tuple[str, ...], mode: str, safe: bool, reduced: bool) -> None:
    layers = Layers(active, {"cgroup": "none"}, mode)  # type: ignore[arg-type]
    assert (layers.safe, layers.reduced) == (safe, reduced)
    assert ("NOT ISOLATED" in layers.describe()) == (not safe)
    assert "cgroup" in layers.describe() and "\n" not in layers.describe()


def test_a_call_has_the_memory_of_its_profile() -> None:
    assert Limits().memory("numpy") == 1 << 30
    assert Limits(wall_seconds=1.0).memory("jax") == 4 << 30  # JAX maps 2.4 GiB before it computes
    assert Limits(memory_bytes=5).memory("jax") == 5
