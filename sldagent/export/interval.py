"""Prediction intervals in a numpy file: constants and functions that need nothing else, as `sldagent.uncertainty.bands`.

The file's ``interval`` adds residual noise, the delta method J S J' with the covariance S of the parameters, and the growth
of the error beyond the rows.  What it lacks of ``sldagent predict --interval`` is the disagreement of other short-listed
laws, whose formulas are not in the file; it says so where there are any.  Student's t and the tails of the residuals are
kept as factors at fixed levels, so that SciPy is not needed.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sldagent.export.code import assignment, number
from sldagent.uncertainty.spread import LEVELS, Spread

NAMES = (
    "COVARIANCE",
    "FACTORS",
    "NOISE",
    "NOISE_RELATIVE",
    "GROWTH",
    "GROWTH_RELATIVE",
    "BOX",
    "BOX_CENTRE",
    "BOX_SPREAD",
    "BOX_LOW",
    "BOX_HIGH",
    "LIMITS",
    "interval",
    "_parameters",
    "_interval",
    "_beyond",
    "_variance",
)
"""Names that neither a variable nor a parameter may hide."""

HELPERS = (
    '''
    def _interval(arguments, group, level):
        """See `interval`; arguments in the order of predict."""
        if level not in FACTORS:
            raise ValueError(f"level must be one of {', '.join(map(str, FACTORS))}")
        f = np.asarray(predict(*arguments, group=group))
        several = len(TARGETS) > 1
        f = f if several else f[..., None]
        shape = f.shape[:-1]
        rows = np.broadcast_to(_group_index(group), shape)
        with np.errstate(all="ignore"):
            noise = NOISE.T[rows] * (np.abs(f) if NOISE_RELATIVE else 1.0)
            growth = GROWTH.T[rows] * (np.abs(f) if GROWTH_RELATIVE else 1.0) * _beyond(arguments, rows)[..., None]
            half = FACTORS[level] * np.sqrt(noise**2 + growth**2 + _variance(arguments, rows))
            low, high = f - half, f + half
            if NOISE_RELATIVE:
                ratio = np.exp(np.minimum(half / np.abs(f), 700.0))
                low, high = np.where(f > 0, f / ratio, low), np.where(f > 0, f * ratio, high)
        ends = [np.where(np.isfinite(f), np.clip(end, LIMITS[:, 0], LIMITS[:, 1]), np.nan) for end in (low, high)]
        return tuple(end if several else end[..., 0][()] for end in ends)
    ''',
    '''
    def _beyond(arguments, rows):
        """Largest distance of every row beyond those of its group that the law was fitted on, 0 inside."""
        if not BOX:
            return np.zeros(rows.shape)
        axis = []
        for k, logarithm, factor in BOX:
            if arguments[k] is None:
                raise ValueError(f"an interval needs argument {k + 1}: its distance beyond the training rows counts")
            x = np.broadcast_to(np.asarray(arguments[k], dtype=float), rows.shape)
            axis.append(np.log(x) if logarithm else x * factor)
        z = (np.stack(axis, axis=-1) - BOX_CENTRE) / BOX_SPREAD
        z = z if len(BOX) < 2 else np.concatenate([z, z.mean(axis=-1, keepdims=True)], axis=-1)
        return np.maximum(np.maximum(z - BOX_HIGH[rows], BOX_LOW[rows] - z), 0.0).max(axis=-1)
    ''',
    '''
    def _variance(arguments, rows):
        """J S J' by row and target: S the covariance of the parameters, J the derivatives of the prediction in them."""
        out = np.zeros((*rows.shape, len(TARGETS)))
        for (name, target), (places, covariance) in COVARIANCE.items():
            mine = rows == GROUPS.index(name)
            if not mine.any():
                continue
            here = [None if x is None else np.broadcast_to(x, rows.shape)[mine] for x in arguments]
            J = []
            for q, (parameter, place) in enumerate(places):
                value = PARAMETERS[parameter][place]
                step = max(1e-5 * abs(value), 1e-3 * np.sqrt(max(covariance[q, q], 0.0)), 1e-12)
                ends = []
                for sign in (1.0, -1.0):
                    changed = {n: np.array(v) for n, v in PARAMETERS.items()}
                    changed[parameter][place] = value + sign * step
                    ends.append(predict(*here, group=name, _parameters=changed).reshape(-1, len(TARGETS)))
                J.append(np.nan_to_num((ends[0] - ends[1]) / (2.0 * step), nan=0.0, posinf=0.0, neginf=0.0))
            part = np.maximum(np.einsum("qnt,qr,rnt->nt", J, covariance, J), 0.0) if J else np.zeros((mine.sum(), 1))
            if target is None:
                out[mine] = part
            else:
                out[mine, TARGETS.index(target)] = part[:, TARGETS.index(target)] if J else 0.0
        return out
    ''',
)


def interval_constants(document: Mapping[str, Any]) -> list[str]:
    """Lines of the constants: noise, growth, factors of the levels, box of the training rows, limits of the targets."""
    spread = Spread.read(document["uncertainty"])
    box = spread.box
    columns = [_axis(k, document["variables"][k]) for k in box["columns"]]
    limits = [
        [-math.inf if lo is None else lo, math.inf if hi is None else hi] for lo, hi in map(_range, document["targets"])
    ]
    return [
        "# standard deviation of the noise by target and group; per unit of the prediction where it is relative",
        f"NOISE = {_matrix(spread.noise * spread.typical)}",
        f"NOISE_RELATIVE = {spread.relative}",
        "# that of the error per unit of distance beyond the rows, by target and group",
        f"GROWTH = {_matrix(spread.growth)}",
        f"GROWTH_RELATIVE = {spread.growth_relative}",
        "# half widths in standard deviations, by level and target",
        *assignment("FACTORS", {repr(p): _matrix(spread.factor(p)) for p in LEVELS}),
        "# variables that distances are measured in: position, whether its logarithm counts, its factor where not;",
        "# centre and spread of each; smallest and largest value by group and direction (each, and the mean of several)",
        f"BOX = ({', '.join(columns)}{',' if len(columns) == 1 else ''})",
        f"BOX_CENTRE = {_matrix(box['centre'])}",
        f"BOX_SPREAD = {_matrix(box['spread'])}",
        f"BOX_LOW = {_matrix(box['low'])}",
        f"BOX_HIGH = {_matrix(box['high'])}",
        "# smallest and largest value of each target",
        f"LIMITS = {_matrix(limits)}",
    ]


def interval_functions(document: Mapping[str, Any], arguments: Sequence[str]) -> list[str]:
    """Sources of ``interval`` and of what it calls.

    Args:
        arguments: of the file's ``predict``, without the group.
    """
    text = (
        "Low and high ends of central intervals that hold a share 'level' (a key of FACTORS) of new measurements: "
        "residual noise, spread of the parameters, and growth of the error beyond the rows that the law was fitted on."
    )
    others = document.get("shortlist", ())
    if others:
        text += (
            f"  `sldagent predict --interval` also adds the disagreement of the {len(others)} other laws of the short list, "
            "which this file does not hold: its intervals are wider where those differ."
        )
    if Spread.read(document["uncertainty"]).column is not None:
        text += "  Noise is that of the noise column's typical value."
    wrapped = textwrap.wrap(text, 104)
    listed = ", ".join(arguments)
    level = "level" if "level" not in arguments else "level_"
    source = "\n".join(
        [
            f"def interval({', '.join([*arguments, 'group=None', f'{level}=0.9'])}):",
            f'    """{wrapped[0]}',
            *(f"    {line}" for line in wrapped[1:]),
            '    """',
            f"    return _interval(({listed}{',' if len(arguments) == 1 else ''}), group, {level})",
        ]
    )
    return [source, *(textwrap.dedent(text).strip() for text in HELPERS)]


def _range(target: Mapping[str, Any]) -> tuple[float | None, float | None]:
    low, high = target.get("range") or (None, None)
    return low, high


def _axis(position: int, variable: Mapping[str, Any]) -> str:
    """A variable on the log axis (`sldagent.tasks.levels.log_axis`)."""
    if variable["role"] != "scale":
        return f"({position}, False, 1.0)"
    if variable["log"]:
        return f"({position}, False, {math.log(variable['log_base'])!r})"
    return f"({position}, True, 1.0)"


def _matrix(values: Any) -> str:
    """Nested lists of numbers as the source text of an array."""
    array = np.asarray(values, dtype=float)
    if array.size == 0:
        return f"np.zeros({array.shape})"

    def text(part: Any) -> str:
        if isinstance(part, list):
            return f"[{', '.join(map(text, part))}]"
        if math.isnan(part):
            return "np.nan"
        return number(part) if math.isfinite(part) else f"{'-' if part < 0 else ''}np.inf"

    return f"np.array({text(array.tolist())}, dtype=float)"
