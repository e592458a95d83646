"""What a page says, over several kinds of run."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from page_tools import HOSTILE, NAMES, Read, Reported, assert_harmless, small_run

from sldagent.archive.store import Archive
from sldagent.evaluation.result import Evaluation, Failure
from sldagent.fitted import resolve
from sldagent.laws.notation import MATHML
from sldagent.origin import origin_of
from sldagent.tasks.archived import task_card
from sldagent.tasks.load import load_task
from tests.cli.cli_tools import sldagent

CHAPTERS = [
    "data", "law", "front", "extrapolation", "residuals", "cuts", "parameters", "lineage", "tried", "cost", "reproduce",
]  # fmt: skip
ISLANDS = [{"temperature": 0.2, "bias": ""}, {"temperature": 0.9, "bias": ""}]


def test_every_chapter_is_there_and_linked(plain: Reported) -> None:
    read = assert_harmless(plain.html)
    assert [a["id"] for a in read.of("section")] == CHAPTERS
    assert [a["href"] for a in read.of("a")] == [f"#{name}" for name in CHAPTERS]


def test_the_page_says_what_the_archive_knows(plain: Reported) -> None:
    text = Read.page(plain.html).text
    with Archive.open(str(plain.archive), read_only=True) as archive:
        record = archive.run(plain.run)
        law = resolve(plain.run, archive)
        digest = archive.sessions().origin(plain.run)
    assert digest is not None
    assert "32 for training; kept out of the search: 8 rows 'test'" in text
    for words in (plain.run, record.reason, law.law, digest.digest):
        assert words in text
    for name, values in law.parameters.items():
        assert name in text
        assert f"{float(np.ravel(values)[0]):.5g}" in text
    assert f"sldagent discover {plain.table} --target loss --variables N:scale,D:scale" in text
    assert "--seed 3 --candidates 24" in text
    assert MATHML.law(law.program.law) in plain.html


def test_figures_are_inline_and_have_alternative_texts(plain: Reported) -> None:
    pictures = [a for a in Read.page(plain.html).of("svg") if a.get("role") == "img"]
    assert len(pictures) >= 8
    assert len(re.findall(r'role="img"[^>]*>\s*<title>[^<]+</title>', plain.html)) == len(pictures)
    assert 'class="law-choice"' in plain.html
    assert 'class="interval-choice"' in plain.html
    assert 'class="law-published"' in plain.html
    for name in ("front", "along-1", "along-2", "scatter", "residuals", "cuts", "progress"):
        assert f'<figure id="figure-{name}">' in plain.html
    assert len(plain.html) < 2_000_000


def test_scale_variables_have_logarithmic_axes(plain: Reported) -> None:
    along = plain.html.split('<figure id="figure-along-1">')[1].split("</figure>")[0]
    assert len(re.findall(r">10[⁰¹²³⁴⁵⁶⁷⁸⁹]+<", along)) >= 2


def test_rows_of_test_are_not_read(plain: Reported) -> None:
    assert "test rows" not in Read.page(plain.html).text


def test_hostile_names_are_text_and_nothing_else(hostile: Reported) -> None:
    read = assert_harmless(hostile.html)
    for name in (HOSTILE, NAMES[0], NAMES[1]):
        assert name in read.text
    assert "\u202e" not in hostile.html
    assert "\u0007" not in hostile.html


def test_several_targets_and_groups_are_told_apart(hostile: Reported) -> None:
    text = Read.page(hostile.html).text
    assert "target i" in text
    assert "(one form, constants for each)" in text
    assert text.count("z") > 4
    assert '<figure id="figure-scatter">' in hostile.html


@pytest.mark.parametrize("state", ["running", "stopped"])
def test_a_run_without_its_choice_shows_the_best_so_far(plain: Reported, tmp_path: Path, state: str) -> None:
    run = copied(plain, tmp_path / "b.db", 12, state)
    page = tmp_path / "p.html"
    assert sldagent("report", run, "--archive", tmp_path / "b.db", "-o", page).code == 0
    read = assert_harmless(page.read_text(encoding="utf-8"))
    assert "The law, so far" in read.text
    assert "12 candidates tried" in read.text
    assert ("works on it" if state == "running" else "sldagent resume") in read.text
    assert "law-choice" in page.read_text(encoding="utf-8")


def test_a_run_in_which_nothing_could_be_fitted_says_what_was_tried(plain: Reported, tmp_path: Path) -> None:
    run = copied(plain, tmp_path / "b.db", 6, "complete", broken=True)
    page = tmp_path / "p.html"
    assert sldagent("report", run, "--archive", tmp_path / "b.db", "-o", page).code == 0
    read = assert_harmless(page.read_text(encoding="utf-8"))
    assert "No valid law was found among 6 candidates, so none is recommended" in read.text
    assert "non-finite" in read.text
    assert [a["id"] for a in read.of("section")] == ["data", "law", "tried", "cost", "reproduce"]


def test_a_run_that_just_began_is_told_to_wait_for(plain: Reported, tmp_path: Path) -> None:
    run = copied(plain, tmp_path / "b.db", 0, "running")
    ended = sldagent("report", run, "--archive", tmp_path / "b.db", "-o", tmp_path / "p.html")
    assert ended.code == 2
    assert "has no candidate yet" in ended.err
    assert not (tmp_path / "p.html").exists()


def copied(plain: Reported, place: Path, count: int, state: str, *, broken: bool = False) -> str:
    """The first candidates of a run in an archive of their own, the run in another state."""
    with Archive.open(str(plain.archive), read_only=True) as source, Archive.open(str(place)) as target:
        record, origin = source.run(plain.run), source.sessions().origin(plain.run)
        records = list(source.candidates(plain.run))[:count]
        if broken:
            failed = Evaluation(failure=Failure("non-finite", "no start gave finite predictions"))
            records = [type(r)(**{**vars(r), "parents": (), "evaluation": failed}) for r in records]
        target.start_run(
            run="copy-1", task=record.task, seed=record.seed, config=record.config, card=record.card, mode=record.mode,
            islands=ISLANDS, origin=origin,
        )  # fmt: skip
        if records:
            target.commit("copy-1", records)
        if state != "running":
            target.finish_run(
                "copy-1", status=state, choice=None, shortlist=(), reason="", candidates=count,  # type: ignore[arg-type]
                failures=0, seconds=1.0,
            )  # fmt: skip
    return "copy-1"


def test_a_table_that_moved_is_missed_and_can_be_named(plain: Reported, tmp_path: Path) -> None:
    task = load_task(str(plain.table), targets="loss", variables="N:scale,D:scale", group="family", split_column="split")
    gone = tmp_path / "gone.csv"
    gone.write_bytes(plain.table.read_bytes())
    roles = {"targets": "loss", "variables": "N:scale,D:scale", "group": "family", "split_column": "split"}
    archive = tmp_path / "b.db"
    with Archive.open(str(plain.archive), read_only=True) as source, Archive.open(str(archive)) as target:
        record, records = source.run(plain.run), list(source.candidates(plain.run))
        target.start_run(
            run="moved-1", task="runs", seed=3, config=record.config, card=task_card(task), mode="blind",
            islands=ISLANDS, origin=origin_of(task, gone, roles),
        )  # fmt: skip
        target.commit("moved-1", records)
        target.finish_run("moved-1", status="complete", choice=record.choice, shortlist=record.shortlist, reason="best",
                          candidates=24, failures=0, seconds=1.0)  # fmt: skip
    gone.unlink()
    page = tmp_path / "p.html"
    assert sldagent("report", "moved-1", "--archive", archive, "-o", page).code == 0
    text = Read.page(page.read_text(encoding="utf-8")).text
    assert "The run's table is not at hand" in text
    assert 'id="figure-along-1"' not in page.read_text(encoding="utf-8")
    assert sldagent("report", "moved-1", "--archive", archive, "-o", page, "--table", plain.table).code == 0
    assert 'id="figure-along-1"' in page.read_text(encoding="utf-8")
    other = tmp_path / "other.csv"
    other.write_text("".join(plain.table.read_text(encoding="utf-8").splitlines(True)[:-1]), encoding="utf-8")
    ended = sldagent("report", "moved-1", "--archive", archive, "-o", page, "--table", other)
    assert ended.code == 2
    assert "--table" in ended.err


@pytest.mark.requires("postgres")
def test_an_archive_on_postgresql_gives_the_same_page(plain: Reported, tmp_path: Path, database: str) -> None:
    assert sldagent("archive", "copy", plain.archive, database).code == 0
    page = tmp_path / "p.html"
    ended = sldagent("report", plain.run, "--archive", database, "-o", page)
    assert ended.code == 0, ended.err
    again = re.sub(r"<section id=\"reproduce\".*", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert again == re.sub(r"<section id=\"reproduce\".*", "", plain.html, flags=re.DOTALL)


def test_mixtures_and_several_targets_are_shown_as_predictions(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    lines = ["a,b,c,first,second"]
    for a, b, c in rng.dirichlet([2.0, 2.0, 2.0], 40).round(4):
        c = round(1.0 - a - b, 4)
        lines.append(f"{a},{b},{c},{2 + np.exp(-3 * a):.6f},{1 + 0.5 * np.exp(-2 * b):.6f}")
    (tmp_path / "m.csv").write_text("\n".join(lines) + "\n")
    roles = "".join(f'[variables.{s}]\nrole = "proportion"\n' for s in "abc")
    card = tmp_path / "m.toml"
    card.write_text(f'table = "m.csv"\n[vectors]\nr = ["a", "b", "c"]\n{roles}[targets.first]\n[targets.second]\n')
    run = small_run(card, tmp_path / "a.db", candidates=10)
    page = tmp_path / "p.html"
    assert sldagent("report", run, "--archive", tmp_path / "a.db", "-o", page).code == 0
    read = assert_harmless(page.read_text(encoding="utf-8"))
    assert '<figure id="figure-scatter">' in page.read_text(encoding="utf-8")
    assert "no direction in which to look ten times beyond" in read.text
