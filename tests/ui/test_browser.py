"""The pages in a real browser: headless Chromium, driven by playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requirements
from ui_tools import PATIENCE, Served, begin, candidate, serve

from sldagent.archive.store import Archive

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.requires("chromium", "ui")

PAGES = (
    "/", "/run/small", "/run/small/islands", "/run/small/operators", "/run/small/cost",
    "/run/small/failures?reason=duplicate", "/run/small/log", "/run/small/law/3", "/run/small/law/4",
    "/compare", "/compare?law=small-3&law=small-2", "/sql", "/sql?name=front&run=small", "/nothing",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, requirements.BROWSERS)))
    arguments = ["--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def file(archive_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive that tests add runs to."""
    return Path(shutil.copy(archive_file, tmp_path_factory.mktemp("browser") / "a.db"))


@pytest.fixture(scope="module")
def served(file: Path) -> Iterator[Served]:
    served = serve("--archive", file, "--port", 0)
    yield served
    code, err = served.end()
    assert (code, err) == (0, "")


@dataclass
class Watched:
    """A page, with what it said and asked for."""

    page: Page
    said: list[str] = field(default_factory=list)
    """Errors and warnings on the console."""
    asked: list[str] = field(default_factory=list)
    """Addresses of all requests."""


@pytest.fixture
def watch(browser: Browser) -> Iterator[Any]:
    """``watch(width=1280)``: a page of that width, in pixels."""
    contexts = []

    def make(width: int = 1280, **options: Any) -> Watched:
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        watched = Watched(context.new_page())
        watched.page.set_default_timeout(1000 * PATIENCE)
        watched.page.on("console", lambda m: watched.said.append(m.text) if m.type in ("error", "warning") else None)
        watched.page.on("pageerror", lambda error: watched.said.append(str(error)))
        watched.page.on("request", lambda request: watched.asked.append(request.url))
        return watched

    yield make
    for context in contexts:
        context.close()


@pytest.mark.parametrize("width", [1280, 400])
def test_pages_load_in_silence_and_fit_the_window(width: int, served: Served, watch: Any) -> None:
    watched = watch(width)
    for path in PAGES:
        answer = watched.page.goto(served.address + path)
        watched.page.wait_for_load_state("networkidle")
        if path == "/nothing":
            assert answer.status == 404
            assert len(watched.said) == 1  # the browser's own word for that
            watched.said.clear()
        assert watched.said == [], path
        assert watched.page.evaluate("document.documentElement.scrollWidth") <= width, path
    outside = [url for url in watched.asked if not url.startswith((served.address + "/", "data:"))]
    assert outside == []


def test_a_point_of_the_front_shows_its_law(served: Served, watch: Any) -> None:
    page = watch().page
    page.goto(f"{served.address}/run/small")
    point = page.locator("#front .point.choice")
    number = point.get_attribute("data-k")
    point.click()
    page.wait_for_url(f"**/run/small/law/{number}")
    assert page.locator("h1").inner_text().startswith(f"Law {number}")
    assert page.locator("#formula math").count() >= 1
    drawing = page.locator("#fit img").first
    drawing.evaluate("image => image.decode()")
    assert page.locator("#lineage svg .box.self").count() == 1


def test_a_models_prompt_and_answer_can_be_read(served: Served, watch: Any) -> None:
    page = watch().page
    page.goto(f"{served.address}/run/small/law/3")
    assert page.locator("#talk details[open] pre").last.is_visible()
    prompt = page.locator("#talk details:not([open])").first
    assert not prompt.locator("pre").is_visible()
    prompt.locator("summary").click()
    assert page.locator("#talk pre").first.is_visible()


def test_a_page_follows_its_run(file: Path, served: Served, watch: Any) -> None:
    watched = watch()
    page = watched.page
    with Archive.open(str(file)) as archive:
        run = begin(archive, "live-000001")
        page.goto(f"{served.address}/run/{run}")
        assert page.get_by_text("No valid law yet.").is_visible()
        archive.commit(run, [candidate(0, -1.0, 9.0)])
        page.locator('#front [data-k="0"]').wait_for()
        page.locator('input[value="live-000001-0"]').check()
        archive.commit(run, [candidate(1, -2.0, 11.0, parents=(0,))])
        page.locator('#front [data-k="1"]').wait_for()
        assert page.locator('input[value="live-000001-0"]').is_checked()  # what the reader did stays
        page.locator('input[value="live-000001-1"]').check()
        assert page.get_by_role("button", name="Compare the two marked laws").is_enabled()
        archive.finish_run(
            run, status="complete", choice=1, shortlist=[1, 0], reason="so", candidates=2, failures=0, seconds=1.0
        )
        page.locator("h1 .state.complete").wait_for()
        page.locator('#front .point.choice[data-k="1"]').wait_for()
    assert watched.said == []


def test_pages_work_without_scripts(served: Served, watch: Any) -> None:
    page = watch(java_script_enabled=False).page
    page.goto(served.address)
    page.get_by_role("link", name="small", exact=True).click()
    page.locator("#front .point").first.wait_for()
    page.locator("#laws input").nth(0).check()
    page.locator("#laws input").nth(1).check()
    page.get_by_role("button", name="Compare the two marked laws").click()
    page.get_by_text("paired standard error").wait_for()
    page.get_by_role("link", name="SQL", exact=True).click()
    page.get_by_label("Query").fill("SELECT 6 * 7 AS answer")
    page.get_by_role("button", name="Ask").click()
    assert page.locator("#answer td").inner_text() == "42"


def test_the_sql_form_reads_and_refuses_to_write(file: Path, served: Served, watch: Any) -> None:
    page = watch().page
    page.goto(f"{served.address}/sql")
    page.get_by_label(":run").fill("small")
    page.get_by_role("button", name="Ask").click()
    page.locator("#answer tbody tr").first.wait_for()
    assert page.locator("#answer tbody tr").count() > 1
    page.get_by_label("Query").fill("DELETE FROM run")
    page.get_by_role("button", name="Ask").click()
    page.locator("#answer [role=alert]").wait_for()
    assert "only reading is possible" in page.locator("#answer [role=alert]").inner_text()
    with Archive.open(str(file), read_only=True) as archive:
        assert archive.run("small").candidates == 7


def test_the_token_is_asked_for_once(file: Path, watch: Any) -> None:
    token = "a-token-for-this-test"
    served = serve("--archive", file, "--port", 0, "--token", token)
    try:
        page = watch().page
        assert page.goto(f"{served.address}/run/small").status == 401
        page.get_by_label("Token").fill(token)
        page.get_by_role("button", name="Open").click()
        page.get_by_role("heading", name="Runs").wait_for()
        assert token not in page.url
        assert page.goto(f"{served.address}/run/small").status == 200
        assert page.evaluate("document.cookie") == ""
    finally:
        code, _ = served.end()
    assert code == 0
