"""The search: its front, what was tried, what it cost, and how to repeat it."""

from __future__ import annotations

import math
import platform
from dataclasses import replace
from typing import Any

from sldagent import __version__
from sldagent.archive.records import CandidateRow
from sldagent.evolution.search import STOP_WORDS
from sldagent.report.build import source_formula
from sldagent.report.figures import front_plot, progress_plot
from sldagent.report.page.blocks import Block, Code, Folded, Mono, Pairs, Paragraph, Picture, Section, grid
from sldagent.report.page.command import (
    changed,
    discover_command,
    replay_command,
    report_command,
    without_option,
)
from sldagent.report.page.evidence import Evidence
from sldagent.report.tables import number

OPERATORS = 12
"""Operators shown at first."""
EXAMPLE = 160
"""Characters of a failure's example."""


def front(evidence: Evidence) -> Section | None:
    """X against C."""
    by_k = {r.k: r for r in evidence.candidates}
    records = evidence.status.front
    on_front = [by_k[c.k] for c in records if c.k in by_k]
    shortlist = [by_k[law.record.k] for law in evidence.shortlist if law.record.k in by_k]
    if not any(r.valid and math.isfinite(r.x) for r in evidence.candidates):
        return None
    names = dict(evidence.names)
    if not names:
        names = {law.record.structure: "" for law in evidence.published}
    plot = front_plot(evidence.candidates, on_front, shortlist, names, "Extrapolation error against complexity")
    plot = replace(plot, alt="Extrapolation error X of all laws against complexity C, with the Pareto front and the choice")
    chosen = evidence.choice.record.k if evidence.choice else None
    rows = [
        ("choice" if c.k == chosen else "", Mono(f"{evidence.run.run}-{c.k}"), number(c.evaluation.complexity),
         number(c.evaluation.x), number(c.evaluation.x_se, 2), number(c.evaluation.mdl), Mono(source_formula(c)))
        for c in records
    ]  # fmt: skip
    columns = ["", "law", "C", "X", "± se", "MDL", "formula"]
    text = "Every law tried, by how well it extrapolates and how complex it is; no law below the line is known."
    return Section("front", "The front", (Picture("front", plot, text), grid(columns, rows, columns[2:6])))


def tried(evidence: Evidence) -> Section:
    """Candidates by operator, failure, island and model."""
    run = evidence.run
    choice = evidence.choice.record.k if evidence.choice else None
    plot = progress_plot(evidence.candidates, "The search", choice)
    plot = replace(plot, alt="Extrapolation error X of every candidate in the order tried, and the lowest so far")
    blocks: list[Block] = [Picture("progress", plot)]
    columns = ["operator", "children", "failures", "better than all parents", "best X"]
    rows = [tuple("-" if v is None else v for v in row) for row in evidence.queries["operators"][1]]
    blocks += [Paragraph("By operator:"), grid(columns, rows[:OPERATORS], columns[1:])]
    if len(rows) > OPERATORS:
        rest = grid(columns, rows[OPERATORS:], columns[1:])
        blocks.append(Folded(f"{len(rows) - OPERATORS} more operators and combinations", (rest,)))
    failures = evidence.queries["failures"][1]
    if failures:
        shown = [(str(r[0]), r[1], f"{run.run}-{r[2]}", _short(str(r[3] or ""))) for r in failures]
        columns = ["reason", "candidates", "first", "example"]
        blocks += [Paragraph("Not used, by reason:"), grid(columns, shown, ["candidates"])]
    models = evidence.queries["models"][1]
    if models:
        columns = ["model", "operator", "asked", "programs", "promises", "kept", "tokens", "US$"]
        blocks += [Paragraph("By language model:"), grid(columns, [tuple(_money(r)) for r in models], columns[2:])]
    blocks.append(Folded("By island", (_islands(evidence),)))
    if evidence.references:
        shown_files = [
            (Mono(r.name), number(r.x, 3), r.failure.reason if r.failure else "", _short(r.translation))
            for r in evidence.references
        ]
        columns = ["program", "X", "failure", "not translated because"]
        blocks += [Paragraph("Programs that the run was given:"), grid(columns, shown_files, ["X"])]
    return Section("tried", "What was tried", tuple(blocks))


def _money(row: tuple[Any, ...]) -> list[Any]:
    *front_columns, usd = row
    return [*("-" if v is None else v for v in front_columns), "unknown" if usd is None else f"{usd:.4f}"]


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= EXAMPLE else line[: EXAMPLE - 3] + "..."


def _islands(evidence: Evidence) -> Block:
    islands: dict[int, list[CandidateRow]] = {}
    for r in evidence.candidates:
        islands.setdefault(r.island, []).append(r)
    biases = list(evidence.run.config.get("biases") or ())
    rows = []
    for n, members in sorted(islands.items()):
        usable = [r.x for r in members if r.valid and not r.failure and math.isfinite(r.x)]
        bias = biases[n % len(biases)] if biases else ""
        rows.append((n, bias or "none", len(members), len(usable), number(min(usable)) if usable else "-"))
    columns = ["island", "favours", "candidates", "valid", "best X"]
    return grid(columns, rows, ["island", *columns[2:]])


def cost(evidence: Evidence) -> Section:
    """Time, candidates and money."""
    run, failed = evidence.run, sum(bool(r.failure) for r in evidence.candidates)
    words: dict[str, str] = {str(reason): sentence for reason, sentence in STOP_WORDS.items()}
    stopped = words.get(str(run.extra.get("stopped_by")), "")
    items: list[tuple[str, Any]] = [
        ("State", evidence.status.sentence + (f" ({stopped})" if stopped and run.status == "complete" else "")),
        ("Begun (UTC)", run.started.strftime("%Y-%m-%d %H:%M:%S")),
        ("Ended (UTC)", run.finished.strftime("%Y-%m-%d %H:%M:%S") if run.finished else "not yet"),
        ("Search time", f"{run.seconds:.0f} s"),
        ("Candidates", f"{len(evidence.candidates)}, {failed} of them not used"),
    ]
    for s in evidence.status.sessions:
        items.append((f"Session {s.n}", f"{s.pool}; {s.seconds:.0f} s; {s.outcome or 'at work'}"))
    asked = bool(run.config.get("llm"))
    spent = evidence.spent
    if asked:
        usd = "an unknown amount" if spent.usd is None else f"US$ {spent.usd:.4f}"
        items.append(("Language models", f"{spent.calls} calls, {spent.tokens} tokens, {usd}"))
        if evidence.refused:
            items.append(("Calls in vain", str(evidence.refused)))
        limits = {"budget_usd": "US$ {:g}", "max_calls": "{} calls", "max_tokens": "{} tokens"}
        given = [form.format(run.config[name]) for name, form in limits.items() if run.config.get(name) is not None]
        items.append(("Budget", ", ".join(given) or "no limit"))
    else:
        items.append(("Language models", "none were asked"))
    return Section("cost", "What it cost", (Pairs(tuple(items)),))


def reproduce(evidence: Evidence) -> Section:
    """Exact command, seed, version and the table's digest."""
    run, origin = evidence.run, evidence.origin
    sessions = evidence.status.sessions
    versions = ", ".join(dict.fromkeys(s.version for s in sessions)) or "unknown (an older release)"
    pairs = Pairs(
        (
            ("Run", Mono(run.run)),
            ("Seed", str(run.seed)),
            ("sldagent", f"{versions}; this page by {__version__}, Python {platform.python_version()}"),
            ("Table's SHA-256", Mono("unknown" if origin is None else origin.digest)),
            ("Archive", Mono(evidence.place)),
        )
    )
    blocks: list[Block] = [pairs]
    if origin is None:
        blocks.append(Paragraph("The run was begun by an older release, which did not note its command."))
    elif not origin.source:
        blocks.append(Paragraph("The run was started in Python on a data frame; with the same frame and roles:"))
        roles = "".join(f", {name}={value!r}" for name, value in _python_roles(origin.roles).items())
        blocks.append(Code(f"sldagent.discover(frame{roles}, candidates={len(evidence.candidates)}, seed={run.seed})"))
    else:
        blocks.append(Paragraph("The same candidates again:"))
        blocks.append(Code(discover_command(run, origin, len(evidence.candidates))))
    extra = without_option(run.config)
    if extra:
        said = ", ".join(f"{name} = {value}" for name, value in extra.items())
        blocks.append(Paragraph(f"Set in Python, beyond the command line's options: {said}."))
    if run.config.get("llm"):
        blocks.append(Paragraph("Models answer anew each time. The recorded answers give the same run again, offline:"))
        blocks.append(Code(replay_command(run, evidence.place)))
    if evidence.seeds or evidence.references:
        text = "The run was also given programs to begin with (--seed-program), which the archive holds."
        blocks.append(Paragraph(text))
    blocks += [Paragraph("This page again:"), Code(report_command(run, evidence.place))]
    settings = grid(["setting", "value"], [(Mono(k), str(v)) for k, v in sorted(run.config.items())])
    blocks.append(Folded(f"All settings ({len(changed(run.config))} changed from their defaults)", (settings,)))
    return Section("reproduce", "How to reproduce", tuple(blocks))


def _python_roles(roles: Any) -> dict[str, Any]:
    return {("target" if name == "targets" else name): value for name, value in roles.items()}

