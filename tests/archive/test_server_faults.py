"""PostgreSQL that dies: what is waited for, what is kept, and what the user is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from postgres_server import PostgresServer
from sqlalchemy.exc import DBAPIError

from sldagent import session
from sldagent.archive import store
from sldagent.archive.chat import CallRecord, Charge
from sldagent.archive.patience import Patience
from sldagent.archive.records import CandidateRecord, Note
from sldagent.archive.store import Archive
from sldagent.errors import ArchiveError, ArchiveUnavailable
from sldagent.evolution.config import RunConfig
from sldagent.evolution.observer import NullObserver
from sldagent.evolution.state import SearchState
from sldagent.tasks.load import load_task

Start = Callable[..., str]
Make = Callable[..., CandidateRecord]


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def away(first: bool) -> None:
    raise ArchiveUnavailable("away")


def test_patience_waits_longer_and_longer_and_ends() -> None:
    clock, tries = Clock(), []

    def work(first: bool) -> None:
        tries.append((clock.now, first))
        away(first)

    patience = Patience(20.0, clock=clock, sleep=clock.sleep)
    with pytest.raises(ArchiveUnavailable):
        patience.persist(work)
    assert [first for _, first in tries] == [True] + [False] * (len(tries) - 1)
    pauses = [b - a for (a, _), (b, _) in pairwise(tries)]
    assert pauses == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0])
    before = clock.now
    with pytest.raises(ArchiveUnavailable):
        patience.persist(away)
    assert clock.now == before, "having given up, it does not wait again"
    assert patience.persist(lambda first: first) is True


def test_patience_ends_when_told() -> None:
    clock = Clock()
    patience = Patience(1000.0, clock=clock, sleep=clock.sleep)
    patience.give_up_when = lambda: clock.now >= 1.0
    with pytest.raises(ArchiveUnavailable):
        patience.persist(away)
    assert clock.now < 2.0


def test_other_errors_are_not_repeated() -> None:
    tries = []

    def work(first: bool) -> None:
        tries.append(first)
        raise ArchiveError("refused")

    with pytest.raises(ArchiveError, match="refused"):
        Patience(10.0).persist(work)
    assert tries == [True]


@pytest.fixture(scope="module")
def mortal() -> Iterator[PostgresServer]:
    """A server of this module's own, to be killed."""
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def kept(mortal: PostgresServer) -> Iterator[Archive]:
    """An archive on it; its database is dropped afterwards."""
    mortal.execute("CREATE DATABASE kept")
    with Archive.open(mortal.url("kept"), patience=60.0) as archive:
        yield archive
    mortal.execute("DROP DATABASE kept WITH (FORCE)")


def restart_soon(server: PostgresServer) -> threading.Timer:
    timer = threading.Timer(0.5, server.start)
    timer.start()
    return timer


@pytest.mark.requires("postgres")
def test_a_server_that_comes_back_between_writes(mortal: PostgresServer, kept: Archive, start: Start, record: Make) -> None:
    run = start(kept)
    kept.commit(run, [record(0)])
    mortal.kill()
    back = restart_soon(mortal)
    kept.commit(run, [record(1), record(2)])
    kept.commit(run, [], [Note("start", "begun")])
    back.join()
    assert [r.k for r in kept.candidates(run)] == [0, 1, 2]
    assert kept.run(run).candidates == 3


@pytest.mark.requires("postgres")
@pytest.mark.parametrize("answer_lost", [False, True], ids=["before the commit", "after the commit"])
def test_a_server_that_dies_in_the_middle(
    mortal: PostgresServer, kept: Archive, start: Start, record: Make, monkeypatch: pytest.MonkeyPatch, answer_lost: bool
) -> None:
    """Nothing is lost and nothing doubled, whether or not the transaction had been committed."""
    run = start(kept)
    kept.commit(run, [record(0)])
    waiting: list[threading.Timer] = []
    whole = store.writing

    @contextmanager
    def dying(engine: object) -> Iterator[object]:
        if waiting:
            with whole(engine) as connection:  # type: ignore[arg-type]
                yield connection
            return
        with whole(engine) as connection:  # type: ignore[arg-type]
            yield connection
            if not answer_lost:
                mortal.kill()
                waiting.append(restart_soon(mortal))
        mortal.kill()
        waiting.append(restart_soon(mortal))
        raise DBAPIError("", {}, mortal_error(), connection_invalidated=True)

    monkeypatch.setattr(store, "writing", dying)
    kept.commit(run, [record(1), record(2)])
    kept.commit(run, [], [Note("reset", "island 1 was reset")])
    for timer in waiting:
        timer.join()
    assert [r.k for r in kept.candidates(run)] == [0, 1, 2]
    assert kept.run(run).candidates == 3
    assert kept.query("SELECT COUNT(*) FROM event")[1] == [(1,)]


def mortal_error() -> Exception:
    import psycopg

    return psycopg.OperationalError("the connection is lost")


@pytest.mark.requires("postgres")
def test_calls_to_models_survive(mortal: PostgresServer, kept: Archive, start: Start) -> None:
    run, chats = start(kept), kept.chats()
    call = CallRecord(key="a-0", content="a", draw=0, backend="b", model="m", request={"messages": []})
    n = chats.begin(run, call, 10, 0.5)
    mortal.kill()
    back = restart_soon(mortal)
    answered = CallRecord(**{**call.__dict__, "response": {"text": "E"}, "tokens_in": 3, "tokens_out": 4})
    assert chats.answer(run, n, answered, Charge("answered", 7, 0.1, 1.0)).answered
    back.join()
    assert [(a.state, a.tokens) for a in chats.attempts(run)] == [("answered", 7)]


class KillAt(NullObserver):
    """Kills the server at a candidate."""

    def __init__(self, server: PostgresServer, k: int, comes_back: bool) -> None:
        self._server, self._k, self._comes_back = server, k, comes_back
        self.timer: threading.Timer | None = None

    def on_commit(self, state: SearchState, record: CandidateRecord) -> None:
        if record.k == self._k:
            self._server.kill()
            self.timer = restart_soon(self._server) if self._comes_back else None


def rows(archive: Archive, run: str) -> list[tuple[object, ...]]:
    sql = "SELECT k, operator, formula, x, complexity FROM law WHERE run = :run ORDER BY k"
    return archive.query(sql, {"run": run})[1]


@pytest.mark.requires("postgres")
def test_a_discovery_outlives_its_server(mortal: PostgresServer, kept: Archive, tmp_path: Path) -> None:
    """Killed and started again midway: the same archive as without."""
    grounds = session.prepare(load_task("tiny_lm"))
    config = RunConfig(candidates=30, workers=1, emphasis_at=0)
    observer = KillAt(mortal, 10, comes_back=True)
    done = session.run(grounds, config, kept, observer)
    assert observer.timer is not None
    observer.timer.join()
    assert done.summary.status == "complete"
    with Archive.open(f"sqlite:///{tmp_path / 'a.db'}") as plain:
        other = session.run(grounds, config, plain)
        assert rows(kept, done.summary.run) == rows(plain, other.summary.run)
        assert [r.k for r in kept.front(done.summary.run)] == [r.k for r in plain.front(other.summary.run)]


@pytest.mark.requires("postgres")
def test_a_server_gone_for_good_pauses_the_run(mortal: PostgresServer) -> None:
    mortal.execute("CREATE DATABASE gone")
    grounds = session.prepare(load_task("tiny_lm"))
    with Archive.open(mortal.url("gone"), patience=0.5) as archive:
        with pytest.raises(ArchiveUnavailable) as caught:
            session.run(grounds, RunConfig(candidates=60, workers=1), archive, KillAt(mortal, 20, comes_back=False))
        said = str(caught.value)
        assert "cannot be reached" in said
        assert "\n" not in said
        mortal.start()
        (run,) = archive.runs()
        assert f"sldagent resume {run.run}" in said
        assert run.status == "running"
        assert [r.k for r in archive.candidates(run.run)] == list(range(run.candidates))
    mortal.execute("DROP DATABASE gone WITH (FORCE)")


@pytest.mark.requires("postgres")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"database": "nowhere"}, "has no database 'nowhere'; create it"),
        ({"user": "nobody_here"}, "has no role 'nobody_here'; create it"),
    ],
)
def test_wrong_addresses(postgres: PostgresServer, change: dict[str, str], message: str) -> None:
    with pytest.raises(ArchiveError, match=message) as caught:
        Archive.open(postgres.url(**change), timeout=60.0)
    assert "\n" not in str(caught.value)


@pytest.mark.requires("postgres")
def test_a_server_that_is_down_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ArchiveUnavailable, match="cannot be reached"):
        Archive.open(f"postgresql://me@/base?host={tmp_path}", timeout=0.3)
