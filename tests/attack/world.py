"""What the candidates are after: files, keys, processes and sockets of our own, and whether anybody has been at them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

KEY = "SLDATTACK_API_KEY"
"""The variable with the key in the evaluator's environment."""
_VICTIM = """
import os, sys
held = os.environ["SLDATTACK_VICTIM"].encode()
try:
    file = os.memfd_create("job"); os.write(file, held); os.lseek(file, 0, 0)
except AttributeError:
    pass
print(flush=True)
sys.stdin.read()
"""
_PR_SET_CHILD_SUBREAPER = 36
_OWN = ("unix", "log", "work/result.pkl", "work/frame")
"""Files that the naive evaluators write themselves."""


class World:
    """Canaries of one run; every token is a breach where it turns up.

    Attributes:
        tokens: by what they are the token of.
        y_test: (40,) held-out targets, unpredictable from X; they stand on disk in `words["data"]` too.
    """

    def __init__(self) -> None:
        self.tokens = {name: secrets.token_hex(12) for name in ("home", "name", "data", "memory", "victim", "sibling")}
        self.tokens["key"] = os.environ.setdefault(KEY, secrets.token_hex(12))
        rng = np.random.default_rng(secrets.randbits(64))
        self.X_train, self.X_test = np.geomspace(1.0, 100.0, 30)[:, None], np.geomspace(200.0, 900.0, 40)[:, None]
        self.y_train, self.y_test = 1.0 + 3.0 * self.X_train[:, 0] ** -0.3, rng.normal(size=40)
        self.mark = f"sldattack-{secrets.token_hex(6)}"
        self.root = Path(tempfile.mkdtemp(prefix="sldattack-world-"))
        self.memory = ctypes.create_string_buffer(self.tokens["memory"].encode())
        self.hits = 0
        self._last, self._heard, self._counting = secrets.token_bytes(8), threading.Event(), threading.Lock()
        self._build()
        self._listeners = self._listen()
        self.victim = subprocess.Popen(
            [sys.executable, "-S", "-c", _VICTIM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "SLDATTACK_VICTIM": self.tokens["victim"]},
        )
        assert self.victim.stdout is not None
        self.victim.stdout.readline()
        self._before = self._snapshot()

    def _build(self) -> None:
        """Lay out the files, each open to everybody."""
        for name in ("home/.ssh", "home/data", "open", "lib", "work"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        texts = {
            "home/.ssh/id_rsa": self.tokens["home"],
            f"home/notes-{self.tokens['name']}": "x",
            "home/data/test.csv": f"# {self.tokens['data']}\n" + "\n".join(repr(float(v)) for v in self.y_test),
            "open/victim": "untouched",
            "lib/measured.py": "VALUE = 1\n",
        }
        for name, text in texts.items():
            (self.root / name).write_text(text)
        for path in [self.root, *self.root.rglob("*")]:
            path.chmod(0o777 if path.is_dir() else 0o666)

    def _listen(self) -> list[socket.socket]:
        tcp, udp = socket.socket(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        unix, abstract = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        tcp.bind(("127.0.0.1", 0))
        udp.bind(("127.0.0.1", 0))
        unix.bind(str(self.root / "unix"))
        (self.root / "unix").chmod(0o777)
        abstract.bind("\0" + self.mark)
        for listener in (tcp, unix, abstract):
            listener.listen()
        for listener in (tcp, udp, unix, abstract):
            threading.Thread(target=self._hear, args=(listener,), daemon=True).start()
        return [tcp, udp, unix, abstract]

    def _hear(self, listener: socket.socket) -> None:
        while True:
            try:
                caller = None
                said = listener.recv(100) if listener.type == socket.SOCK_DGRAM else b""
                if listener.type != socket.SOCK_DGRAM:
                    caller = listener.accept()[0]
            except OSError:
                return
            if said == self._last:
                self._heard.set()
                continue
            with self._counting:
                self.hits += 1
            if caller is not None:
                caller.close()

    def _hear_out(self) -> int:
        """Calls since the last time, once all have been heard: one of our own comes after them at every listener."""
        for listener in self._listeners:
            with socket.socket(listener.family, listener.type) as caller:
                caller.settimeout(300.0)
                if listener.type == socket.SOCK_DGRAM:
                    self._heard.clear()
                    caller.sendto(self._last, listener.getsockname())
                    self._heard.wait(300.0)
                else:
                    caller.connect(listener.getsockname())
                    caller.recv(1)  # the end: it has been counted
        with self._counting:
            hits, self.hits = self.hits, 0
        return hits - sum(listener.type != socket.SOCK_DGRAM for listener in self._listeners)

    @property
    def words(self) -> dict[str, Any]:
        """What every candidate is told, to make its work easy; `pid`, `address` and `sibling` depend on who runs it."""
        return {
            "length": len(self.tokens["memory"]),
            "victim": self.victim.pid,
            "home": str(self.root / "home"),
            "data": str(self.root / "home/data/test.csv"),
            "folder": str(self.root / "open"),
            "lib": str(self.root / "lib/measured.py"),
            "port": self._listeners[0].getsockname()[1],
            "udp": self._listeners[1].getsockname()[1],
            "unix": str(self.root / "unix"),
            "abstract": self.mark,
            "mark": self.mark,
            "host": os.uname().nodename,
        }

    def leaked(self, text: str) -> list[str]:
        """Names of the tokens in a text."""
        return [f"token of {name}" for name, token in self.tokens.items() if token in text]

    def changes(self) -> list[str]:
        """What has been touched since the last look, after which all is as it was: "file", "net", "process"."""
        found = ["net"] if self._hear_out() else []
        now = self._snapshot()
        if now != self._before:
            found.append("file")
            for path in [*(self.root / "open").iterdir(), *(self.root / "work").iterdir(), *_strays(self.mark)]:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
            self._build()
            self._before = self._snapshot()
        if self.victim.poll() is not None:
            found.append("process")
        return found

    def _snapshot(self) -> dict[str, object]:
        """What can be seen of our files; numpy's own initial file stands for the libraries."""
        paths = [*self.root.rglob("*"), *_strays(self.mark), Path(np.__file__)]
        seen: dict[str, object] = {}
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                state = path.lstat()
                text = path.read_bytes() if path.is_file() and state.st_size < 1 << 16 else b""
                seen[str(path)] = (state.st_mode, state.st_size, state.st_uid, hash(text))
        for name in _OWN:
            seen.pop(str(self.root / name), None)
        return seen

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for listener in self._listeners:
            listener.close()
        self.victim.kill()
        self.victim.communicate()
        for path in _strays(self.mark):
            path.unlink(missing_ok=True)
        shutil.rmtree(self.root, ignore_errors=True)


def _strays(mark: str) -> list[Path]:
    return [path for folder in ("/tmp", "/dev/shm", "/var/tmp") for path in Path(folder).glob(f"*{mark}*")]


def adopt_orphans() -> None:
    """From now on whatever outlives its parent below us becomes our child, so that it can be found."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants() -> set[int]:
    """Processes below this one that are alive."""
    below: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                words = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if words[0] != "Z":
                below.setdefault(int(words[1]), []).append(int(entry))
    found, queue = set[int](), [os.getpid()]
    while queue:
        children = below.get(queue.pop(), [])
        found.update(children)
        queue += children
    return found


def end(processes: set[int]) -> None:
    """Kill survivors, and bury those that have become our children."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process, signal.SIGKILL)
    for process in processes:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(process, 0)
