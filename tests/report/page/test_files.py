"""Files that the verb writes, and what it refuses to write."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest
from page_tools import HOSTILE, Read, Reported

from sldagent.archive.store import Archive
from sldagent.report.page import write
from sldagent.report.page.content import page_of
from sldagent.report.page.evidence import gather
from tests.cli.cli_tools import sldagent

MAGIC = {"png": b"\x89PNG\r\n", "pdf": b"%PDF-", "svg": b"<?xml"}


def test_markdown_says_the_same_with_its_figures_beside_it(plain: Reported, tmp_path: Path) -> None:
    ended = sldagent("report", plain.run, "--archive", plain.archive, "-o", tmp_path / "p.md", "--json")
    assert ended.code == 0, ended.err
    text = (tmp_path / "p.md").read_text(encoding="utf-8")
    linked = re.findall(r"!\[[^\]]+\]\(<([^>]+)>\)", text)
    assert sorted(f.name for f in (tmp_path / "p_figures").iterdir()) == sorted(Path(n).name for n in linked)
    for name in linked:
        assert ET.parse(tmp_path / name).getroot().tag.endswith("svg")
    page = Read.page(plain.html)
    chapters = re.findall(r"^## (.+)$", text, flags=re.MULTILINE)
    assert len(chapters) == len(page.of("section"))
    assert all(chapter in page.text for chapter in chapters)
    assert "$$\n\\mathrm{loss} = " in text
    files = json.loads(ended.out)["files"]
    assert [Path(f["file"]).name for f in files[:1]] == ["p.md"]
    assert len(files) == 1 + len(linked)


def test_markdown_of_hostile_names_has_no_markup_in_it(hostile: Reported, tmp_path: Path) -> None:
    assert sldagent("report", hostile.run, "--archive", hostile.archive, "-o", tmp_path / "p.md").code == 0
    text = (tmp_path / "p.md").read_text(encoding="utf-8")
    outside = re.sub(r"(`+)[^`].*?\1", "", text, flags=re.DOTALL)
    outside = re.sub(r"\(<[^>]*>\)", "", outside)
    assert "<" not in outside
    assert HOSTILE.replace("<", "&lt;").replace(">", "&gt;") in text


def test_single_figures_of_hostile_names_in_every_format(hostile: Reported, tmp_path: Path) -> None:
    with Archive.open(str(hostile.archive), read_only=True) as archive:
        page = page_of(gather(archive, hostile.run))
    few = replace(page, sections=tuple(s for s in page.sections if s.name in ("front", "residuals", "cuts")))
    for form, magic in MAGIC.items():
        files = write.write_figures(few, tmp_path / form, form)
        assert sorted(f.name for f in files) == [f"cuts.{form}", f"front.{form}", f"residuals.{form}"]
        assert sorted((tmp_path / form).iterdir()) == sorted(files)
        for file in files:
            assert file.read_bytes().startswith(magic)


def test_figures_alone_write_no_page(plain: Reported, tmp_path: Path) -> None:
    ended = sldagent("report", plain.run, "--archive", plain.archive, "--figures", tmp_path / "f", "--figure-format", "pdf")
    assert ended.code == 0, ended.err
    assert [p.name for p in tmp_path.iterdir()] == ["f"]
    assert {"front.pdf", "along-1.pdf", "scatter.pdf", "progress.pdf"} <= {p.name for p in (tmp_path / "f").iterdir()}


def test_the_default_name_is_the_run_in_this_folder(
    plain: Reported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = sldagent("report", plain.run[:-2], "--archive", plain.archive)
    assert ended.code == 0, ended.err
    assert (tmp_path / f"{plain.run}.html").read_text(encoding="utf-8") == plain.html


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing-1", "-o", "{folder}/p.html"], "nothing-1"),
        (["{run}", "-o", "{folder}/missing/p.html"], "there is no folder"),
        (["{run}", "-o", "{folder}"], "is a folder"),
        (["{run}", "--figures", "{folder}/missing/f"], "there is no folder"),
        (["{run}", "--figures", "{table}"], "it is a file"),
        (["{run}", "--figure-format", "png"], "add --figures DIR"),
        (["{run}", "--figures", "{folder}/f", "--format", "md"], "add -o FILE"),
        (["{run}", "-o", "{folder}/p.html", "--table", "{folder}/none.csv"], "none.csv"),
        (["{run}", "-o", "/proc/p.html"], "cannot write '/proc/p.html'"),
    ],
)
def test_mistakes_are_one_sentence_and_leave_nothing(
    plain: Reported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    filled = [w.format(run=plain.run, folder=tmp_path, table=plain.table) for w in words]
    ended = sldagent("report", *filled, "--archive", plain.archive)
    assert ended.code == 2
    assert said in ended.err
    assert ended.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_cannot_be_finished_leaves_the_old_one(
    plain: Reported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = write.encoded, []

    def fails_later(figure: object, form: str) -> bytes:
        calls.append(form)
        if len(calls) > 2:
            raise MemoryError
        return real(figure, form)  # type: ignore[arg-type]

    (tmp_path / "p.md").write_text("old", encoding="utf-8")
    monkeypatch.setattr(write, "encoded", fails_later)
    with pytest.raises(MemoryError):
        sldagent("report", plain.run, "--archive", plain.archive, "-o", tmp_path / "p.md")
    assert [p.name for p in tmp_path.iterdir()] == ["p.md"]
    assert (tmp_path / "p.md").read_text(encoding="utf-8") == "old"


def test_a_full_disk_is_one_sentence(plain: Reported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: object, *rest: object, **named: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    ended = sldagent("report", plain.run, "--archive", plain.archive, "--figures", tmp_path / "f")
    assert ended.code == 2
    assert "No space left on device" in ended.err
    assert list(tmp_path.iterdir()) == []
