"""Control groups and macOS, on made-up trees and as text; `doctor`, live."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Self

import pytest

from sldagent.cli.main import main
from sldagent.errors import JailUnavailable
from sldagent.sandbox import Answer, Jail, Job, Layers, Limits, cgroup, macos
from sldagent.sandbox.doctor import Report, examine


def tree(tmp_path: Path, *files: str) -> tuple[Path, Path]:
    """A mounted hierarchy with this process in /user/mine, whose new groups have `files`."""
    proc, mount = tmp_path / "proc", tmp_path / "cg"
    (proc / "self").mkdir(parents=True)
    (proc / "self" / "cgroup").write_text("4:memory:/x\n0::/user/mine\n")
    (mount / "user" / "mine").mkdir(parents=True)
    for folder in (mount / "user", mount / "user" / "mine"):
        (folder / "cgroup.procs").write_text("")
    real = Path.mkdir

    def mkdir(self: Path, *args: object, **kwargs: object) -> None:
        real(self, *args, **kwargs)  # type: ignore[arg-type]
        for name in files:
            (self / name).write_text("max")

    pytest.MonkeyPatch().setattr(Path, "mkdir", mkdir)
    return mount, proc


@pytest.fixture(autouse=True)
def _mkdir(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "mkdir", Path.mkdir)  # undo what `tree` sets


def test_a_delegated_group_caps_the_sum(tmp_path: Path) -> None:
    mount, proc = tree(tmp_path, "memory.max", "pids.max", "cgroup.procs", "memory.swap.max")
    group = cgroup.make(123, 45, (mount,), proc)
    assert isinstance(group, cgroup.Group)
    assert group.caps == ("memory", "pids") and group.path.parent == mount / "user" / "mine"
    assert (group.path / "memory.max").read_text() == "123" and (group.path / "pids.max").read_text() == "45"
    group.add(678)
    assert (group.path / "cgroup.procs").read_text() == "678"


def test_a_group_without_a_memory_cap_is_not_used(tmp_path: Path) -> None:
    mount, proc = tree(tmp_path)
    assert "delegated" in str(cgroup.make(123, 45, (mount,), proc))
    assert sorted(p.name for p in (mount / "user" / "mine").iterdir()) == ["cgroup.procs"]
    assert "no version 2" in str(cgroup.make(1, 1, (mount,), tmp_path / "nowhere"))


def test_the_seatbelt_profile_denies_by_default() -> None:
    text = macos.profile(['/a "b" c\\d', "/lib"])
    assert text.startswith("(version 1)\n(deny default)\n")
    assert text.count("(") == text.count(")")
    assert r'(subpath "/a \"b\" c\\d")' in text and '(subpath "/lib")' in text
    assert "network" not in text and "file-write*" not in text and "process-exec*" not in text
    assert "/Users" not in text.replace(str(Path.home()), "")


def test_doctor_tries_everything(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["doctor", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert code == (0 if report["safe"] else 1)
    if report["layers"] is None:
        pytest.skip(report["verdict"])
    outcomes = {trial["name"]: trial["outcome"] for trial in report["escapes"]}
    assert len(outcomes) >= 12 and set(outcomes.values()) == {"held"}, outcomes
    assert report["safe"] and "safe" in report["verdict"]


def test_doctor_says_when_a_host_is_not_safe(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(**_: object) -> None:
        raise JailUnavailable("no seccomp here.")

    monkeypatch.setattr("sldagent.sandbox.doctor.Jail", refuse)
    report = examine()
    assert not report.safe and "NOT safe" in report.verdict and "no seccomp here" in report.verdict
    assert any("seccomp" in text for text in report.advice) and any("Docker" in text for text in report.advice)
    assert main(["doctor"]) == 1
    assert "NOT safe" in capsys.readouterr().out


class OpenDoor:
    """A jail that claims every layer and holds nothing."""

    layers = Layers(("seccomp", "landlock"), {}, "auto")

    def __init__(self, **_: object) -> None: ...
    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...
    def call(self, job: Job, limits: Limits) -> Answer:
        return Answer(log="BREACH")


class NoDoor(OpenDoor):
    """What is there without a jail."""

    layers = Layers(("process", "rlimits"), {}, "unsafe-local")


def test_a_breach_makes_a_host_unsafe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sldagent.sandbox.doctor.Jail", OpenDoor)
    report = examine()
    assert not report.safe and "got through" in report.verdict


def test_a_host_without_the_interpreter_has_no_jail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sldagent.sandbox.guest.sys.executable", "/nonexistent/python")
    with pytest.raises(JailUnavailable, match="cannot be started"):
        Jail()


def test_the_way_out_of_no_jail_is_another_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sldagent.sandbox.doctor.Jail", NoDoor)
    report = examine("unsafe-local")
    assert not report.safe and "has no jail" in report.verdict
    assert len(report.advice) == 1 and "unsafe-local" in report.advice[0]


def test_the_states_name_every_layer_once() -> None:
    layers = Layers(("process", "seccomp"), {"landlock": "too old", "cgroup": "none"}, "auto")
    states = Report(layers, (), True, "", ()).states()
    assert [(name, state) for name, state, _ in states] == [
        ("process", "in force"),
        ("landlock", "too old"),
        ("seccomp", "in force"),
        ("cgroup", "none"),
    ]
