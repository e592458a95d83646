"""What the pages of one run show, from one look at it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from sldagent.archive.tallies import ModelTally, Tally
from sldagent.archive.watch import LawLine, Picture
from sldagent.report.status import STATES, state_of
from sldagent.ui.charts import front_chart, islands_chart, progress_chart
from sldagent.ui.words import count, dollars, duration

PARTS = {
    "front": "Front",
    "islands": "Islands",
    "operators": "Operators and models",
    "cost": "Cost",
    "failures": "Failures",
    "log": "Log",
}
"""The pages of a run, in order: last part of the address -> heading."""


@dataclass(frozen=True)
class Meter:
    """An amount beside what it may come to."""

    label: str
    spent: str
    limit: str
    """'' without one."""
    share: float
    """Spent over the limit, at most 1."""


@dataclass(frozen=True)
class RunView:
    """One look at a run, with what is derived from it."""

    picture: Picture
    now: datetime

    @property
    def id(self) -> str:
        return self.picture.run.run

    @property
    def state(self) -> str:
        """A key of `sldagent.report.status.STATES`."""
        sessions = self.picture.sessions
        return state_of(self.picture.run, sessions[-1] if sessions else None)

    @property
    def sentence(self) -> str:
        sessions = self.picture.sessions
        last = sessions[-1] if sessions else None
        who = "an older release" if last is None else last.owner.words
        ago = 0.0 if last is None else max(0.0, (self.now - last.beat).total_seconds())
        return STATES[self.state].format(run=self.id, who=who, ago=ago, reason=self.picture.run.reason)

    @property
    def live(self) -> bool:
        """Whether more may come without anybody's doing."""
        return self.state in ("running", "stopping", "silent")

    def link(self, k: int) -> str:
        """Address of one of its laws."""
        return law_path(self.id, k)

    @property
    def total(self) -> Tally:
        return self.picture.tallies.total()

    @property
    def choice(self) -> LawLine | None:
        k = self.picture.run.choice
        return None if k is None else self.picture.laws.get(k)

    @property
    def best(self) -> LawLine | None:
        """The law of lowest X."""
        front = self.picture.front
        return self.picture.laws.get(front[-1].k) if front else None

    @property
    def front(self) -> list[LawLine]:
        """The front's laws, simplest first."""
        return [self.picture.laws[p.k] for p in self.picture.front]

    @property
    def laws(self) -> list[LawLine]:
        """The laws of the front, the short list and the choice, simplest first."""
        return sorted(self.picture.laws.values(), key=lambda law: (law.complexity or 0.0, law.x or 0.0, law.k))

    @property
    def front_svg(self) -> Markup:
        p = self.picture
        return front_chart(p.front, p.best, p.laws, p.run.choice, p.run.shortlist, self.link)

    @property
    def progress_svg(self) -> Markup:
        return progress_chart(self.picture.tallies.records(), self.picture.run.candidates, self.link)

    @property
    def islands_svg(self) -> Markup:
        return islands_chart(self.picture.tallies.progress, self.picture.run.candidates)

    @property
    def operators(self) -> list[tuple[str, Tally]]:
        """Most improvements first."""
        return sorted(
            self.picture.tallies.operators.items(), key=lambda item: (-item[1].improvements, -item[1].children, item[0])
        )

    @property
    def models(self) -> list[tuple[str, str, ModelTally]]:
        """(model, operator, tally)."""
        items = self.picture.tallies.models.items()
        return sorted(((m, o, t) for (m, o), t in items), key=lambda row: (row[0], -row[2].asked, row[1]))

    @property
    def unfit(self) -> int:
        """Candidates that were fitted and may not be chosen."""
        total = self.total
        return total.children - total.failures - total.usable

    @property
    def meters(self) -> list[Meter]:
        """What the run has used of what it may use."""
        run, config = self.picture.run, self.picture.run.config
        calls = sum(s.calls for s in self.picture.spending)
        tokens = sum(s.tokens for s in self.picture.spending)
        usd = sum(s.usd for s in self.picture.spending)
        more = "+" if any(s.unpriced for s in self.picture.spending) else ""
        minutes = config.get("minutes")
        found = [
            _meter("candidates", run.candidates, config.get("candidates"), count),
            _meter("search time", run.seconds, None if minutes is None else 60.0 * minutes, duration),
        ]
        if self.picture.spending or config.get("llm"):
            found += [
                _meter("requests to models", calls, config.get("max_calls"), count),
                _meter("tokens", tokens, config.get("max_tokens"), count),
                replace(_meter("dollars", usd, config.get("budget_usd"), dollars), spent=dollars(usd) + more),
            ]
        return found


def view(picture: Picture) -> RunView:
    """The view of a run at this moment."""
    return RunView(picture, datetime.now(UTC))


def run_path(run: str, part: str = "") -> str:
    """Address of a run's page."""
    return f"/run/{quote(run, safe='')}" + (f"/{part}" if part else "")


def law_path(run: str, k: int) -> str:
    """Address of a law's page."""
    return f"{run_path(run)}/law/{k}"


def _meter(label: str, spent: float, limit: Any, words: Any) -> Meter:
    has = isinstance(limit, (int, float)) and limit > 0
    share = min(1.0, spent / limit) if has else 0.0
    return Meter(label, words(spent), words(limit) if has else "", share)
