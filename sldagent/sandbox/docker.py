"""The jail inside a container without network, rights or a writable file system: an outer layer.

One container per jail holds a broker with the same guest as elsewhere; its kernel's container profile usually refuses
namespaces, so that inside it Landlock and the filter of system calls are in force.  Jobs go in by standard input, answers
come out by standard output, and these are checked as if the guest had sent them.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from sldagent import __version__
from sldagent.errors import JailUnavailable
from sldagent.sandbox import stream
from sldagent.sandbox.checks import check
from sldagent.sandbox.text import clean, clean_message
from sldagent.sandbox.types import LAYERS, Answer, JailFailure, Job, Layers, Limits, Profile

IMAGE = f"sldagent-jail:{__version__}"
_PATIENCE = 30.0
"""Seconds beyond a call's wall limit before the container counts as stuck."""

_START_SECONDS = 180.0
_names = itertools.count()


def command(profile: Profile, modules: Sequence[str], limits: Limits, parallel: int, name: str) -> list[str]:
    """How to start the container."""
    memory = parallel * limits.memory(profile) + (2 << 30)
    return [
        "docker",
        "run",
        "--rm",
        "--interactive",
        "--name",
        name,
        "--pull",
        "never",
        "--network",
        "none",
        "--read-only",
        "--cap-drop",
        "ALL",
        "--security-opt",
        "no-new-privileges",
        "--pids-limit",
        str(64 * (parallel + 1)),
        "--memory",
        str(memory),
        "--memory-swap",
        str(memory),
        "--cpus",
        str(parallel),
        "--user",
        "65534:65534",
        "--ipc",
        "none",
        "--log-driver",
        "none",
        IMAGE,
        profile,
        str(parallel),
        *modules,
    ]


class DockerJail:
    """Calls into one container.

    Args:
        start: command line of the container; None: Docker's.

    Raises:
        JailUnavailable: no Docker, no image, or the guest does not start in it.
    """

    def __init__(
        self, profile: Profile, modules: Sequence[str], limits: Limits, parallel: int, start: Sequence[str] | None = None
    ) -> None:
        self._name = f"sldagent-jail-{os.getpid()}-{next(_names)}"
        if start is None and shutil.which("docker") is None:
            raise JailUnavailable("mode 'docker' needs the program 'docker': install it, or use mode 'auto'.")
        self._command = list(start) if start is not None else command(profile, modules, limits, parallel, self._name)
        self._docker = start is None
        self._lock = threading.Lock()
        self._waiting: dict[int, queue.SimpleQueue[Answer | None]] = {}
        self._numbers = itertools.count(1)
        self._gone = threading.Event()
        self._closed = False
        self.failed_imports: Mapping[str, str] = {}
        self.layers = self._open()

    def _open(self) -> Layers:
        self._gone = threading.Event()
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
        guard = threading.Timer(_START_SECONDS, self._process.kill)
        guard.start()
        assert self._process.stdout is not None
        try:
            hello, _ = stream.read(self._process.stdout)
        except stream.StreamEnd:
            self._end()
            raise JailUnavailable(
                f"the container of the image '{IMAGE}' does not start: is the Docker engine running, and was the image "
                f"built (docker build -t {IMAGE} -f docker/jail.Dockerfile .)?"
            ) from None
        finally:
            guard.cancel()
        if "layers" not in hello:
            self._end()
            raise JailUnavailable(clean_message(str(hello.get("broken", "the container's guest does not start"))))
        threading.Thread(target=self._listen, args=(self._process, self._gone), daemon=True).start()
        self.failed_imports = {str(n): clean_message(str(why)) for n, why in dict(hello["failed_imports"]).items()}
        inner = hello["layers"]
        active = {*map(str, inner["active"]), "docker"}
        missing = {str(name): clean_message(str(why)) for name, why in dict(inner["missing"]).items()}
        return Layers(tuple(name for name in LAYERS if name in active), missing, "docker", "docker")

    def _listen(self, process: subprocess.Popen[bytes], gone: threading.Event) -> None:
        """Hand answers to the calls that wait for them, until the container ends."""
        assert process.stdout is not None
        with contextlib.suppress(stream.StreamEnd, OSError, ValueError):
            while True:
                header, body = stream.read(process.stdout)
                waiting = self._waiting.get(header["call"]) if isinstance(header.get("call"), int) else None
                if waiting is not None:
                    waiting.put(stream.answer_from(header, body))
        gone.set()
        for waiting in list(self._waiting.values()):
            waiting.put(None)

    def call(self, job: Job, limits: Limits) -> Answer:
        from sldagent.sandbox.jail import payload_of

        payload = b"".join(payload_of(job))
        if len(payload) > limits.payload_bytes:
            size = f"the job has {len(payload)} bytes; {limits.payload_bytes} are allowed"
            return Answer(failure=JailFailure("too-large", size))
        answers: queue.SimpleQueue[Answer | None] = queue.SimpleQueue()
        number = next(self._numbers)
        self._waiting[number] = answers
        try:
            self._send(number, limits, payload)
            answer = answers.get(timeout=limits.wall_seconds + _PATIENCE)
        except queue.Empty:
            self._end()
            answer = None
        except (OSError, JailUnavailable) as error:
            return Answer(failure=JailFailure("jail", clean_message(f"the container is lost: {error}")))
        finally:
            del self._waiting[number]
        if answer is None:
            return Answer(failure=JailFailure("jail", "the container ended or did not answer"))
        return _checked(job, limits, answer)

    def _send(self, number: int, limits: Limits, payload: bytes) -> None:
        with self._lock:
            if self._closed:
                raise JailUnavailable("the jail is closed.")
            if self._gone.is_set():
                self._end()
                self.layers = self._open()
            assert self._process.stdin is not None
            stream.write(self._process.stdin, {"call": number, "limits": asdict(limits)}, payload)

    def _end(self) -> None:
        for pipe in (self._process.stdin,):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            self._process.wait(2.0)
        except subprocess.TimeoutExpired:
            if self._docker:
                subprocess.run(["docker", "kill", self._name], capture_output=True, check=False, timeout=30)
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._end()


def _checked(job: Job, limits: Limits, answer: Answer) -> Answer:
    """`answer` with its text made harmless and its arrays checked."""
    log = clean(answer.log, limits.log_bytes + 100)
    if answer.failure is not None:
        failure = JailFailure(answer.failure.kind, clean_message(answer.failure.message))
        return replace(answer, arrays={}, values={}, log=log, failure=failure)
    wrong = check(job, answer.arrays)
    if wrong is not None:
        return replace(answer, arrays={}, values={}, log=log, failure=wrong)
    return replace(answer, log=log)
