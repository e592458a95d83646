"""What an answer must look like before anybody uses it: checked here, whatever the guest says about itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from sldagent.sandbox.types import FloatArray, JailFailure, Job

MAX_PARAMETERS = 65536


def check(job: Job, arrays: Mapping[str, FloatArray]) -> JailFailure | None:
    """Why the arrays are no answer to `job`, or None."""
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            return JailFailure("non-finite", f"the answer's array {name} holds values that are not finite")
    rule = _RULES.get(job.entry)
    return None if rule is None else rule(job, arrays)


def _groups(job: Job) -> list[int]:
    return sorted({int(g) for g in np.unique(job.arrays["group"])})


def _parameters(job: Job, arrays: Mapping[str, FloatArray]) -> JailFailure | None:
    wanted = {f"params/{g}" for g in _groups(job)}
    if set(arrays) != wanted:
        return JailFailure("shape", f"the answer has parameters for {len(arrays)} groups, not for {len(wanted)}")
    for name, array in arrays.items():
        if array.ndim not in (1, 2) or array.size > MAX_PARAMETERS:
            return JailFailure("shape", f"the answer's array {name} has shape {array.shape}, which parameters cannot have")
    return None


def _law_parameters(job: Job, arrays: Mapping[str, FloatArray]) -> JailFailure | None:
    length = len(job.options["parameters"])
    for name, array in arrays.items():
        if array.shape != (length,):
            return JailFailure("shape", f"the answer's array {name} has shape {array.shape}, not ({length},)")
    return _parameters(job, arrays)


def _prediction(job: Job, arrays: Mapping[str, FloatArray]) -> JailFailure | None:
    shape = (len(job.arrays["X"]), int(job.options.get("targets", 1)))
    if set(arrays) != {"prediction"} or arrays["prediction"].shape != shape:
        found = {name: array.shape for name, array in arrays.items()}
        return JailFailure("shape", f"the answer has the arrays {found}, not one prediction of shape {shape}")
    return None


_RULES: Mapping[str, Callable[[Job, Mapping[str, FloatArray]], JailFailure | None]] = {
    "fit": _parameters,
    "custom_fit": _law_parameters,
    "predict": _prediction,
}
