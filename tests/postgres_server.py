"""A PostgreSQL server of the tests' own: made in a temporary folder, reached by a Unix socket, removed at the end.

`initdb` refuses to run as root, so as root everything here runs as `postgres` or `nobody`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

START_SECONDS = 120.0
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",  # outlives the death of the server, though not of the machine
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_connections": "60",
    "timezone": "UTC",
}


def bin_folder() -> Path | None:
    """Folder of `initdb` and `postgres`: on PATH, as pg_config says, or in Debian's layout (newest version)."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    config = shutil.which("pg_config")
    folders = []
    if config:
        told = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False)
        folders.append(Path(told.stdout.strip()))
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    folders += sorted(versions, key=lambda path: int(path.parent.name.split(".")[0]), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


def missing() -> str:
    """Why no server can be started here, or ''."""
    if bin_folder() is None:
        return "PostgreSQL is not installed (no initdb on PATH, by pg_config or in /usr/lib/postgresql)"
    if os.geteuid() == 0 and _other_user() is None:
        return "initdb refuses root, and there is no user 'postgres' or 'nobody' to run it as"
    return ""


def _other_user() -> pwd.struct_passwd | None:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


KEEPER = """
exec 3<&0
"$@" < /dev/null 3<&- & server=$!
(read nothing; kill -INT $server 2> /dev/null) <&3 &
wait $server
code=$?
kill $! 2> /dev/null
exit $code
"""
"""Runs the server and ends it when the tests' end of the pipe closes, however the tests end."""


class PostgresServer:
    """One cluster; `start` and `kill` may alternate.

    Attributes:
        durable: keep the server's own settings for flushing, as a user's server has them (for timings).
    """

    def __init__(self, *, durable: bool = False, options: dict[str, str] | None = None) -> None:
        folder = bin_folder()
        assert folder is not None
        self._bin = folder
        self._settings = {**SETTINGS, **(options or {})}
        if durable:
            for name in ("fsync", "full_page_writes"):
                del self._settings[name]
        user = _other_user() if os.geteuid() == 0 else None
        self._as: dict[str, Any] = {"cwd": "/"}
        # A short path: a socket's name may have about a hundred characters.
        self.folder = Path(tempfile.mkdtemp(prefix="sldpg-", dir="/tmp"))
        if user is not None:
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self._as |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        self._data = self.folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        options = ["-U", "sldagent", "-A", "trust", "-E", "UTF8", "--no-locale", "-N"]
        command = [self._bin / "initdb", "-D", self._data, *options]
        made = subprocess.run(command, capture_output=True, text=True, check=False, **self._as)
        if made.returncode:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise RuntimeError(f"initdb failed: {made.stderr}")

    def url(self, database: str = "postgres", user: str = "sldagent") -> str:
        return f"postgresql://{user}@/{database}?host={self.folder}"

    def execute(self, sql: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run SQL as the cluster's owner; the rows that it gives, if any."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(sql.encode())
            return [] if cursor.description is None else cursor.fetchall()

    def start(self) -> None:
        """Start the server and wait until it answers."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            self._spawn()
            while self._process is not None and self._process.poll() is None:
                if self._answers():
                    return
                if time.monotonic() > deadline:
                    self.kill()
                    raise RuntimeError(f"PostgreSQL does not answer: {self.log()}")
                time.sleep(0.05)
            # The backends of a server that was killed may still be ending.
            if time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL does not start: {self.log()}")
            time.sleep(0.2)

    def _spawn(self) -> None:
        options = [f"--{name.replace('_', '-')}={value}" for name, value in self._settings.items()]
        options.append(f"--unix-socket-directories={self.folder}")
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["sh", "-c", KEEPER, "keeper", self._bin / "postgres", "-D", self._data, *options],
                stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True, **self._as,
            )  # fmt: skip

    def _answers(self) -> bool:
        command = [self._bin / "pg_isready", "-q", "-h", self.folder, "-d", "postgres", "-U", "sldagent"]
        return subprocess.run(command, check=False, **self._as).returncode == 0

    def log(self) -> str:
        file = self.folder / "log"
        return file.read_text(errors="replace")[-2000:] if file.exists() else ""

    def kill(self) -> None:
        """SIGKILL: no farewell, no flush."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self.stop()

    def stop(self) -> None:
        """End the server and its connections in order."""
        if self._process is None:
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
