"""The charts that are redrawn while a run works: front, progress, and a law's ancestry.  Colours are in the style sheet."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from sldagent.archive.tallies import Point, Record
from sldagent.archive.watch import LawLine
from sldagent.ui.svg import Axis, element, group, padded, path, steps
from sldagent.ui.words import figure

if TYPE_CHECKING:
    from sldagent.report.lineage import Ancestor

WIDTH, HEIGHT = 640, 380
LEFT, RIGHT, TOP, BOTTOM = 66, 26, 14, 58
ISLAND_LOOKS = 8
"""Looks of lines in the style sheet (colour and dashes); further islands take them again."""
Link = Callable[[int], str]
"""Address of the law with this index."""


def front_chart(
    front: Sequence[Point], best: Sequence[Point], laws: Mapping[int, LawLine], choice: int | None,
    shortlist: Collection[int], link: Link,
) -> Markup:
    """X against complexity: the front as a staircase of points to click, and the best law of every other complexity.

    The vertical axis holds the front, the choice and the short list; dominated laws above these are left out.
    """
    if not front:
        return Markup("")
    on_front = {p.k for p in front}
    listed = [
        Point(law.complexity, law.x, law.k)
        for k in dict.fromkeys([*shortlist, *([] if choice is None else [choice])])
        if k not in on_front and (law := laws.get(k)) and law.complexity is not None and law.x is not None
    ]
    marked = [*front, *listed]
    low, high = padded((p.x for p in marked), 0.08)
    near = [p for p in best if p.x <= high]
    x = Axis(*padded(p.complexity for p in [*marked, *near]), LEFT, WIDTH - RIGHT)
    y = Axis(low, high, HEIGHT - BOTTOM, TOP)
    known = {p.k for p in marked}
    dots = [_dominated(p, x, y, link) for p in near if p.k not in known]
    line = steps(((x.at(p.complexity), y.at(p.x)) for p in front), float(WIDTH - RIGHT), class_="front-line")
    marks = [_mark(p, x, y, laws.get(p.k), choice, shortlist, link) for p in marked]
    words = f"The Pareto front: {len(front)} laws, from X {figure(front[0].x)} to X {figure(front[-1].x)}"
    return _chart(words, [*frame(x, y, "complexity C", "extrapolation error X"), *dots, line, *marks])


def _dominated(p: Point, x: Axis, y: Axis, link: Link) -> Markup:
    title = element("title", f"law {p.k}: C {p.complexity:g}, X {figure(p.x)}")
    dot = element("circle", title, cx=x.at(p.complexity), cy=y.at(p.x), r=3)
    return element("a", dot, href=link(p.k), class_="dominated", tabindex="-1")


def _mark(
    p: Point, x: Axis, y: Axis, law: LawLine | None, choice: int | None, shortlist: Collection[int], link: Link
) -> Markup:
    at, height = x.at(p.complexity), y.at(p.x)
    role = "choice" if p.k == choice else "listed" if p.k in shortlist else "plain"
    words = {"choice": ", the choice", "listed": ", on the short list", "plain": ""}[role]
    label = f"law {p.k}{words}: C {p.complexity:g}, X {figure(p.x)}"
    title = element("title", label + ("" if law is None else f"\n{law.formula}"))
    if role == "choice":
        shape = element("path", title, d=f"M{at:.1f} {height - 9:.1f}l9 9l-9 9l-9 -9z", class_="mark")
    else:
        shape = element("circle", title, cx=at, cy=height, r=6, class_="mark")
    room = element("circle", cx=at, cy=height, r=13, class_="room")  # more room for fingers
    return element("a", room, shape, href=link(p.k), class_=f"point {role}", aria_label=label, data_k=p.k)


def progress_chart(records: Sequence[Record], candidates: int, link: Link) -> Markup:
    """The lowest X so far, by candidate."""
    if not records:
        return Markup("")
    x = Axis(0.0, max(1.0, float(candidates)), LEFT, WIDTH - RIGHT)
    y = Axis(*padded((r.x for r in records), 0.08), HEIGHT - BOTTOM, TOP)
    places = [(x.at(r.k), y.at(r.x)) for r in records]
    line = steps(places, x.at(candidates), class_="progress-line")
    dots = []
    for r, (at, height) in zip(records, places, strict=True):
        title = element("title", f"law {r.k}: X {figure(r.x)}")
        dot = element("circle", title, cx=at, cy=height, r=4, class_="mark")
        dots.append(element("a", dot, href=link(r.k), class_="point plain", tabindex="-1"))
    words = f"The lowest X fell {len(records)} times, to {figure(records[-1].x)} at candidate {records[-1].k}"
    return _chart(words, [*frame(x, y, "candidates", "lowest X"), line, *dots])


def islands_chart(progress: Mapping[int, Sequence[Record]], candidates: int) -> Markup:
    """The lowest X of each island, by candidate."""
    shown = {island: records for island, records in sorted(progress.items()) if records}
    if not shown:
        return Markup("")
    x = Axis(0.0, max(1.0, float(candidates)), LEFT, WIDTH - RIGHT)
    y = Axis(*padded((r.x for records in shown.values() for r in records), 0.08), HEIGHT - BOTTOM, TOP)
    lines = []
    for island, records in shown.items():
        title = element("title", f"island {island}: X {figure(records[-1].x)} at candidate {records[-1].k}")
        line = steps(((x.at(r.k), y.at(r.x)) for r in records), x.at(candidates))
        lines.append(group([title, line], class_=f"island-line look-{island % ISLAND_LOOKS}"))
    return _chart("The lowest X of each island", [*frame(x, y, "candidates", "lowest X of the island"), *lines])


def swatch(island: int) -> Markup:
    """The look of an island's line."""
    line = path([(1, 5), (27, 5)])
    inside = group([line], class_=f"island-line look-{island % ISLAND_LOOKS}")
    return element("svg", inside, viewBox="0 0 28 10", width="28", height="10", class_="swatch", aria_hidden="true")


def frame(x: Axis, y: Axis, below: str, beside: str) -> list[Markup]:
    """Grid, ticks and labels."""
    parts = []
    for value in y.ticks():
        at = y.at(value)
        parts.append(element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=at, y2=at, class_="grid"))
        parts.append(element("text", figure(value), x=LEFT - 8, y=at, class_="tick", text_anchor="end", dy=".32em"))
    for value in x.ticks():
        label = element("text", _short(value), x=x.at(value), y=HEIGHT - BOTTOM + 20, class_="tick", text_anchor="middle")
        parts.append(label)
    parts.append(element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=HEIGHT - BOTTOM, y2=HEIGHT - BOTTOM, class_="base"))
    middle = 0.5 * (LEFT + WIDTH - RIGHT)
    parts.append(element("text", below, x=middle, y=HEIGHT - 10, class_="label", text_anchor="middle"))
    upright = f"translate(16 {0.5 * (TOP + HEIGHT - BOTTOM):.1f}) rotate(-90)"
    parts.append(element("text", beside, class_="label", text_anchor="middle", transform=upright))
    return parts


def _short(value: float) -> str:
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= 10 * size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _chart(words: str, parts: Iterable[Markup], width: float = WIDTH, height: float = HEIGHT) -> Markup:
    title = element("title", words)
    return element("svg", title, *parts, viewBox=f"0 0 {width:g} {height:g}", class_="chart", role="group", aria_label=words)


# Ancestry -----------------------------------------------------------------------------------------

NODE, ROW, GAP = 118, 74, 14
MOST_BESIDE = 5
"""Ancestors drawn of one generation, best first."""


def lineage_chart(family: Sequence[Ancestor], link: Link) -> Markup:
    """A law above its parents above theirs, joined by lines; of large generations the best."""
    rows: list[list[Ancestor]] = []
    for ancestor in family:
        while len(rows) <= ancestor.generation:
            rows.append([])
        rows[ancestor.generation].append(ancestor)
    rows = [sorted(row, key=lambda a: a.x)[:MOST_BESIDE] for row in rows]
    width = max(len(row) for row in rows) * (NODE + GAP) + GAP
    places = {
        a.law: (0.5 * width + (n - 0.5 * (len(row) - 1)) * (NODE + GAP), 30.0 + ROW * generation)
        for generation, row in enumerate(rows)
        for n, a in enumerate(row)
    }
    lines, boxes = [], []
    for a in (a for row in rows for a in row):
        at, height = places[a.law]
        for parent in a.parents:
            if parent in places:
                px, py = places[parent]
                bend = 0.5 * (height + py)
                curve = f"M{at:.1f} {height + 22:.1f}C{at:.1f} {bend:.1f} {px:.1f} {bend:.1f} {px:.1f} {py - 22:.1f}"
                lines.append(element("path", d=curve, class_="edge"))
        boxes.append(_box(a, at, height, link))
    height = 60.0 + ROW * (len(rows) - 1)
    return element(
        "svg", *lines, *boxes, viewBox=f"0 0 {width:g} {height:g}", class_="tree", role="group", aria_label="Ancestry",
        width=width, height=height,
    )  # fmt: skip


def _box(a: Ancestor, at: float, height: float, link: Link) -> Markup:
    k = int(a.law.rpartition("-")[2])
    shape = element("rect", x=at - 0.5 * NODE, y=height - 22, width=NODE, height=44, rx=6)
    head = element("text", f"law {k}", x=at, y=height - 4, text_anchor="middle", class_="node")
    tail = element("text", f"X {figure(a.x)}", x=at, y=height + 13, text_anchor="middle", class_="tick")
    title = element("title", f"{a.law}: made by {a.operator}\n{a.formula}")
    return element("a", title, shape, head, tail, href=link(k), class_="box" + (" self" if a.generation == 0 else ""))
