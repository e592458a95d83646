"""A law's diagnosis as text, one section per concern."""

from __future__ import annotations

import math
from collections.abc import Callable

from sldagent.diagnosis.beyond import Disagreement
from sldagent.diagnosis.study import LawStudy
from sldagent.prompts.card import cut_name
from sldagent.prompts.names import Names
from sldagent.prompts.numbers import clipped, percent, short, signed

Section = Callable[[LawStudy, Names], str]

MAX_LINES = 12


def _target(law: LawStudy, names: Names, target: str) -> str:
    return names.targets[law.study.targets.index(target)]


def _single(law: LawStudy) -> bool:
    return len(law.study.targets) == 1


def cuts(law: LawStudy, names: Names) -> str:
    by_cut: dict[str, list[str]] = {}
    for c in law.cuts:
        label = "" if _single(law) else f"{_target(law, names, c.target)} "
        said = f"{label}error {short(c.error, 2)}, bias {signed(c.bias)}, inside {short(c.inside, 2)}"
        if not _single(law):
            said = f"{label}{short(c.error, 2)}/{signed(c.bias)}"
        by_cut.setdefault(cut_name(names, c.cut, c.variable), []).append(said)
    how = "error, bias and error on the kept rows" if _single(law) else "error/bias"
    lines = [f"- {name}: {', '.join(said)}" for name, said in by_cut.items()]
    head = f"Held-out error by cut ({how}, in SDs; bias is law minus data: + means the law predicts too much):"
    return "\n".join([head, *clipped(lines, MAX_LINES, "cuts")])


def left(law: LawStudy, names: Names) -> str:
    said = [
        f"{_target(law, names, u.target)} {percent(u.left)} (noise or rounding alone: {percent(u.noise)})"
        for u in law.unexplained
    ]
    return "Left to explain, as a share of the variance within groups: " + ", ".join(said)


def regimes(law: LawStudy, names: Names) -> str:
    lines = []
    singles = [r for r in law.regimes if len(r.where) == 1]
    if _single(law):
        by_symbol: dict[str, list[str]] = {}
        for r in singles:
            symbol, name = r.where[0]
            strong = f" (z {short(r.z, 2)})" if abs(r.z) >= 2 else ""
            by_symbol.setdefault(symbol, []).append(f"{name} {signed(r.mean)}{strong}")
        lines += [f"- {names.symbol(s)}: {', '.join(said)}" for s, said in by_symbol.items()]
    corners = [r for r in law.regimes if abs(r.z) >= 2 and (len(r.where) > 1 or not _single(law))]
    corners.sort(key=lambda r: -abs(r.mean))
    for r in corners[: 5 if _single(law) else 10]:
        place = " and ".join(f"{name} {names.symbol(s)}" for s, name in r.where)
        label = "" if _single(law) else f"{_target(law, names, r.target)} at "
        lines.append(f"- {label}{place}: {signed(r.mean)} (z {short(r.z, 2)}, {r.rows} rows)")
    if not lines:
        return ""
    return "\n".join(["Mean residual of the fit to all rows, by third of a variable (law minus data, in SDs):", *lines])


def exponents(law: LawStudy, names: Names) -> str:
    found = list(law.exponents)
    if not found:
        return ""
    if not _single(law) or len(found) > MAX_LINES:
        found = [e for e in found if abs(e.difference) > 2 * e.error]
        found = sorted(found, key=lambda e: -abs(e.difference) / max(e.error, 1e-12))[:8]
    lines = []
    for e in found:
        label = "" if _single(law) else f"{_target(law, names, e.target)}, "
        span = f"{names.symbol(e.symbol)} {short(math.exp(e.low))} to {short(math.exp(e.high))}"
        off = f"data less law {signed(e.difference)} +- {short(e.error, 1)}" if math.isfinite(e.error) else ""
        lines.append(f"- {label}{span}: data {short(e.data)}, law {short(e.law)}; {off}")
    if not lines:
        return "Local exponents of data and law agree within their errors."
    first = law.exponents[0]
    what = f"d ln(y{f' - {short(first.floor)}' if first.floor else ''}) / d ln x" if first.logarithmic else "dy / d ln x"
    return "\n".join([f"Local exponents {what}, others held fixed by regression:", *lines])


def parameters(law: LawStudy, names: Names) -> str:
    card = law.parameters
    lines = []
    for p in card.cards:
        value = short(p.middle) if p.count == 1 else f"median {short(p.middle)}, from {short(p.low)} to {short(p.high)}"
        said = [f"{value} over {p.count} values" if p.count > 1 else value]
        if math.isinf(p.error):
            said.append("NOT DETERMINED by the rows")
        elif not math.isnan(p.error):
            said.append(f"SE {percent(p.error)}")
        if p.shared:
            said.append("shared")
        if p.at_bound:
            said.append("AT ITS BOUND")
        lines.append(f"- {p.name} ({p.kind}): {', '.join(said)}")
    head = "Parameters" + (f" ({card.undetermined} directions are not determined)" if card.undetermined else "") + ":"
    strong = [f"{c.first}~{c.second} {signed(c.value, 3)}" for c in card.correlations[:5]]
    tail = [f"- strong correlations: {', '.join(strong)}"] if strong else []
    return "\n".join([head, *clipped(lines, MAX_LINES, "parameters"), *tail]) if lines else ""


def limits(law: LawStudy, names: Names) -> str:
    lines = []
    for e in law.limits:
        label = "" if _single(law) else f"{_target(law, names, e.target)}, "
        where = "all scale variables together" if e.direction == "all" else f"{names.symbol(e.direction)} alone"
        end = {"levels off": f"levels off at {short(e.far)}"}.get(e.shape, f"{e.shape} ({short(e.far)} at 1e12 times)")
        leaves = f"; LEAVES ITS RANGE {short(e.leaves_range)} decades out" if not math.isnan(e.leaves_range) else ""
        lines.append(
            f"- {label}{where}: {short(e.at_end)} at the data's end, {short(e.ten_times)} at 10 times, {end}{leaves}; "
            f"{short(e.small)} at 1/1000 of the smallest"
        )
    return "\n".join(["Asymptotics of the fitted law (median over groups):", *clipped(lines, 8, "limits")]) if lines else ""


def terms(law: LawStudy, names: Names) -> str:
    """Every second-order term is looked at; those above the noise level are named."""
    noise = 2.0 / math.sqrt(max(law.study.rows.n, 1))
    lines = []
    for target in law.study.targets:
        own = [t for t in law.terms if t.target == target]
        strong = [t for t in own if abs(t.correlation) >= noise][: 10 if _single(law) else 3]
        said = [f"{_product(names, t.first, t.second)} {signed(t.correlation)}" for t in strong] or ["none"]
        lines.append(f"- {names.targets[law.study.targets.index(target)]}: {', '.join(said)}")
    if not law.terms:
        return ""
    count = len(law.study.terms.pairs)
    head = f"Correlation of data minus law with second-order log terms ({count}; below {short(noise, 2)} is noise):"
    return "\n".join([head, *clipped(lines, MAX_LINES, "targets")])


def _product(names: Names, first: str, second: str) -> str:
    a, b = names.symbol(first), names.symbol(second)
    return f"{a}^2" if a == b else f"{a}*{b}"


def drifts(law: LawStudy, names: Names) -> str:
    lines = []
    for d in law.drifts:
        label = "" if _single(law) else f"{_target(law, names, d.target)}, "
        data = " ".join(f"{names.symbol(s)}^{short(v, 2)}" for s, v in d.data)
        if not d.law:
            lines.append(f"- {label}best {names.symbol(d.setting)} ~ {data} in the data; the law has no optimum in it")
            continue
        own = " ".join(f"{names.symbol(s)}^{short(v, 2)}" for s, v in d.law)
        off, scatter = (
            (f"{short(math.exp(d.offset), 3)} times the data's", f"a factor {short(math.exp(d.scatter), 2)}")
            if d.logged
            else (f"{signed(d.offset)} from the data's", short(d.scatter, 2))
        )
        lines.append(
            f"- {label}best {names.symbol(d.setting)} ~ {data} in the data, ~ {own} in the law; the law's is {off} on "
            f"average, {scatter} off typically ({d.cells} cells)"
        )
    return "\n".join(["Drift of each setting's optimum with scale:", *lines]) if lines else ""


SECTIONS: tuple[tuple[str, int, int, Section], ...] = (
    ("held-out error by cut", 0, 0, cuts),
    ("what is left to explain", 1, 3, left),
    ("local exponents", 2, 8, exponents),
    ("optimum drift", 2, 8, drifts),
    ("parameters", 3, 4, parameters),
    ("second-order terms", 4, 8, terms),
    ("residuals by regime", 5, 9, regimes),
    ("asymptotics", 6, 5, limits),
)
"""Title, rank for the first parent and for further ones (the highest ranks are left out first), and the section."""


def disagreement(found: tuple[Disagreement, ...], labels: tuple[str, ...], names: Names, targets: tuple[str, ...]) -> str:
    """Where laws of the short list part, ten times beyond the data."""
    lines = []
    for d in found:
        where = "all scale variables" if d.direction == "all" else names.symbol(d.direction)
        said = ", ".join(f"{label} {short(v)}" for label, v in zip(labels, d.values, strict=True))
        place = names.targets[targets.index(d.target)]
        point = ", ".join(f"{names.symbol(s)} = {short(v)}" for s, v in d.point)
        lines.append(f"- {place}, 10 times beyond in {where} ({point}): {said}; they differ by {percent(d.relative)}")
    return "\n".join(["# Where good laws part, ten times beyond the data", "", *lines]) if lines else ""
