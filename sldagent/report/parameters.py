"""A law's parameters as lines of a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sldagent.fitted import Fitted


def parameter_lines(law: Fitted, groups: int | None = None) -> Iterator[tuple[str, str, str, tuple[int, ...]]]:
    """(group, label, parameter, index) of every fitted number; the group is '' where one value holds for all.

    Args:
        groups: at most so many groups of each parameter; None: all.
    """
    for name, values in law.parameters.items():
        for index in np.ndindex(values.shape):
            if groups is not None and index[0] >= groups:
                break
            element = f"[{', '.join(str(i + 1) for i in index[1:])}]" if len(index) > 1 else ""
            yield (law.groups[index[0]] if len(values) > 1 else "", name + element, name, index)
