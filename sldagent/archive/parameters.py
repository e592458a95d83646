"""Fitted values as rows, one per number, for the laws that somebody will look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, insert, select

from sldagent.archive.mapping import Row, finite
from sldagent.archive.models import Candidate, EvaluationRow, GroupFit, ParameterRow, Run
from sldagent.archive.pack import FloatArray, unpack
from sldagent.errors import LawError
from sldagent.laws.expr import TARGET_INDEX
from sldagent.laws.inspect import parameter_axes
from sldagent.laws.parse import parse_program

_CHUNK = 500


@dataclass(frozen=True)
class Names:
    """What the axes of parameter arrays are called, from the run's card."""

    groups: tuple[str, ...]
    targets: tuple[str, ...]
    vectors: Mapping[str, tuple[str, ...]]


def materialise(connection: Connection, run: str, ks: Sequence[int]) -> None:
    """Write parameter rows of these candidates; those that have rows already are left as they are."""
    names = card_names(connection.execute(select(Run.card).where(Run.run == run)).scalar_one())
    wanted = sorted({int(k) for k in ks})
    for start in range(0, len(wanted), _CHUNK):
        part = wanted[start : start + _CHUNK]
        have = select(ParameterRow.k).where(ParameterRow.run == run, ParameterRow.k.in_(part)).distinct()
        done = set(connection.scalars(have))
        query = (
            select(Candidate.k, Candidate.source, EvaluationRow.at_bounds, GroupFit.header, GroupFit.data)
            .join(EvaluationRow, (EvaluationRow.run == Candidate.run) & (EvaluationRow.k == Candidate.k))
            .join(GroupFit, (GroupFit.run == Candidate.run) & (GroupFit.k == Candidate.k))
            .where(Candidate.run == run, Candidate.k.in_([k for k in part if k not in done]))
        )
        rows: list[Row] = []
        for k, source, at_bounds, header, data in connection.execute(query):
            axes = _axes(source)
            for name, values in unpack(header, data).parameters.items():
                bound = name in at_bounds
                for cell in cells(values, axes.get(name), names):
                    rows.append({"run": run, "k": k, "name": name, "at_bound": bound, **cell})
        if rows:
            connection.execute(insert(ParameterRow), rows)


def card_names(card: Mapping[str, Any]) -> Names:
    """Names of groups, targets and vector members in a stored card (see
    `sldagent.tasks.archived.task_card`)."""
    targets = tuple(str(t["name"]) if isinstance(t, Mapping) else str(t) for t in card.get("targets") or ())
    vectors = {str(name): tuple(map(str, members)) for name, members in (card.get("vectors") or {}).items()}
    return Names(tuple(map(str, card.get("groups") or ())), targets, vectors)


def _axes(source: str) -> dict[str, tuple[str, ...]]:
    """Axes of each parameter after its group axis; empty for a program that is not in the language."""
    try:
        return parameter_axes(parse_program(source).law)
    except LawError:
        return {}


def cells(values: FloatArray, axes: tuple[str, ...] | None, names: Names) -> Iterator[Row]:
    """One row (without key) per number of a parameter's array of shape (groups or 1, *axes).

    `axes` names what each further axis runs over; None where the law's text cannot tell: then an axis as
    long as the targets is theirs.
    """
    array = np.asarray(values, dtype=np.float64)
    grouped = array.reshape(1) if array.ndim == 0 else array
    count = max(1, len(names.targets))
    if axes is None or len(axes) != grouped.ndim - 1:
        guess = [TARGET_INDEX if n == 0 and count > 1 and size == count else "" for n, size in enumerate(grouped.shape[1:])]
        axes = tuple(guess)
    lengths = [size for size, axis in zip(grouped.shape[1:], axes, strict=True) if axis != TARGET_INDEX]
    shared = grouped.shape[0] == 1 and len(names.groups) != 1
    for position, index in enumerate(np.ndindex(grouped.shape)):
        target, element, members = None, 0, []
        for place, axis, size in zip(index[1:], axes, grouped.shape[1:], strict=True):
            if axis == TARGET_INDEX:
                target = _name(names.targets, place)
            else:
                element = element * size + place
                members.append(_name(names.vectors.get(axis, ()), place))
        yield {
            "position": position,
            "group_name": None if shared else _name(names.groups, index[0]),
            "target": target,
            "element": element if lengths else None,
            "member": ", ".join(members) if lengths else None,
            "value": finite(float(grouped[index])),
        }


def _name(names: Sequence[str], place: int) -> str:
    return names[place] if place < len(names) else str(place)
