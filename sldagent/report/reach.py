"""How far rows lie beyond the data that a law was found on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from sldagent.report.tables import number, ratio
from sldagent.tasks.task import Task

SLACK = 1.0 + 1e-9


def beyond_notes(card: Mapping[str, Any], task: Task) -> Iterator[str]:
    """A sentence for every variable that leaves the range in which the law was fitted.

    `card` is the law's, `task` the rows it is applied to (see `sldagent.fitted.Fitted.rows`).
    """
    for k, v in enumerate(card["variables"]):
        column, low, high = task.X[:, k], float(v["min"]), float(v["max"])
        outside = int(((column < low - abs(low) * 1e-9) | (column > high + abs(high) * 1e-9)).sum())
        if not outside:
            continue
        fitted = f"{number(low)} to {number(high)}"
        text = f"{outside} of {len(column)} rows have {v['symbol']} outside {fitted}, where the law was fitted"
        if v["role"] == "scale":
            top = float(column.max())
            beyond = math.exp((top - high) * math.log(v["log_base"])) if v["log"] else top / high
            if beyond > SLACK:
                text += f" (up to {ratio(beyond)} beyond)"
        yield text
