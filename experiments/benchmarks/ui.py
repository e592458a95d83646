"""How fast the page on an archive of a hundred thousand candidates is, and how much memory it takes.

    python experiments/benchmarks/ui.py [--candidates N] [--folder DIR]

Builds the archive of `archive.py` (one run of N candidates that still runs, 200 small ones) and starts `sldagent ui` on it.
Of every page it prints the wall time of the first request and the median of the later ones, beside the processor time of
the server: other work on the machine adds to the former, hardly to the latter.  An update is a page asked for again after
64 further candidates were committed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from sqlalchemy import insert

from archive import BIG, build, made
from sldagent.archive import models, write
from sldagent.archive.engine import make_engine, parse_address, writing
from sldagent.archive.store import utc_now

BATCH, UPDATES = 64, 9
PAGES = ("/", f"/run/{BIG}", f"/run/{BIG}/operators", f"/run/{BIG}/islands", f"/run/{BIG}/cost", f"/run/{BIG}/failures")


class Server:
    """`sldagent ui` in a process of its own."""

    def __init__(self, url: str) -> None:
        command = [sys.executable, "-m", "sldagent", "ui", "--archive", url, "--port", "0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.address = next(word for word in self.process.stdout.readline().split() if word.startswith("http")).rstrip("/")

    def cpu(self) -> float:
        """Processor time so far, in milliseconds."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return 1000.0 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> tuple[float, float]:
        """Resident memory now and at its highest, in MB."""
        lines = dict(line.split(":", 1) for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines())
        return float(lines["VmRSS"].split()[0]) / 1024, float(lines["VmHWM"].split()[0]) / 1024

    def get(self, path: str, tag: str = "") -> tuple[int, str]:
        """Status and entity tag of an answer."""
        request = urllib.request.Request(self.address + path, headers={"If-None-Match": tag} if tag else {})
        try:
            with urllib.request.urlopen(request) as answer:
                answer.read()
                return answer.status, answer.headers.get("ETag", "")
        except urllib.error.HTTPError as error:
            return error.code, ""

    def timed(self, path: str, tag: str = "") -> tuple[float, float]:
        """Milliseconds of wall and of processor time that an answer takes."""
        cpu, wall = self.cpu(), time.perf_counter()
        self.get(path, tag)
        return 1000.0 * (time.perf_counter() - wall), self.cpu() - cpu


@contextlib.contextmanager
def serving(url: str) -> Iterator[Server]:
    server = Server(url)
    try:
        yield server
    finally:
        server.process.send_signal(signal.SIGINT)
        server.process.wait()


def grow(url: str, first: int) -> None:
    """Commit a batch to the big run, as its coordinator would."""
    rng = np.random.default_rng(first)
    engine = make_engine(parse_address(url), read_only=False)
    with writing(engine) as connection:
        write.commit(connection, BIG, [made(k, rng) for k in range(first, first + BATCH)], 4, utc_now())
        connection.execute(
            insert(models.Event),
            {"run": BIG, "n": first, "created": utc_now(), "kind": "bench", "message": f"{BATCH} more", "data": {}},
        )
    engine.dispose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help="where the archive goes (default: a temporary folder)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        url = f"sqlite:///{folder}/archive.db"
        print(f"built {args.candidates:,} candidates in {build(url, args.candidates):.0f} s", flush=True)
        line = "  {:<34} first {:7.0f} ms ({:5.0f} of the server's own), then {:6.0f} ms ({:4.0f})"
        for path in PAGES:
            with serving(url) as server:  # each page is the first one of its server
                first = server.timed(path)
                later = [server.timed(path) for _ in range(UPDATES)]
                print(line.format(path, *first, *map(statistics.median, zip(*later, strict=True))), flush=True)
        with serving(url) as server:
            total = args.candidates
            tags = {path: server.get(path)[1] for path in PAGES}
            print("  memory after every page once: {:.0f} MB, at most {:.0f} MB".format(*server.memory()))
            for path in PAGES[1:]:
                found = []
                for _ in range(UPDATES):
                    grow(url, total)
                    total += BATCH
                    found.append(server.timed(path, tags[path]))
                same = server.timed(path, server.get(path)[1])
                walls, owns = zip(*found, strict=True)
                print(
                    f"  {path:<34} update {statistics.median(walls):6.0f} ms ({statistics.median(owns):4.0f}), fastest "
                    f"{min(walls):4.0f} ms; unchanged {same[0]:4.0f} ms", flush=True,
                )  # fmt: skip
            server.get(f"/run/{BIG}/law/{args.candidates - 1}")
            server.get(f"/compare?law={BIG}-1&law={BIG}-2")
            print("  memory after a law and a comparison too: {:.0f} MB, at most {:.0f} MB".format(*server.memory()))


if __name__ == "__main__":
    main()
