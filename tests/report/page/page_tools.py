"""Small runs to report on, and a reader of HTML that notices whatever could act or fetch."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from sldagent import session
from sldagent.archive.store import Archive
from sldagent.evaluation.evaluate import Evaluator
from sldagent.evolution.config import RunConfig
from sldagent.origin import origin_of
from sldagent.proposers.base import Proposal
from sldagent.proposers.grammar import GrammarProposer
from sldagent.session import Grounds
from sldagent.tasks.load import load_task
from sldagent.workers.base import WorkerPool
from sldagent.workers.serial import SerialPool
from tests.cli.cli_tools import sldagent

HOSTILE = "</title><script>alert('x')</script>"
"""A name that would run, were it not escaped."""
NAMES = ('"><img src=x onerror=alert(1)>', "$\\frac{a}$ | `b` & <b>", "\u202eright to left\u0007", HOSTILE)


class FewSeeds(GrammarProposer):
    """The grammar, with a generation 0 of eight laws."""

    def seeds(self) -> tuple[Proposal, ...]:
        return tuple(super().seeds())[:8]


def here(place: object, grounds: Grounds, config: RunConfig, jail: object) -> WorkerPool:
    """Evaluation in this process."""
    return SerialPool(partial(Evaluator, grounds.train, grounds.cuts))


def small_run(table: Path, archive: Path, candidates: int = 24, **roles: str) -> str:
    """A discovery that takes a second or two; its run's id."""
    task = load_task(str(table), **roles)
    config = RunConfig(seed=3, islands=2, workers=1, candidates=candidates, look_back=4, population=12, emphasis_at=0)
    with pytest.MonkeyPatch.context() as patch, Archive.open(str(archive)) as store:
        patch.setattr("sldagent.session.GrammarProposer", FewSeeds)
        patch.setattr("sldagent.session.make_pool", here)
        return session.run(session.prepare(task), config, store, origin=origin_of(task, table, dict(roles))).summary.run


def plain_table(path: Path) -> Path:
    """loss over N and D in two families, and rows of test that no report may show."""
    rng = np.random.default_rng(3)
    lines = ["split,family,N,D,loss"]
    for g in range(2):
        for N in 1e5 * 4.0 ** np.arange(5):
            for D in 1e6 * 5.0 ** np.arange(4):
                loss = 1.7 + 0.2 * g + 400 * N**-0.35 + 900 * D**-0.4 + rng.normal(0, 0.002)
                lines.append(f"{'test' if N > 2e7 else 'train'},f{g},{N:.0f},{D:.0f},{loss:.5f}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def hostile_table(path: Path) -> Path:
    """A card and a table whose every name tries to be markup; two targets, two groups."""
    rng = np.random.default_rng(4)
    first, second, group = NAMES[:3]
    lines = ["a,b,g,y,z"]
    for g in (0, 1):
        for N in 1e5 * 4.0 ** np.arange(4):
            for D in 1e6 * 5.0 ** np.arange(4):
                y = 1.7 + 400 * N**-0.35 + 900 * D**-0.4 + rng.normal(0, 0.002)
                lines.append(f"{N:.0f},{D:.0f},{HOSTILE if g else first},{y:.5f},{y * (1.1 + 0.1 * g):.5f}")
    lines[0] = ",".join('"' + name.replace('"', '""') + '"' for name in (first, second, group, "y " + HOSTILE, "z"))
    lines[1:] = [",".join('"' + cell.replace('"', '""') + '"' for cell in line.split(",")) for line in lines[1:]]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    quoted = [name.replace("\\", "\\\\").replace('"', '\\"') for name in NAMES]
    q = [n.replace("\u202e", "\\u202e").replace("\u0007", "\\u0007") for n in quoted]
    card = path.with_suffix(".toml")
    card.write_text(
        f'table = "{path.name}"\ndescription = "{q[3]}"\ngroup = "{q[2]}"\n'
        f'[variables."{q[0]}"]\nrole = "scale"\nunit = "{q[3]}"\n[variables."{q[1]}"]\nrole = "scale"\n'
        f'[targets."y {q[3]}"]\nunit = "{q[1]}"\n[targets.z]\n',
        encoding="utf-8",
    )
    return card


@dataclass(frozen=True)
class Reported:
    """A run, where it is, and its page."""

    run: str
    archive: Path
    table: Path
    html: str


def reported(folder: Path, run: str, archive: Path, table: Path) -> Reported:
    page = folder / "page.html"
    ended = sldagent("report", run, "--archive", archive, "-o", page)
    assert ended.code == 0, ended.err
    return Reported(run, archive, table, page.read_text(encoding="utf-8"))


@dataclass
class Read(HTMLParser):
    """A page as a browser reads it."""

    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    text: str = ""
    titles: int = 0
    """Alternative texts inside figures."""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        self.text += data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]

    @classmethod
    def page(cls, text: str) -> Read:
        read = cls()
        read.feed(text)
        read.close()
        return read


PAGE = {
    "html", "head", "meta", "title", "style", "body", "header", "h1", "h2", "nav", "ol", "ul", "li", "a", "main", "section",
    "p", "pre", "code", "div", "table", "thead", "tbody", "tr", "th", "td", "dl", "dt", "dd", "details", "summary", "figure",
    "figcaption",
}  # fmt: skip
SVG = {"svg", "g", "path", "line", "circle", "rect", "use", "defs", "clippath", "text", "tspan", "image", "polygon"}
MATH = {
    "math", "mrow", "mi", "mo", "mn", "mtext", "mspace", "mfrac", "msup", "msub", "msqrt", "munder",
}  # fmt: skip
ALLOWED = PAGE | SVG | MATH


def assert_harmless(text: str) -> Read:
    """Nothing on the page can act or fetch; the page, read."""
    read = Read.page(text)
    assert {tag for tag, _ in read.tags} <= ALLOWED
    for tag, attrs in read.tags:
        for name, value in attrs.items():
            assert not name.startswith("on"), f"<{tag} {name}>"
            if name in ("href", "src", "xlink:href", "action", "srcset"):
                assert value is not None
                assert value.startswith(("#", "data:image/png;base64,")), f"<{tag} {name}={value!r}>"
            if value and "url(" in value:
                assert value.replace("url(#", "").count("url(") == 0, f"<{tag} {name}={value!r}>"
    style = text.split("<style>", 1)[1].split("</style>", 1)[0]
    assert "@import" not in style
    assert "url(" not in style
    outside = text.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert "://" not in outside.split("<body>", 1)[0]
    ids = [attrs["id"] for _, attrs in read.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    return read
