"""Intervals of a `Fitted` law's predictions, from its document, or measured on its training rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import FitError, SldagentError
from sldagent.fitting.fixed import fixed
from sldagent.fitting.public import predict
from sldagent.fitting.rows import Rows
from sldagent.fitting.tape import compile_law, layout_of
from sldagent.laws.parse import parse_program
from sldagent.tasks.task import Task
from sldagent.uncertainty.bands import bands
from sldagent.uncertainty.bootstrap import Resampling, bootstrap, check_level
from sldagent.uncertainty.measure import measure, point_of
from sldagent.uncertainty.profile import Profile, profile
from sldagent.uncertainty.spread import Spread

if TYPE_CHECKING:
    from sldagent.fitted import Fitted

FloatArray = NDArray[np.float64]


def spread_of(law: Fitted) -> Spread:
    """The law's spread: from its document, else measured on its training rows.

    Raises FitError, one sentence, where there is neither.
    """
    stored = law.document.get("uncertainty")
    if stored is not None:
        return Spread.read(stored)
    return measure(law.program, _training(law), law.parameters, law.cuts)


def _training(law: Fitted) -> Task:
    if law.training is not None:
        return law.training
    source = str(law.card.get("source") or "")
    if not Path(source).is_file():
        raise FitError(
            f"no interval for {law.law}: nothing is stored of its residuals, and the rows it was found on are not at hand "
            f"('{source}'): put them back there, or export the law to JSON where they are"
        )
    try:
        task = law.rows(source, require_target=True).part("train")
    except SldagentError as error:
        raise FitError(f"no interval for {law.law}: its training rows cannot be read: {error}") from error
    if len(task.X) == 0:
        raise FitError(f"no interval for {law.law}: {source} has no training row")
    return task


def interval_rows(law: Fitted, task: Task, level: float) -> tuple[FloatArray, FloatArray]:
    """Ends (rows, targets) of central prediction intervals.

    Raises ConfigError unless 0 < level < 1, and as `spread_of`.
    """
    check_level(level)
    layout = layout_of(task)

    def values(parameters: Mapping[str, FloatArray]) -> FloatArray:
        return predict(law.program.law, parameters, task.X, task.group, layout)

    others = [other.predict_rows(task) for other in law.others]
    for entry in () if law.others else law.document.get("shortlist", ()):
        parameters = {name: np.asarray(v, dtype=float) for name, v in entry["parameters"].items()}
        others.append(predict(parse_program(entry["program"]).law, parameters, task.X, task.group, layout))
    return bands(law.spread, task, law.parameters, values, level, others)


def complete_document(law: Fitted) -> Mapping[str, Any]:
    """The law's document with keys ``uncertainty`` and ``shortlist`` where they are known or can be measured."""
    if "uncertainty" in law.document:
        return law.document
    try:
        spread = law.spread
    except FitError:
        return law.document
    added: dict[str, Any] = {"uncertainty": spread.plain()}
    if law.others:
        added["shortlist"] = [
            {"law": o.law, "program": o.document["program"], "parameters": {n: v.tolist() for n, v in o.parameters.items()}}
            for o in law.others
        ]
    return {**law.document, **added}


def with_bootstrap(law: Fitted, how: Resampling) -> Fitted:
    """The law with refits to resamples of its training rows, from its fitted values.

    Raises FitError where it has fitting code of its own or no rows, and as `bootstrap` does.
    """
    if law.program.custom_fit is not None:
        raise FitError(f"{law.law} brings fitting code of its own, which a bootstrap does not refit: give its law alone")
    task = _training(law)
    compiled, rows = compile_law(law.program.law, layout_of(task)), Rows.of_task(task)
    result = fixed(compiled, rows, law.program.recipe, point_of(compiled, rows, law.parameters))
    if not result.ok:
        raise FitError(f"no bootstrap of {law.law}: {result.failure}")
    found = bootstrap(compiled, task, rows, law.program.recipe, result, how)
    return replace(law, bootstrap=found)


def profile_of_fit(law: Fitted, name: str, level: float) -> tuple[Profile, ...]:
    """Profile-likelihood intervals of one parameter on the law's training rows; raises as `profile` does."""
    return profile(law.program, _training(law), law.parameters, name, level)
