"""The part of a prompt that stays the same for a whole run: rules, language, answer contract, data card, held-out plan."""

from __future__ import annotations

import math

import numpy as np

from sldagent.diagnosis.design import Column
from sldagent.diagnosis.promise import vocabulary
from sldagent.diagnosis.study import Study
from sldagent.evaluation.feedback import one_line
from sldagent.prompts.names import Names
from sldagent.prompts.numbers import clipped, percent, short
from sldagent.prompts.templates import fill

MAX_LINES = 12
MAX_LEVELS = 8


def prefix_text(study: Study, names: Names, max_scalars: int | None) -> str:
    """The stable prefix.  Holds no target of any row: ranges of targets are 5 % and 95 % points."""
    task = study.task
    arguments, formula, parameters = _example(study, names)
    vector = next(iter(names.shown_vectors), "")
    vector_rules = (
        f" Over the shares: `sum(t[j] * {vector}[j] for j in {vector})`, with an array parameter `t`; shares can be zero, "
        "so no logarithm or negative power of a bare share."
        if vector
        else ""
    )
    target_rules = (
        f" There are {len(task.targets)} targets: index a parameter with `i` for a value per target, as in `c[i]`, `t[i, j]`"
        + (f"; `{vector}[i]` is the target's own share." if vector and _paired(study) else ".")
        if len(task.targets) > 1
        else ""
    )
    limits = "" if max_scalars is None else f"\n* At most {max_scalars} fitted constants per group and target."
    words = [f"- {phrase}: {meaning}" for phrase, meaning in vocabulary(study)]
    return fill(
        "prefix",
        example_arguments=arguments,
        example_formula=formula,
        example_parameters=parameters,
        vector_rules=vector_rules,
        target_rules=target_rules,
        limits=limits,
        vector_example=next((names.symbol(v.symbol) for v in task.variables if v.role == "scale" and not v.log), "x"),
        vocabulary="\n".join(words),
        card=card_text(study, names),
        held_out=held_out_text(study, names),
    )


def _paired(study: Study) -> bool:
    return any(len(members) == len(study.task.targets) for members in study.task.vectors.values())


def _example(study: Study, names: Names) -> tuple[str, str, str]:
    """Arguments, formula and declarations of an example over the task's own names."""
    task = study.task
    scalars = [names.symbol(v.symbol) for v in task.variables if v.role == "scale" and not v.log]
    vector = next(iter(names.shown_vectors), None)
    used = set(names.shown)
    floor = next(n for n in ("E", "E0", "floor", "c_floor") if n not in used)
    front, power = (next(n for n in pair if n not in used) for pair in (("A", "A0", "amp"), ("a", "a0", "expo")))
    if scalars:
        arguments = f"{scalars[0]}, {floor}, {front}, {power}"
        formula = f"{floor} + {front} * {scalars[0]}**-{power}"
        declared = f'"{floor}": positive(), "{front}": positive(), "{power}": interval(0, 2),'
    elif vector is not None:
        arguments, formula = f"{vector}, {floor}, {power}", f"{floor} + exp(sum({power}[j] * {vector}[j] for j in {vector}))"
        declared = f'"{floor}": positive(), "{power}": real(),'
    else:
        symbol = names.symbol(task.variables[0].symbol)
        arguments, formula = f"{symbol}, {floor}, {front}", f"{floor} + {front} * {symbol}"
        declared = f'"{floor}": real(), "{front}": real(),'
    return arguments, formula, declared


def card_text(study: Study, names: Names) -> str:
    """What the table is."""
    task = study.task
    lines = []
    if not names.blind and task.description:
        lines.append(one_line(task.description))
    sizes = np.unique(task.group, return_counts=True)[1]
    grouped = ""
    if len(sizes) > 1:
        grouped = f" in {len(sizes)} groups of {sizes.min()} to {sizes.max()} rows; one form for all, constants per group"
    lines.append(f"{len(task.X)} training rows{grouped}.")
    columns = [_column(study, names, c, k) for k, c in enumerate(study.columns)]
    lines += ["", "Variables:", *clipped(columns, MAX_LINES, "variables")]
    for vector in task.vectors:
        members = ", ".join(names.symbol(s) for s in task.vectors[vector])
        lines.append(f"- {names.symbol(vector)} = ({members}): shares that sum to 1")
    lines += ["", "Targets:", *_targets(study, names)]
    pairs = []
    for p in study.pairings:
        kind = {"continuous": "continuous values"}.get(p.kind, f"{p.kind}, {p.present} of {p.possible} combinations")
        pairs.append(f"- {names.symbol(p.first)}, {names.symbol(p.second)}: {kind}, correlation {short(p.correlation, 2)}")
    if pairs:
        lines += ["", "Design:", *clipped(pairs, MAX_LINES, "pairs")]
    return "\n".join(lines)


def _column(study: Study, names: Names, c: Column, k: int) -> str:
    v = study.task.variables[k]
    said = [v.role + (f", already log base {short(v.log_base)}" if v.log else "")]
    if not names.blind:
        said += [one_line(text, 80) for text in (v.description, v.unit and f"unit {v.unit}") if text]
    said.append(f"{short(c.low)} to {short(c.high)}")
    if math.isfinite(c.decades):
        said.append(f"{short(c.decades, 2)} decades")
    if c.levels and len(c.levels) <= MAX_LEVELS and v.role != "proportion":
        said.append("levels " + ", ".join(short(x) for x in c.levels))
    elif c.levels:
        said.append(f"{len(c.levels)} levels")
    else:
        said.append("continuous")
    if c.zeros:
        said.append(f"{c.zeros} zeros")
    return f"- {names.symbol(c.symbol)}: {'; '.join(said)}"


def _targets(study: Study, names: Names) -> list[str]:
    task, grounds = study.task, study.evaluator.grounds
    lines = []
    for t, target in enumerate(task.targets):
        y = task.Y[:, t]
        said = [] if names.blind else [one_line(x, 80) for x in (target.description, target.unit) if x]
        low, high = np.quantile(y, [0.05, 0.95])
        said.append(f"mostly {short(float(low))} to {short(float(high))}")
        said.append(f"spread within groups {short(float(np.median(grounds.scale[t])))}")
        said.append(f"may be {short(target.range[0])} to {short(target.range[1])}")
        said += [f"{way} in {names.symbol(symbol)}" for symbol, way in target.monotone.items()]
        if target.limit is not None:
            said.append(f"limit at large scale within {short(target.limit[0])} to {short(target.limit[1])}")
        lines.append(f"- {names.targets[t]}: {'; '.join(said)}")
    found = study.replicates
    kinds = {"constant": "", "proportional": "; noise is proportional to the target", "column": "; noise differs by row"}
    if found.spare:
        sd = ", ".join(
            f"{short(d, 2)} ({percent(d / float(np.median(grounds.scale[t])))} of the spread)"
            for t, d in enumerate(found.deviation)
        )
        lines.append(f"- noise from {found.spare} repeated rows ({found.sets} sets): SD {sd}{kinds[task.noise.kind]}")
    else:
        lines.append(f"- no repeated rows, so the noise is not known{kinds[task.noise.kind]}")
    return clipped(lines, MAX_LINES, "targets")


def cut_name(names: Names, name: str, variable: str) -> str:
    """A cut's name over the shown names."""
    return names.symbol(variable) + name[len(variable) :] if name.startswith(f"{variable}:") else name


def held_out_text(study: Study, names: Names) -> str:
    """The cuts, as ranges of what was varied; no targets."""
    lines = []
    for c in study.cuts:
        ranges = []
        for (symbol, low, high), (_, held_low, held_high) in zip(c.kept, c.held, strict=True):
            if c.variable in (symbol, "joint", "target"):
                kept = f"{short(low)} to {short(high)}"
                ranges.append(f"{names.symbol(symbol)} fitted on {kept}, asked at {short(held_low)} to {short(held_high)}")
        beyond = f", {short(c.reach)}x beyond" if c.reach > 1.0 else ""
        tail = f": {'; '.join(ranges)}" if ranges else ""
        lines.append(f"- {cut_name(names, c.name, c.variable)}, {c.rows} rows{beyond}{tail}")
    task = study.task
    if task.at is not None:
        asked = [
            f"{names.symbol(v.symbol)} {short(float(task.at[:, k].min()))} to {short(float(task.at[:, k].max()))}"
            for k, v in enumerate(task.variables)
            if v.role != "proportion"
        ]
        lines.append(f"- predictions are wanted at {', '.join(asked)}")
    return "\n".join(clipped(lines, MAX_LINES, "cuts"))
