"""A run's page: title, state, and the chapters in the order in which a reader asks."""

from __future__ import annotations

from sldagent.report.page.blocks import Block, Page, Pairs, Paragraph
from sldagent.report.page.evidence import Evidence
from sldagent.report.page.sections.fit import cuts, extrapolation, residuals
from sldagent.report.page.sections.law import lineage, parameters, the_law
from sldagent.report.page.sections.question import question, target_names
from sldagent.report.page.sections.search import cost, front, reproduce, tried


def page_of(evidence: Evidence) -> Page:
    """The whole page; chapters without anything to say are left out."""
    run = evidence.run
    targets = target_names(run.card)
    named = ", ".join(targets[:3]) + (", ..." if len(targets) > 3 else "")
    chapters = [
        question(evidence),
        the_law(evidence),
        front(evidence),
        extrapolation(evidence),
        residuals(evidence),
        cuts(evidence),
        parameters(evidence),
        lineage(evidence),
        tried(evidence),
        cost(evidence),
        reproduce(evidence),
    ]
    return Page(f"Scaling law of {named} on {run.task}", _lead(evidence), tuple(c for c in chapters if c is not None))


def _lead(evidence: Evidence) -> tuple[Block, ...]:
    run = evidence.run
    day = (run.finished or run.started).strftime("%Y-%m-%d")
    failed = sum(bool(r.failure) for r in evidence.candidates)
    tried_ = f"{len(evidence.candidates)} candidates tried, {failed} of them not used"
    blocks: list[Block] = [Pairs((("Run", run.run), ("State", evidence.status.sentence), ("Search", f"{tried_}; {day}")))]
    if not evidence.chosen and evidence.choice is not None:
        blocks.append(
            Paragraph(
                "The run has not made its choice: what stands here is what the rule of choice says of those so far.",
                strong=True,
            )
        )
    layers = run.extra.get("layers") or {}
    unsafe = evidence.origin is not None and evidence.origin.jail == "unsafe-local"
    if unsafe or (layers and not layers.get("safe", True)):
        blocks.append(Paragraph("Code that programs brought was NOT isolated (--jail unsafe-local).", strong=True))
    return tuple(blocks)
