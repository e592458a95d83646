"""What the pages say, without a browser."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ui_tools import HOSTILE, begin, broken, candidate

from sldagent.archive.query import named_queries
from sldagent.archive.store import Archive
from sldagent.ui import questions

pytestmark = pytest.mark.requires("ui")
Client = Callable[..., Any]

PARTS = ("islands", "operators", "cost", "failures", "log")


def test_every_page_is_there(archive_file: Path, client_of: Client) -> None:
    client = client_of(archive_file)
    with Archive.open(str(archive_file), read_only=True) as archive:
        run = archive.run("small")
    runs = client.get("/").text
    assert 'href="/run/small"' in runs
    assert "complete" in runs
    front = client.get("/run/small").text
    assert front.count('class="point') >= len(run.shortlist)
    assert f'data-k="{run.choice}"' in front
    for part in PARTS:
        answer = client.get(f"/run/small/{part}")
        assert answer.status_code == 200, part
        assert 'aria-current="page"' in answer.text
    assert "local:scripted" in client.get("/run/small/operators").text
    assert "tokens" in client.get("/run/small/cost").text
    law = client.get("/run/small/law/3").text
    assert "<math" in law
    assert "Prompt and answer" in law
    assert "```python" in law  # the answer as it came
    assert "Ancestry" in law


def test_a_law_is_drawn_on_its_training_rows(archive_file: Path, client_of: Client) -> None:
    client = client_of(archive_file)
    page = client.get("/run/small/law/2").text
    names = re.findall(r'src="/run/small/law/2/([^"]+)"', page)
    assert names == ["fit-D.svg", "fit-N.svg", "scatter.svg", "residuals.svg"]
    for name in names:
        drawing = client.get(f"/run/small/law/2/{name}")
        assert drawing.headers["content-type"].startswith("image/svg+xml")
        assert "sandbox" in drawing.headers["content-security-policy"]
        assert drawing.text.startswith("<svg")
    assert client.get("/run/small/law/2/fit-Q.svg").status_code == 404


def test_rows_that_are_not_at_hand_are_no_error(copied: Path, archive_file: Path, client_of: Client) -> None:
    connection = sqlite3.connect(copied)
    connection.execute("DROP TRIGGER origin_no_update")
    connection.execute("UPDATE origin SET source = '/nowhere/runs.csv'")
    connection.commit()
    connection.close()
    answer = client_of(copied).get("/run/small/law/2")
    assert answer.status_code == 200
    assert "No fit can be drawn" in answer.text
    assert "<math" in answer.text


def test_two_laws_side_by_side(archive_file: Path, client_of: Client) -> None:
    client = client_of(archive_file)
    page = client.get("/compare", params={"law": ["small-1", "small-2"]})
    assert page.status_code == 200
    assert "paired standard error" in page.text
    assert "10x" in page.text
    assert client.get("/compare").status_code == 200
    missing = client.get("/compare", params={"law": ["small-1", "small-999"]})
    assert missing.status_code == 404
    assert "no law small-999" in missing.text


def test_comparing_reads_no_files(archive_file: Path, tmp_path: Path, client_of: Client) -> None:
    secret = tmp_path / "law.json"
    secret.write_text('{"secret": 1}', encoding="utf-8")
    page = client_of(archive_file).get("/compare", params={"law": [str(secret), "small-2"]})
    assert page.status_code == 404
    assert "has no run" in page.text


@pytest.mark.parametrize("path", ["/nothing", "/run/none", "/run/small/nothing", "/run/small/law/999", "/?before=never"])
def test_what_is_not_there_is_a_plain_page(path: str, archive_file: Path, client_of: Client) -> None:
    answer = client_of(archive_file).get(path)
    assert answer.status_code == 404
    assert "Nothing to show" in answer.text


def test_an_id_leads_to_its_page(archive_file: Path, client_of: Client) -> None:
    client = client_of(archive_file)
    assert str(client.get("/go", params={"id": "small"}).url.path) == "/run/small"
    assert str(client.get("/go", params={"id": "small-3"}).url.path) == "/run/small/law/3"
    assert client.get("/go", params={"id": "what"}).status_code == 404


def test_hostile_texts_are_only_text(tmp_path: Path, client_of: Client) -> None:
    file = tmp_path / "a.db"
    with Archive.open(str(file)) as archive:
        run = begin(archive)
        archive.commit(run, [candidate(0, -1.0, 9.0, operator=HOSTILE, formula=HOSTILE, note=HOSTILE), broken(1)])
        client = client_of(file)
        laws = [f"/run/{run}/law/{k}" for k in (0, 1)]
        pages = ["/", f"/run/{run}", *(f"/run/{run}/{part}" for part in PARTS), f"/run/{run}/failures?reason=parse", *laws]
        for path in pages:
            text = client.get(path).text
            assert "&lt;script&gt;" in text, path
            assert "<script>" not in text, path
            assert HOSTILE not in text, path
        for query in ("SELECT formula AS \"<script>\" FROM law", "SELECT <script>"):
            assert "<script>" not in client.post("/sql", data={"sql": query}).text


def test_an_unchanged_page_is_not_sent_again(tmp_path: Path, client_of: Client) -> None:
    file = tmp_path / "a.db"
    with Archive.open(str(file)) as archive:
        run = begin(archive)
        archive.commit(run, [candidate(0, -1.0, 9.0)])
        client = client_of(file)
        first = client.get(f"/run/{run}")
        assert "data-live" in first.text
        tag = {"If-None-Match": first.headers["etag"]}
        again = client.get(f"/run/{run}", headers=tag)
        assert (again.status_code, again.text) == (304, "")
        archive.commit(run, [candidate(1, -2.0, 11.0, parents=(0,))])
        third = client.get(f"/run/{run}", headers=tag)
        assert third.status_code == 200
        assert 'data-k="1"' in third.text
        archive.finish_run(
            run, status="complete", choice=1, shortlist=[1], reason="so", candidates=2, failures=0, seconds=1.0
        )
        assert "data-live" not in client.get(f"/run/{run}").text.split("<main")[0]


def test_runs_come_in_pages(tmp_path: Path, client_of: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sldagent.ui.app.RUNS", 2)
    file = tmp_path / "a.db"
    with Archive.open(str(file)) as archive:
        for n in range(5):
            begin(archive, f"r-{n}")
    client = client_of(file)
    seen, path = [], "/"
    while path:
        text = client.get(path).text
        seen += re.findall(r'href="/run/(r-\d)"', text)
        older = re.search(r'href="(/\?before=[^"]+)"', text)
        path = older[1] if older else ""
    assert seen == [f"r-{n}" for n in (4, 3, 2, 1, 0)]


def test_a_replaced_archive_is_opened_anew(copied: Path, tmp_path: Path, client_of: Client) -> None:
    client = client_of(copied)
    assert client.get("/run/small").status_code == 200
    other = tmp_path / "other.db"
    with Archive.open(str(other)) as archive:
        begin(archive)
    os.replace(other, copied)
    for rest in ("-wal", "-shm"):
        Path(f"{other}{rest}").unlink(missing_ok=True)
    gone = client.get("/run/small")
    assert gone.status_code == 404
    assert "has no run" in gone.text
    copied.unlink()
    missing = client.get("/")
    assert missing.status_code == 404
    assert "there is no archive" in missing.text.lower()


def test_sql_answers_and_changes_nothing(copied: Path, client_of: Client) -> None:
    client = client_of(copied)
    answer = client.post("/sql", data={"sql": "SELECT k, formula FROM law WHERE run = :run AND k = 2", "run": "small"})
    assert answer.status_code == 200
    assert "E + B*D**-b + A*N**-a" in answer.text
    before = copied.read_bytes()
    for sql in ("DELETE FROM run", "UPDATE run SET choice = 1", "DROP TABLE run", "SELECT 1; SELECT 2"):
        refused = client.post("/sql", data={"sql": sql})
        assert refused.status_code == 400, sql
        assert 'role="alert"' in refused.text
    assert copied.read_bytes() == before


def test_sql_keeps_its_limits(archive_file: Path, client_of: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_of(archive_file)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
    many = client.post("/sql", data={"sql": endless}).text
    assert "1,000 of more rows" in many
    assert "larger than" in client.post("/sql", data={"sql": "SELECT zeroblob(100000000)"}).text
    monkeypatch.setattr(questions, "LIMITS", questions.Limits(seconds=0.05, rows=10))
    assert "took longer than" in client.post("/sql", data={"sql": f"SELECT COUNT(*) FROM ({endless})"}).text
    assert client.post("/sql", data={"sql": "x" * 200_000}).status_code == 413


@pytest.mark.parametrize("name", sorted(named_queries()))
def test_named_queries_are_a_click_away(name: str, archive_file: Path, client_of: Client) -> None:
    page = client_of(archive_file).get("/sql", params={"name": name, "run": "small", "law": "small-2"})
    assert page.status_code == 200
    assert "Answer" in page.text


def test_nothing_else_is_taken(archive_file: Path, client_of: Client) -> None:
    client = client_of(archive_file)
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        for path in ("/", "/run/small", "/run/small/law/1", "/compare"):
            assert client.request(method, path).status_code == 405
    before = archive_file.read_bytes()
    client.get("/run/small")
    assert archive_file.read_bytes() == before


def test_an_archive_in_an_unwritable_folder_is_shown(copied: Path, tmp_path: Path, client_of: Client) -> None:
    folder = tmp_path / "closed"
    folder.mkdir()
    shutil.copy(copied, folder / "a.db")
    folder.chmod(0o555)
    try:
        assert client_of(folder / "a.db").get("/run/small").status_code == 200
    finally:
        folder.chmod(0o755)
