"""The question: what is predicted from what, on which rows, and how laws are judged."""

from __future__ import annotations

from typing import Any

from sldagent.report.page.blocks import Block, Folded, Mono, Pairs, Paragraph, Section, grid
from sldagent.report.page.evidence import Evidence
from sldagent.report.tables import number, ratio

SHOWN_GROUPS = 12


def question(evidence: Evidence) -> Section:
    """The data and the cuts."""
    card = evidence.run.card
    blocks: list[Block] = []
    if card.get("description"):
        blocks.append(Paragraph(str(card["description"])))
    if evidence.absent:
        blocks.append(
            Paragraph(f"{evidence.absent} So there are no fits, residuals and intervals of parameters here.", strong=True)
        )
    blocks.append(_columns(card))
    blocks.append(_rows(evidence, card))
    blocks += _cuts(evidence)
    notes = [str(n) for n in card.get("notes") or ()]
    if notes:
        blocks.append(Folded("Guessed when the table was read", tuple(Paragraph(n) for n in notes)))
    return Section("data", "Question and data", tuple(blocks))


def target_names(card: Any) -> tuple[str, ...]:
    """Columns that are predicted."""
    return tuple(str(t["name"]) for t in card["targets"])


def _columns(card: Any) -> Block:
    rows: list[tuple[Any, ...]] = []
    for v in card["variables"]:
        span = f"{number(v['min'])} to {number(v['max'])}"
        role = v["role"] + (" (a logarithm)" if v["log"] else "")
        rows.append((Mono(v["symbol"]), v["name"], role, v.get("unit") or "", span, v.get("description") or ""))
    for t in card["targets"]:
        span = _allowed(*t["range"])
        rows.append(("", t["name"], "target", t.get("unit") or "", span, t.get("description") or ""))
    return grid(["in laws", "column", "role", "unit", "training rows", "meaning"], rows)


def _allowed(low: float | None, high: float | None) -> str:
    """What a law may predict, in words."""
    if low is None and high is None:
        return "a law may predict any value"
    if high is None:
        return f"a law may predict {number(low)} or more"
    if low is None:
        return f"a law may predict {number(high)} or less"
    return f"a law may predict {number(low)} to {number(high)}"


def _rows(evidence: Evidence, card: Any) -> Block:
    run, counts = evidence.run, dict(card.get("rows") or {})
    items: list[tuple[str, Any]] = [("Table", Mono(str(card.get("source") or "a data frame")))]
    used = counts.pop("train", 0)
    kept = ", ".join(f"{n} rows '{split}'" for split, n in counts.items())
    items.append(("Rows", f"{used} for training" + (f"; kept out of the search: {kept}" if kept else "")))
    groups = [str(g) for g in card.get("groups") or ()]
    if len(groups) > 1:
        some = ", ".join(groups[:SHOWN_GROUPS]) + (", ..." if len(groups) > SHOWN_GROUPS else "")
        column = card.get("group_column")
        items.append(("Groups", f"{len(groups)} of column '{column}' (one form, constants for each): {some}"))
    for name, members in (card.get("vectors") or {}).items():
        items.append((f"Vector {name}", ", ".join(members)))
    kind = card.get("noise", {}).get("kind", "constant")
    column = card.get("noise", {}).get("column")
    items.append(("Noise", f"by column '{column}'" if column else kind))
    where = "predictions are wanted where the table of inputs says"
    if run.mode != "targeted":
        where = "the search was not told where predictions are wanted"
    items.append(("Mode", f"{run.mode}: {where}"))
    return Pairs(tuple(items))


def _cuts(evidence: Evidence) -> list[Block]:
    """How laws are judged, and the cuts that judge them."""
    text = (
        "A law is judged by how it extrapolates: on every cut the rows of larger scale are held out, its constants are "
        "fitted to the smaller ones, and X is the mean logarithm of the squared error on the rows held out, in units of the "
        "target's spread (lower is better; X = -4.6 is an error of a tenth of the spread)."
    )
    grounds = evidence.grounds
    if grounds is None:
        return [Paragraph(text)]
    rows = [
        (c.name, int(c.kept.sum()), int(c.held.sum()), ratio(c.reach) if c.extrapolates else "inside")
        for c in grounds.cuts
    ]
    columns = ["cut", "rows kept", "rows held out", "reach beyond"]
    return [Paragraph(text), grid(columns, rows, columns[1:])]

