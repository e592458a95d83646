"""Guess the roles that a user left out.

A guess is never silent: each one adds a sentence to the notes, which the command line prints.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from sldagent.errors import TableError
from sldagent.tasks.numerals import parse_numbers
from sldagent.tasks.roles import LOG_BASES, PROPORTION_TOLERANCE, Roles, symbol_for
from sldagent.tasks.table import EMPTY, Table, parts_of
from sldagent.tasks.task import FloatArray, Role, Target, Variable

TRAIN = "train"
SETTINGS = re.compile(
    r"(^|_)(lr|learning_?rate|bs|bsz|batch(_?size)?|weight_?decay|wd|momentum|warm_?up|beta[12]|dropout)"
    r"($|_|steps|ratio|frac)",
    re.IGNORECASE,
)
IDENTITY = re.compile(r"^(unnamed.*|index|idx|id|row|seed|.*_id|.*_seed|)$", re.IGNORECASE)
SPREAD = re.compile(r"(_|^)(se|std|sem|stderr|stdev|variance|ci)$", re.IGNORECASE)
UNIT_INTERVAL = re.compile(
    r"(accuracy|brier|(^|_)acc($|_)|(^|_)score($|_)|probability|(^|_)f1($|_))", re.IGNORECASE
)
TARGET_PATTERNS = (
    r"loss|error|score",
    r".*_loss",
    r"loss_.*",
    r".*_(error|score)",
    r"(error|score)_.*",
    r".*(loss|entropy|perplexity|accuracy)",
)
OUTCOME = re.compile(
    r"(?<![a-z])(loss|nll|(cross_?)?entropy|perplexity|ppl|bpb|bits_per_byte|accuracy|acc|brier|au(ro)?c|f1|bleu|rouge|"
    r"exact_match|[rm]?mse|mae|error|score)(?![a-z])",
    re.IGNORECASE,
)
"""What an experiment measures: such a column is another answer, not an input, unless the user says so."""
LOGARITHM = re.compile(r"(log10|log2|log|ln)(?:_|(?=[A-Z]))")
"""``log_flops``, ``logC``, ``ln_N``: the column holds a logarithm."""
MAX_GUESSED = 12
"""More candidate columns than this and the user must name the variables."""
COPY = "a copy of another variable"
NOT_USED = "not used"
OTHER_OUTCOME = "looks like another outcome; name it with --variables if it is an input"


def complete(roles: Roles, table: Table) -> Roles:
    """Fill every role that is not declared by a guess recorded in the notes.

    Raises TableError where a declared column is missing or nothing can be guessed.
    """
    notes = [*table.notes, *roles.notes]
    split = _guess_split(roles, table, notes)
    targets = roles.targets
    if targets is None:
        targets = tuple(Target(n) for n in _guess_targets(roles, table, split, notes))
    used = {t.name for t in targets} | {split, roles.run or "", roles.noise.column or "", *roles.ignore}
    declared = {v.name for v in roles.variables or ()}
    group = _guess_group(roles, table, used | declared, notes)
    variables = roles.variables
    if variables is None:
        variables = _guess_variables(table, targets, used | {group, *parts_of(group)}, notes)
    if not variables:
        raise TableError(f"{table.source}: {_why_no_variable(table, notes)}")
    symbols = {v.symbol for v in variables}
    targets = tuple(
        replace(
            _with_range(t, t.name in roles.ranged, table, split, notes),
            monotone={s: d for s, d in t.monotone.items() if s in symbols},
        )
        for t in targets
    )
    return replace(
        roles,
        variables=variables,
        targets=targets,
        group=group,
        split=split,
        vectors=_vectors(roles, variables),
        ranged=frozenset(t.name for t in targets),
        notes=tuple(notes),
    )


def _why_no_variable(table: Table, notes: Sequence[str]) -> str:
    if table.n == 1:
        return "the table has one row, and a law needs at least 3"
    dropped = "; ".join(n for n in notes if n.startswith(NOT_USED))
    return (
        f"no column is left to be a variable ({dropped or 'it has no other'}); add a column that varies, "
        "or name the variables with --variables"
    )


def _is_numeric(table: Table, name: str) -> bool:
    """At least half of the cells are numbers: a stray text is to be reported, not guessed away."""
    values = table.columns[name]
    if values.dtype == np.float64:
        return bool(np.mean(np.isnan(values)) <= 0.5)
    return bool(np.mean(~np.isnan(parse_numbers(values))) >= 0.5)


def _numbers(table: Table, name: str) -> FloatArray:
    values = table.columns[name]
    return values if values.dtype == np.float64 else parse_numbers(values)


def _guess_split(roles: Roles, table: Table, notes: list[str]) -> str:
    if roles.split is not None:
        if roles.split:
            table.column(roles.split)
        return roles.split
    for name in table.columns:
        if name.lower() == "split":
            if any(str(v).strip().lower() == TRAIN for v in table.columns[name]):
                notes.append(f"split column: '{name}' (discovery sees only its '{TRAIN}' rows)")
                return name
            notes.append(f"column '{name}' is not used as the split: it has no '{TRAIN}' rows")
    return ""


def _guess_targets(roles: Roles, table: Table, split: str, notes: list[str]) -> list[str]:
    taken = {split, roles.group, *parts_of(roles.group or ""), roles.run, roles.noise.column, *roles.ignore}
    taken |= {v.name for v in roles.variables or ()}
    free = [n for n in table.columns if n not in taken and _is_numeric(table, n)]
    if not free:
        raise TableError(f"{table.source}: no numeric column can be the target; name it with --target")
    for pattern in TARGET_PATTERNS:
        found = [n for n in free if re.fullmatch(pattern, n, re.IGNORECASE) and not SPREAD.search(n)]
        if found:
            family = _family(found[0], found)
            chosen = family if len(family) > 1 else [found[0]]
            notes.append("target: " + ", ".join(f"'{c}'" for c in chosen) + " (by name)")
            return chosen
    notes.append(f"target: '{free[-1]}' (the last numeric column)")
    return [free[-1]]


def _family(name: str, names: Sequence[str]) -> list[str]:
    """Columns that differ from `name` by a trailing number only."""
    stem = re.sub(r"\d+$", "", name)
    return [n for n in names if stem != name and re.sub(r"\d+$", "", n) == stem]


def _guess_group(roles: Roles, table: Table, used: Collection[str], notes: list[str]) -> str:
    if roles.group is not None:
        if roles.group:
            table.column(roles.group)
        return roles.group
    for name in table.columns:
        if name.lower() == "group" and name not in used:
            notes.append(f"group column: '{name}'")
            return name
    if roles.variables is not None and roles.targets is not None:
        return ""
    for name, values in table.columns.items():
        if name in used or name.lower() == "split" or values.dtype == np.float64 or _is_numeric(table, name):
            continue
        counts = np.unique(values.astype(str), return_counts=True)[1]
        if len(counts) > 1 and counts.min() >= 3 and not any(str(v).lower() in EMPTY for v in values):
            notes.append(
                f"group column: '{name}' (text with repeated values; constants are fitted per group)"
            )
            return name
        if counts.min() < 3 and 2 * counts[counts >= 3].sum() > counts.sum():
            notes.append(f"column '{name}' is not used as the group: one of its values has {counts.min()} row(s)")
    return ""


def _guess_variables(
    table: Table, targets: Sequence[Target], used: Collection[str], notes: list[str]
) -> tuple[Variable, ...]:
    answers = [_numbers(table, t.name) for t in targets]
    free = [n for n in table.columns if n not in used]
    reasons = {n: _reason_to_drop(table, n, answers) for n in free}
    inputs = [n for n in free if not reasons[n] and not OUTCOME.search(n)]
    reasons |= {n: OTHER_OUTCOME for n in free if inputs and not reasons[n] and OUTCOME.search(n)}
    shares = set(proportions(table, [n for n in free if not reasons[n]]))
    chosen: list[str] = []
    dropped: dict[str, list[str]] = {}
    for name in free:
        reason = reasons[name]
        twin = ""
        if not reason and name not in shares:
            twin = next((c for c in chosen if _same(_numbers(table, name), _numbers(table, c))), "")
        if twin and _decades(table, name) > _decades(table, twin):
            # Of a quantity and its logarithm or its position on a plot, the quantity spans more decades.
            chosen[chosen.index(twin)] = name
            reason, name = COPY, twin
        elif twin:
            reason = COPY
        if reason:
            dropped.setdefault(reason, []).append(name)
        else:
            chosen.append(name)
    if len(chosen) > MAX_GUESSED:
        raise TableError(
            f"{table.source}: {len(chosen)} numeric columns could be variables ({', '.join(chosen[:4])}, "
            "...), too many to guess; name the ones that matter with --variables"
        )
    chosen.sort(key=list(table.columns).index)
    out: list[Variable] = []
    for name in chosen:
        role, log, base = guess_role(name, table, shares)
        out.append(Variable(name, symbol_for(name, [v.symbol for v in out]), role, log, base))
    if out:
        words = [
            v.symbol + (f" = '{v.name}'" if v.symbol != v.name else "")
            + f" ({v.role}{', a logarithm' if v.log else ''})"
            for v in out
        ]
        forced = [v.name for v in out if v.role == "setting" and not v.log and not SETTINGS.search(v.name)]
        if forced:
            notes.append(
                "taken as a setting because of values at or below zero: "
                + ", ".join(f"'{n}' (first in {_first_nonpositive(table, n)})" for n in forced)
            )
        notes.append("variables: " + ", ".join(words))
    for reason, columns in dropped.items():
        notes.append(f"{NOT_USED}, {reason}: " + ", ".join(f"'{c}'" for c in columns))
    return tuple(out)


def _first_nonpositive(table: Table, name: str) -> str:
    row = int(np.argmax(_numbers(table, name) <= 0))
    return f"{table.word} {table.labels[row]}"


def _decades(table: Table, name: str) -> float:
    """Log range of a positive column; 0 for any other."""
    values = _numbers(table, name)
    values = values[np.isfinite(values)]
    return float(np.log(values.max() / values.min())) if np.all(values > 0) else 0.0


def _reason_to_drop(table: Table, name: str, answers: Sequence[FloatArray]) -> str:
    """Why a column is no variable; '' where it may be one."""
    if not _is_numeric(table, name):
        return "not numeric"
    values = _numbers(table, name)
    finite = values[np.isfinite(values)]
    if finite.size == 0 or np.all(finite == finite[0]):
        return "constant"
    steps = np.diff(values)
    if IDENTITY.match(name) or (len(values) > 3 and np.all(steps == 1.0) and values[0] in (0.0, 1.0)):
        return "an identifier"
    if SPREAD.search(name):
        return "a spread"
    if any(np.array_equal(values, a) for a in answers):
        return "a copy of the target"
    return ""


def _same(a: FloatArray, b: FloatArray) -> bool:
    """Whether one column is the other, up to a factor, an offset or a logarithm."""
    ok = np.isfinite(a) & np.isfinite(b)
    if ok.sum() < 3:
        return False
    forms = [(a[ok], b[ok])]
    if np.all(a[ok] > 0):
        forms.append((np.log(a[ok]), b[ok]))
    if np.all(b[ok] > 0):
        forms.append((a[ok], np.log(b[ok])))
    with np.errstate(all="ignore"):  # sums of squares overflow for values that are refused later
        return any(
            np.ptp(x) > 0 and np.ptp(y) > 0 and abs(np.corrcoef(x, y)[0, 1]) > 1 - 1e-10 for x, y in forms
        )


def guess_role(name: str, table: Table, shares: Collection[str]) -> tuple[Role, bool, float]:
    """Role, whether the column holds a logarithm, and that logarithm's base."""
    if name in shares:
        return "proportion", False, math.e
    role: Role = "setting" if SETTINGS.search(name) else "scale"
    logarithm = LOGARITHM.match(name)
    if logarithm:
        return role, True, LOG_BASES[logarithm.group(1)]
    values = _numbers(table, name)
    if role == "scale" and np.any(values[np.isfinite(values)] <= 0):
        role = "setting"
    return role, False, math.e


def proportions(table: Table, names: Sequence[str]) -> list[str]:
    """Columns within [0, 1] whose rows sum to one: all of them, or a family with a common stem."""
    inside = [
        n for n in names if n in table.columns and not SETTINGS.search(n) and _within_unit(_numbers(table, n))
    ]
    stems: dict[str, list[str]] = {}
    for n in inside:
        stems.setdefault(re.sub(r"[^_\W]*$|\d+$", "", n), []).append(n)
    out: list[str] = []
    for family in (inside, *stems.values()):
        if len(family) < 2 or any(n in out for n in family):
            continue
        total = np.sum([_numbers(table, n) for n in family], axis=0)
        if np.all(np.abs(total - 1.0) <= PROPORTION_TOLERANCE):
            out.extend(family)
    return out


def _within_unit(values: FloatArray) -> bool:
    return bool(np.all((values >= 0.0) & (values <= 1.0)))


def _vectors(roles: Roles, variables: Sequence[Variable]) -> dict[str, tuple[str, ...]]:
    """The declared vectors, or one of all proportions, named ``r``."""
    if roles.vectors is not None:
        present = {v.symbol for v in variables if v.role == "proportion"}
        return {k: tuple(s) for k, s in roles.vectors.items() if present.issuperset(s)}
    shares = tuple(v.symbol for v in variables if v.role == "proportion")
    if len(shares) < 2:
        return {}
    name = next(n for n in ("r", "mix", "shares", "proportions_") if n not in {v.symbol for v in variables})
    return {name: shares}


def _with_range(target: Target, declared: bool, table: Table, split: str, notes: list[str]) -> Target:
    """Fill an undeclared range by a safe guess from the training values."""
    if declared:
        return target
    values = table.numeric(target.name)
    if split:
        train = np.asarray([str(v).strip().lower() == TRAIN for v in table.columns[split]])
        values = values[train] if train.any() else values
    bounded = bool(UNIT_INTERVAL.search(target.name))
    if bounded and np.all((values >= 0) & (values <= 1)):
        low, high = 0.0, 1.0
    elif bounded and np.all((values >= -1) & (values <= 0)):
        low, high = -1.0, 0.0
    elif np.all(values > 0):
        low, high = 0.0, math.inf
    else:
        low, high = -math.inf, math.inf
    words = "any real number" if math.isinf(low) else f"between {low:g} and {high:g}"
    notes.append(
        f"range of '{target.name}': " + (words if math.isfinite(high) or math.isinf(low) else "positive")
    )
    return replace(target, range=(low, high))
