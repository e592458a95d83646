"""What is declared about a table: the roles of its columns, some of which may be left to a guess."""

from __future__ import annotations

import keyword
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sldagent.tasks.task import Noise, Target, Variable

RESERVED = frozenset(
    (
        "exp",
        "log",
        "sqrt",
        "tanh",
        "sigmoid",
        "softplus",
        "logaddexp",
        "smoothmin",
        "smoothmax",
        "sum",
        "i",
        "law",
        "parameters",
        "recipe",
        "fit",
        "predict",
        "positive",
        "real",
        "interval",
        "custom_fit",
        "group",
        "np",
        "pi",
    )
)
"""Names that the law language and exported functions use themselves."""
LOG_BASES = {"log": 10.0, "log10": 10.0, "log2": 2.0, "ln": math.e}
PROPORTION_TOLERANCE = 0.02
"""Shares are often printed to two decimals, so that a row of them sums to one only nearly."""


@dataclass(frozen=True)
class Roles:
    """What is declared about a table; None means: guess."""

    name: str = "table"
    title: str = ""
    description: str = ""
    variables: tuple[Variable, ...] | None = None
    targets: tuple[Target, ...] | None = None
    ranged: frozenset[str] = frozenset()
    """Targets whose range is declared; the others' is guessed."""
    group: str | None = None
    """Group column; '' for none."""
    split: str | None = None
    """Split column; '' for none."""
    run: str | None = None
    ignore: tuple[str, ...] = ()
    noise: Noise = field(default_factory=Noise)
    max_parameters: int | None = None
    vectors: Mapping[str, tuple[str, ...]] | None = None
    at: Path | None = None
    human: str = ""
    """The law that people published for this table: a catalogue entry's name or a formula; benchmarks compare with it."""
    notes: tuple[str, ...] = field(default=())


def symbol_for(name: str, taken: Collection[str]) -> str:
    """A unique ASCII identifier for a column's name that the law language does not use itself."""
    base = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "x"
    if base[0].isdigit():
        base = f"x{base}"
    if keyword.iskeyword(base) or base in RESERVED:
        base = f"{base}_"
    symbol, k = base, 2
    while symbol in taken:
        symbol, k = f"{base}_{k}", k + 1
    return symbol
