"""The covariance of a law's parameters as constants of a Python file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sldagent.export.code import assignment, literal
from sldagent.uncertainty.spread import Spread

HEAD = "# by (group, target or None for all): the parameters with their place in PARAMETERS, and their covariance matrix"


def covariance_lines(document: Mapping[str, Any]) -> list[str]:
    """``COVARIANCE = {...}`` under a comment; nothing where the document holds no covariance."""
    if "uncertainty" not in document:
        return []
    values = {}
    for block in Spread.read(document["uncertainty"]).blocks:
        group = literal(str(document["groups"][block.group]))
        target = "None" if block.target < 0 else literal(str(document["targets"][block.target]["name"]))
        names = "".join(f"({literal(name)}, {index!r}), " for name, index in block.names)
        rows = "".join(f"            {[float(v) for v in row]},\n" for row in block.covariance)
        matrix = f"np.array([\n{rows}        ])" if rows else "np.zeros((0, 0))"
        values[f"({group}, {target})"] = f"(\n        ({names.rstrip()}),\n        {matrix},\n    )"
    return [HEAD, *assignment("COVARIANCE", values)] if values else []
