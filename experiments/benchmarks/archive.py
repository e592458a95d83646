"""How fast an archive of a million candidates answers and takes new ones.

    python experiments/benchmarks/archive.py [--candidates N] [--database sqlite|postgresql|both] [--postgres URL]

Builds a synthetic archive (one run of N candidates that still runs, and 200 small finished ones) inside the database, by
SQL, and prints medians over a few repetitions.  Without --postgres it starts a server of its own, as the tests do, with the
settings of a fresh installation.  Of every query it prints the fastest and the median wall time of 15, and the processor
time of this process (for SQLite that is all there is): other work on the machine adds to the former, hardly to the latter.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from sqlalchemy import Connection, text

from sldagent.archive.engine import make_engine, parse_address, writing
from sldagent.archive.pack import pack
from sldagent.archive.query import named_queries
from sldagent.archive.records import CandidateRecord
from sldagent.archive.store import Archive
from sldagent.evaluation.result import CutScore, Evaluation
from sldagent.report.lineage import ancestry

BIG, SMALL_RUNS, SMALL, CUTS = "big-000000", 200, 100, 8
REPEATS = 15
MOST = 10_000.0
"""Milliseconds after which a question is not asked again."""
CARD = (
    '{"name": "synthetic", "groups": ["all"], "targets": [{"name": "loss", "range": [null, null]}], "variables": [], '
    '"vectors": {}}'
)
SOURCE = """def law(N, E, A, a):
    return E + A * N**-a

parameters = {"E": positive(), "A": positive(), "a": interval(0, 2)}
recipe = fit(loss="squared")
"""
CHUNK = 50_000

NUMBERS = """
WITH RECURSIVE n(k) AS (SELECT CAST(:low AS BIGINT) UNION ALL SELECT k + 1 FROM n WHERE k + 1 < :high),
     h(k, u, c) AS (
         SELECT k, ((k * 1103515245 + 12345) % 2147483648) / 2147483648.0, 5 + ((k * 48271) % 2147483647) % 90 FROM n
     )
"""
STATEMENTS = (
    "INSERT INTO candidate (run, k, island, operator, formula, structure, source, note) " + NUMBERS
    + "SELECT :run, k, k % 4, 'grow', 'E + A*N**-a', :run || '-' || CAST(k AS VARCHAR), :source, '' FROM h",
    "INSERT INTO parentage (run, k, position, parent) " + NUMBERS + "SELECT :run, k, 0, k - 1 - k % 7 FROM h WHERE k > 6",
    "INSERT INTO evaluation (run, k, x, x_se, mdl, complexity, tree, scalars, valid, invalid_reason, train_r2, "
    "rank_deficient, at_bounds, fingerprint, evaluations, seconds, committed, fitted_by, feedback, usable) " + NUMBERS
    + "SELECT :run, k, 3 * u - 0.05 * (CASE WHEN c < 40 THEN c ELSE 40 END), 0.1, 100 * u, c, 9, 3, TRUE, '', 0.99, 0, "
    "'[]', CAST(k AS VARCHAR), 1000, 0.01, "
    "CAST('2026-01-01 00:00:00+00:00' AS {moment}), 'engine', '', u < 0.98 FROM h",
    "INSERT INTO failure (run, k, reason, detail) " + NUMBERS + "SELECT :run, k, 'time', '20 s' FROM h WHERE u >= 0.98",
    "INSERT INTO group_fit (run, k, header, data) " + NUMBERS + "SELECT :run, k, :header, :data FROM h",
    "INSERT INTO cut_score (run, k, position, cut, variable, target, rows, log_mse, kept_log_mse) " + NUMBERS
    + f", p(position) AS (SELECT 0 UNION ALL SELECT position + 1 FROM p WHERE position < {CUTS - 1}) "
    "SELECT :run, k, position, 'N top', 'N', 'loss', 12, u - position, -4.0 FROM h, p",
)  # fmt: skip


def fill(connection: Connection, run: str, count: int, status: str) -> None:
    """One run of `count` candidates."""
    header, data = pack({name: np.ones(1) for name in "EAa"}, np.zeros(200), {})
    moment = "TIMESTAMPTZ" if connection.dialect.name == "postgresql" else "TEXT"
    failures = f"(SELECT COUNT(*) FROM failure WHERE run = '{run}')"
    connection.execute(
        text(
            "INSERT INTO run (run, task, status, mode, seed, started, seconds, candidates, failures, choice, reason, "
            f"config, card, extra) VALUES (:run, 'synthetic', :status, 'blind', 0, CAST(:at AS {moment}), 1.0, :count, 0, "
            ":choice, '', '{}', :card, '{}')"
        ),
        {"run": run, "status": status, "count": count, "card": CARD, "at": "2026-01-01 00:00:00",
         "choice": 0 if status == "complete" else None},
    )  # fmt: skip
    for island in range(4):
        connection.execute(text("INSERT INTO island VALUES (:run, :i, 0.5, '', '{}')"), {"run": run, "i": island})
    for low in range(0, count, CHUNK):
        values = {"run": run, "low": low, "high": min(count, low + CHUNK), "source": SOURCE, "header": header, "data": data}
        for statement in STATEMENTS:
            sql = text(statement.format(moment=moment))
            connection.execute(sql, {name: values[name] for name in values if f":{name}" in statement})
    connection.execute(text(f"UPDATE run SET failures = {failures} WHERE run = '{run}'"))


def build(url: str, candidates: int) -> float:
    """Fill an empty archive; seconds taken."""
    begun = time.perf_counter()
    Archive.open(url).close()
    engine = make_engine(parse_address(url), read_only=False)
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":  # millions of rows without a look-up for each foreign key
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        for number in range(SMALL_RUNS):
            fill(connection, f"small-{number:06d}", SMALL, "complete")
        fill(connection, BIG, candidates, "running")
    with engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("ANALYZE")
    engine.dispose()
    return time.perf_counter() - begun


def timed(work: Callable[[], object]) -> tuple[float, float, float]:
    """Milliseconds of a call: fastest and median wall time, median processor time of this process."""
    walls: list[float] = []
    owns: list[float] = []
    while len(walls) < REPEATS and sum(walls) < MOST:
        wall, own = time.perf_counter(), time.process_time()
        work()
        walls.append(1e3 * (time.perf_counter() - wall))
        owns.append(1e3 * (time.process_time() - own))
    return min(walls), statistics.median(walls), statistics.median(owns)


def made(k: int, rng: np.random.Generator) -> CandidateRecord:
    """A candidate of one group, 8 cuts and 6 parameters, as an evaluation gives it."""
    cuts = tuple(CutScore(f"N top {i}", "N", "loss", 12, float(rng.normal()), -4.0) for i in range(CUTS))
    evaluation = Evaluation(
        x=float(rng.normal()), x_se=0.1, mdl=10.0, complexity=float(5 + k % 60), tree=9, scalars=6, valid=True,
        train_r2=0.99, parameters={name: rng.normal(size=1) for name in "abcdef"}, cuts=cuts, x_boot=rng.normal(size=200),
        fingerprint=f"f{k}", evaluations=1000, seconds=0.01,
    )  # fmt: skip
    return CandidateRecord(k, k % 4, "grow", (max(0, k - 5),) if k else (), SOURCE, "E + A*N**-a", f"{k:040x}", evaluation)


def writes(url: str, count: int = 6400, batch: int = 64) -> tuple[float, float]:
    """Candidates per second, and per second of this process's own time, committed in the batches of a run."""
    rng = np.random.default_rng(0)
    records = [made(k, rng) for k in range(count)]
    with Archive.open(url) as archive:
        run = archive.new_run_id("writes")
        archive.start_run(
            run=run, task="writes", seed=0, config={}, card={}, mode="blind", islands=[{"temperature": 0.5}] * 4
        )
        wall, own = time.perf_counter(), time.process_time()
        for low in range(0, count, batch):
            archive.commit(run, records[low : low + batch])
        return count / (time.perf_counter() - wall), count / (time.process_time() - own)


def figures(url: str, candidates: int, filled: bool = False) -> None:
    kind = url.split(":")[0]
    took = "before" if filled else f"in {build(url, candidates):.0f} s"
    print(f"{kind}: {candidates:,} candidates, built {took}", flush=True)
    law = f"{BIG}-{candidates - 1}"
    named = named_queries()

    def show(archive: Archive) -> None:
        record, candidate = archive.law(law)
        ancestry(archive, record.run, candidate)

    with Archive.open(url, read_only=True) as archive:
        print(f"  front of {len(archive.front(BIG))} laws, {len(archive.runs())} runs")
        measured: dict[str, Callable[[], object]] = {
            "front (as the verb reads it)": lambda: archive.front(BIG),
            "view pareto_front, one run": lambda: archive.query(named["front"].sql, {"run": BIG}),
            "view pareto_front, all runs": lambda: archive.query("SELECT law FROM pareto_front"),
            "show: the rows it reads": lambda: (archive.law(law), archive.ancestry(BIG, candidates - 1, 6)),
            "show: with formulas parsed": lambda: show(archive),
            "runs": archive.runs,
            "runs (named query)": lambda: archive.query(named["runs"].sql),
        }
        for name, work in measured.items():
            line = "  {:<30} {:8.1f} ms fastest, {:8.1f} median, {:8.1f} own processor time"
            print(line.format(name, *timed(work)), flush=True)
    wall, own = writes(url)
    print(f"  writes into it {wall:8.0f} candidates/s, {own:8.0f} per second of own processor time", flush=True)


@contextlib.contextmanager
def own_server() -> Iterator[str]:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
    from postgres_server import PostgresServer

    server = PostgresServer(durable=True, options={"shared_buffers": "128MB"})
    try:
        server.start()
        yield server.url()
    finally:
        server.remove()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=1_000_000)
    parser.add_argument("--postgres", metavar="URL", help="an empty database of a superuser; default: a server of its own")
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--filled", metavar="URL", help="ask only this archive, which holds so many candidates already")
    parser.add_argument("--folder", type=Path, help="where the SQLite file goes (default: a temporary folder)")
    args = parser.parse_args()
    print(subprocess.run(["uname", "-srm"], capture_output=True, text=True, check=True).stdout.strip())
    if args.filled:
        figures(args.filled, args.candidates, filled=True)
        return
    if args.database != "postgresql":
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            figures(f"sqlite:///{folder}/archive.db", args.candidates)
            size = sum(file.stat().st_size for file in Path(folder).iterdir())
            print(f"  {size / 1e9:.2f} GB")
    if args.database != "sqlite":
        with contextlib.nullcontext(args.postgres) if args.postgres else own_server() as url:
            figures(url, args.candidates)


if __name__ == "__main__":
    main()
