"""What laws predict beyond the data, and how far they disagree there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sldagent.fitted import Fitted

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Beyond:
    """Predictions at one corner beyond the data."""

    factor: float
    point: dict[str, float]
    """The inputs, by column."""
    laws: tuple[str, ...]
    groups: tuple[str, ...]
    targets: tuple[str, ...]
    values: FloatArray
    """(laws, groups, targets)."""

    @property
    def disagreement(self) -> FloatArray:
        """(groups, targets): largest less smallest prediction, relative to the first law's."""
        with np.errstate(all="ignore"):
            return np.asarray(np.ptp(self.values, axis=0) / np.abs(self.values[0]))


def corner(card: Mapping[str, Any], factor: float) -> dict[str, float] | None:
    """Inputs with every scale variable at `factor` times its largest training value; None without scale variables.

    Settings stand at the middle of their range (of its logarithm where it is positive), proportions are all equal.
    """
    point: dict[str, float] = {}
    scaled = False
    for v in card["variables"]:
        low, high = float(v["min"]), float(v["max"])
        if v["role"] == "scale":
            scaled = True
            point[v["name"]] = high + math.log(factor) / math.log(v["log_base"]) if v["log"] else high * factor
        elif v["role"] == "proportion":
            size = next((len(m) for m in card["vectors"].values() if v["symbol"] in m), 1)
            point[v["name"]] = 1.0 / size
        else:
            point[v["name"]] = math.sqrt(low * high) if low > 0 else 0.5 * (low + high)
    return point if scaled else None


def predict_beyond(laws: Sequence[Fitted], factor: float) -> Beyond | None:
    """Predictions of laws of one task, for each group; None where there is no scale variable to extend."""
    import pandas

    card = laws[0].card
    point = corner(card, factor)
    if point is None:
        return None
    groups = laws[0].groups
    frame = pandas.DataFrame([point] * len(groups))
    if card.get("group_column"):
        frame[card["group_column"]] = list(groups)
    values = np.stack([law.predict_rows(law.rows(frame)) for law in laws])
    return Beyond(factor, point, tuple(law.law for law in laws), groups, laws[0].targets, values)
