"""Two laws side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sldagent.archive.records import CandidateRecord
from sldagent.archive.store import Archive
from sldagent.errors import FitError
from sldagent.evaluation.choice import paired_error
from sldagent.fitted import Fitted, from_candidate, is_file, resolve
from sldagent.report.beyond import Beyond, predict_beyond
from sldagent.report.formula import formula_text
from sldagent.report.tables import number

FIGURES = {
    "x": "X",
    "x_se": "standard error of X",
    "mdl": "MDL",
    "complexity": "C",
    "scalars": "fitted scalars per group",
    "train_r2": "training R2",
}
FACTORS = (1.0, 3.0, 10.0)
Judged = tuple[Fitted, CandidateRecord | None]
"""A law, and the candidate that it is in the archive."""


@dataclass(frozen=True)
class Comparison:
    """See `compare`."""

    laws: tuple[Fitted, Fitted]
    difference: tuple[float, float] | None
    """X of the first less X of the second, and its paired standard error; None where the cuts are not the same."""
    cuts: Mapping[str, tuple[float, float]]
    """Logarithmic held-out error by cut (and target), for cuts that both were judged on."""
    beyond: tuple[Beyond, ...] | None
    """Predictions at the corner of the data and beyond; None where the laws have different variables or no scale."""

    @property
    def formulas(self) -> tuple[str, str]:
        first, second = (formula_text(law.program.law, law.parameters) for law in self.laws)
        return first, second

    def beyond_rows(self) -> list[tuple[str, ...]]:
        """Lines of a table: factor, group, target, both predictions, relative difference."""
        rows = []
        for b in self.beyond or ():
            for g, group in enumerate(b.groups):
                for t, target in enumerate(b.targets):
                    gap = f"{100 * b.disagreement[g, t]:.2g} %"
                    rows.append((f"{b.factor:g}x", group, target, *(number(float(v)) for v in b.values[:, g, t]), gap))
        return rows

    def document(self) -> dict[str, Any]:
        """As JSON."""
        keys = ("law", "task", "formula", "evaluation")
        return {
            "laws": [{key: law.document[key] for key in keys} | {"parameters": law.named_parameters()} for law in self.laws],
            "x_difference": None if self.difference is None else {"value": self.difference[0], "se": self.difference[1]},
            "cuts": [{"cut": cut, "log_mse": values} for cut, values in self.cuts.items()],
            "beyond": self.beyond,
        }


def compare(first: str, second: str, archive: Archive | None) -> Comparison:
    """Compare two laws, each given as LAW on a command line.

    Raises FitError where they predict different targets; ArchiveError or ExportError where one is not found.
    """
    return compare_laws(_find(first, archive), _find(second, archive))


def compare_laws(first: Judged, second: Judged) -> Comparison:
    """Compare two laws, each with its candidate where it has one; raises as `compare`."""
    (a, record_a), (b, record_b) = first, second
    if a.targets != b.targets:
        raise FitError(
            f"{a.law} predicts {', '.join(a.targets)} and {b.law} predicts {', '.join(b.targets)}: "
            "two laws can be compared where they predict the same"
        )
    cuts: dict[str, tuple[float, float]] = {}
    difference = None
    if record_a is not None and record_b is not None:
        scores = {(c.cut, c.target): c.log_mse for c in record_b.evaluation.cuts}
        for c in record_a.evaluation.cuts:
            if (c.cut, c.target) in scores:
                label = c.cut if len(a.targets) == 1 else f"{c.cut}, {c.target}"
                cuts[label] = (c.log_mse, scores[c.cut, c.target])
        error = paired_error(record_a.evaluation, record_b.evaluation)
        if a.card.get("source") == b.card.get("source") and np.isfinite(error):
            difference = (record_a.evaluation.x - record_b.evaluation.x, error)
    same = [v["name"] for v in a.card["variables"]] == [v["name"] for v in b.card["variables"]] and a.groups == b.groups
    found = [predict_beyond((a, b), factor) for factor in FACTORS] if same else []
    beyond = tuple(x for x in found if x is not None)
    return Comparison((a, b), difference, cuts, beyond or None)


def _find(text: str, archive: Archive | None) -> Judged:
    if is_file(text):
        return resolve(text, None), None
    assert archive is not None
    run, record = archive.law(text)
    return from_candidate(run, record), record
