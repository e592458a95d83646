"""Docker, as far as it can be told without an engine: the command line, the image's text, and the keeper's stream, live."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sldagent.errors import JailUnavailable
from sldagent.sandbox import Answer, Jail, JailFailure, Job, Limits, stream
from sldagent.sandbox.docker import IMAGE, DockerJail, command
from tests.sandbox.helpers import POWER_LAW, ROWS, SHORT, X, body


@pytest.fixture(scope="module")
def broker(repository: Path) -> Iterator[DockerJail]:
    """The container's keeper, started without a container."""
    start = [
        sys.executable,
        "-P",
        "-c",
        f"import sys; sys.path.insert(0, {str(repository)!r}); "
        "from sldagent.sandbox.broker import main; sys.exit(main(sys.argv[1:]))",
        "numpy",
        "2",
    ]
    try:
        made = DockerJail("numpy", (), Limits(), 2, start)
    except JailUnavailable as error:
        pytest.skip(str(error))
    yield made
    made.close()


def test_the_container_has_no_way_out() -> None:
    line = command("numpy", ("sklearn",), Limits(memory_bytes=1 << 30), 4, "name")
    text = " ".join(line)
    for words in (
        "--network none",
        "--read-only",
        "--cap-drop ALL",
        "--security-opt no-new-privileges",
        "--user 65534:65534",
        "--pull never",
        f"--memory {6 << 30}",
        f"--memory-swap {6 << 30}",
        "--cpus 4",
    ):
        assert words in text
    assert not re.search(r"(^| )(-v|--volume|--mount|--privileged|-e|--env|-p)( |=|$)", text)
    assert line[line.index(IMAGE) :] == [IMAGE, "numpy", "4", "sklearn"]


def test_the_image_holds_what_the_keeper_imports(repository: Path) -> None:
    text = (repository / "docker" / "jail.Dockerfile").read_text()
    copied = [word for line in text.splitlines() if line.startswith("COPY") for word in line.split()[1:-1]]
    for path in copied:
        assert (repository / path).exists(), path
    modules = set()
    for file in (repository / "sldagent" / "sandbox").glob("*.py"):
        modules |= set(re.findall(r"^\s*from (sldagent[.\w]*) import", file.read_text(), re.MULTILINE))
    outside = {name for name in modules if not name.startswith("sldagent.sandbox")}
    shipped = {"sldagent"} | {path.removesuffix(".py").replace("/", ".") for path in copied if path.endswith(".py")}
    assert outside <= shipped
    assert IMAGE.split(":")[1] in text
    assert "USER 65534:65534" in text and 'ENTRYPOINT ["python", "-P", "-m", "sldagent.sandbox.broker"]' in text


def test_jobs_go_through_the_keeper(broker: DockerJail) -> None:
    assert broker.layers.safe and "docker" in broker.layers.active
    fitted = broker.call(Job(POWER_LAW, "fit", ROWS), SHORT)
    assert fitted.failure is None and fitted.log == "fitting 30\n"
    predicted = broker.call(Job(POWER_LAW, "predict", {"X": X, "group": ROWS["group"], **fitted.arrays}), SHORT)
    np.testing.assert_allclose(predicted.arrays["prediction"], ROWS["Y"], rtol=1e-6)
    failed = broker.call(Job(body("while True: pass"), "fit", ROWS), Limits(wall_seconds=0.3))
    assert failed.failure is not None and failed.failure.kind == "wall-time"
    assert broker.call(Job("def f(:", "fit", ROWS), SHORT).failure is not None


def test_a_lost_container_is_started_again(broker: DockerJail) -> None:
    broker._process.kill()
    broker._gone.wait(10.0)
    assert broker.call(Job(POWER_LAW, "fit", ROWS), SHORT).failure is None


@pytest.mark.parametrize(
    "script",
    [
        "",
        "import sys; sys.stdout.write('hello world, no frame'); sys.exit()",
        'import struct, sys; b = b\'{"broken": "no\\\\u001b[31m seccomp"}\'\n'
        "sys.stdout.buffer.write(struct.pack('<IQ', len(b), 0) + b)",
    ],
)
def test_a_container_that_does_not_start(script: str) -> None:
    with pytest.raises(JailUnavailable) as raised:
        DockerJail("numpy", (), Limits(), 1, [sys.executable, "-c", script])
    assert "\x1b" not in str(raised.value)


def test_without_docker_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(JailUnavailable, match="install it"):
        Jail(mode="docker")


def test_answers_survive_the_stream_and_forged_ones_do_not() -> None:
    answer = Answer({"a": np.ones(2)}, {"k": 1}, "log", JailFailure("error", "why"), 1.0, 2.0, 3)
    pipe = io.BytesIO()
    stream.write(pipe, *stream.answer_message(7, answer))
    pipe.seek(0)
    header, content = stream.read(pipe)
    back = stream.answer_from(header, content)
    assert header["call"] == 7 and back.failure == answer.failure and back.arrays["a"].tolist() == [1.0, 1.0]
    for key, value in (("failure", ["nothing", "x"]), ("failure", 3), ("used", [1]), ("used", ["x", 1, 1])):
        with pytest.raises(stream.StreamEnd):
            stream.answer_from({**header, key: value}, content)
    with pytest.raises(stream.StreamEnd):
        stream.answer_from(header, content[:-1])
    for bad in (
        b"",
        b"\x00" * 5,
        b"\xff" * 12,
        b"\x02\x00\x00\x00" + bytes(8) + b"[]",
        b"\x05\x00\x00\x00" + bytes(8) + b"{}",
    ):
        with pytest.raises(stream.StreamEnd):
            stream.read(io.BytesIO(bad))


def test_a_forged_shape_is_refused_on_this_side(broker: DockerJail, monkeypatch: pytest.MonkeyPatch) -> None:
    real = stream.answer_from
    monkeypatch.setattr(
        "sldagent.sandbox.stream.answer_from",
        lambda h, b: Answer({"params/0": np.array([np.inf])}, {}, "\x1b[1mlog", None) or real(h, b),
    )
    answer = broker.call(Job(POWER_LAW, "fit", ROWS), SHORT)
    assert answer.failure is not None and answer.failure.kind == "non-finite" and answer.log == "log"
    assert json.dumps(broker.layers.as_json())
