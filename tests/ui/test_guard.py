"""Who may see the page, and what its answers allow a browser to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette")

from sldagent.ui.guard import host_of, is_loopback

pytestmark = pytest.mark.requires("ui")
Client = Callable[..., Any]

TOKEN = "a-token-that-is-long-enough"


@pytest.mark.parametrize(
    ("header", "local"),
    [
        ("localhost", True), ("localhost:9000", True), ("127.0.0.1:8765", True), ("127.9.9.9", True), ("[::1]:80", True),
        ("LOCALHOST.", True), ("page.localhost", True), ("evil.example", False), ("127.0.0.1.evil.example", False),
        ("localhost.evil.example", False), ("192.168.0.7:8765", False), ("", False), ("[::1", False), ("0.0.0.0", False),
    ],
)  # fmt: skip
def test_names_of_this_machine(header: str, local: bool) -> None:
    assert is_loopback(host_of(header)) is local


def test_a_name_that_points_here_is_not_enough(archive_file: Path, client_of: Client) -> None:
    client = client_of(archive_file)
    assert client.get("/").status_code == 200
    for host in ("evil.example", "evil.example:8765", "127.0.0.1.evil.example:8765", ""):
        for path in ("/", "/run/small", "/static/ui.js", "/sql"):
            answer = client.get(path, headers={"Host": host})
            assert answer.status_code == 421, (host, path)
            assert "small" not in answer.text


def test_every_answer_is_sealed(archive_file: Path, client_of: Client) -> None:
    client = client_of(archive_file)
    for path in ("/", "/run/small", "/sql", "/nothing", "/static/ui.css", "/run/small/law/2"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["x-frame-options"] == "DENY"
        assert "access-control-allow-origin" not in headers


def test_pages_hold_no_style_or_script_of_their_own(archive_file: Path, client_of: Client) -> None:
    client = client_of(archive_file)
    for path in ("/", "/run/small", "/run/small/operators", "/run/small/law/2", "/compare?law=small-1&law=small-2", "/sql"):
        text = client.get(path).text
        assert " style=" not in text
        assert "<style" not in text
        assert "onclick" not in text
        assert "http://" not in text.replace("http://127.0.0.1", "")
        assert "https://" not in text


def test_without_the_token_there_is_only_a_door(archive_file: Path, client_of: Client) -> None:
    client = client_of(archive_file, local=False, token=TOKEN, host="10.1.2.3:8765")
    for path in ("/", "/run/small", "/sql?name=runs", "/run/small/law/2/residuals.svg"):
        answer = client.get(path)
        assert answer.status_code == 401
        assert "small" not in answer.text
    assert client.post("/sql", data={"sql": "SELECT 1"}).status_code == 401
    for wrong in ("", "no", TOKEN + "x", TOKEN[:-1], "ünïcödé"):
        answer = client.get("/", params={"token": wrong})
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers
    for header in ("", "Bearer", "Bearer no", f"Basic {TOKEN}"):
        assert client.get("/", headers={"Authorization": header}).status_code == 401


def test_the_token_opens_the_page_once_and_a_cookie_from_then_on(archive_file: Path, client_of: Client) -> None:
    client = client_of(archive_file, local=False, token=TOKEN, host="10.1.2.3:8765")
    answer = client.get("/run/small", params={"token": TOKEN, "a": "b&c"})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert TOKEN not in cookie
    assert 'url=/run/small?a=b%26c"' in answer.text
    assert client.get("/run/small").status_code == 200
    client.cookies.clear()
    client.cookies.set("sldagent-ui-8765", TOKEN)
    assert client.get("/run/small").status_code == 401
    client.cookies.clear()
    assert client.get("/run/small", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert client.get("/run/small", headers={"Cookie": "bad@name=;x"}).status_code == 401


def test_the_token_leads_nowhere_else(archive_file: Path, client_of: Client) -> None:
    client = client_of(archive_file, local=False, token=TOKEN, host="10.1.2.3:8765")
    for path in ("//evil.example/", "/%5Cevil.example", "/\\evil.example"):
        text = client.get("http://10.1.2.3:8765" + path, params={"token": TOKEN}).text
        assert "url=//" not in text
        assert "url=/\\" not in text


def test_forms_are_taken_from_this_page_alone(archive_file: Path, client_of: Client) -> None:
    client = client_of(archive_file)
    form = {"sql": "SELECT 1"}
    assert client.post("/sql", data=form, headers={"Origin": "http://127.0.0.1:8765"}).status_code == 200
    assert client.post("/sql", data=form).status_code == 200
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        assert client.post("/sql", data=form, headers=headers).status_code == 403, headers
