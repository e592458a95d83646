"""What a call does with a program: one driver per entry word.

Stand-alone: standard library and numpy.  A driver takes the program's names, arrays and options and gives arrays and
plain values; it raises `program.Failed` with the reason where the program is at fault.  The host checks shapes and
finiteness again.

=============  =======================================================================================================
entry          arrays and options in, arrays out
=============  =======================================================================================================
fit            X (rows, variables), Y (rows, targets), group (rows,) numbered from 0; calls
               ``fit_scaling_law(data_points, loss_values)`` once per group (loss_values are one-dimensional for one
               target); gives params/0, params/1, ... of any shape of at most two axes
predict        X (rows, variables), group (rows,), params/0, ...; option targets (default 1); calls
               ``scaling_law_func(data_points, params)`` once per group; gives prediction (rows, targets)
custom_fit     rows (rows, variables), targets (rows, targets), group (rows,), and the law: see `law.from_arrays`; option
               variables, their names; calls ``custom_fit(rows, targets, law)`` once per group with rows a dictionary of
               columns; gives params/0, ... (parameters,)
=============  =======================================================================================================
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import law as laws
import numpy as np
import program
from numpy.typing import NDArray

Arrays: TypeAlias = dict[str, NDArray[np.float64]]
Driver: TypeAlias = Callable[[dict[str, Any], Arrays, dict[str, Any]], tuple[Arrays, dict[str, Any]]]


def run(entry: str, code: str, arrays: Arrays, options: dict[str, Any]) -> tuple[Arrays, dict[str, Any]]:
    """Load the program and drive it.

    Raises:
        program.Failed: the program failed, or there is no such entry.
    """
    driver = ENTRIES.get(entry)
    if driver is None:
        raise program.Failed("error", f"no entry {entry!r}; there are {', '.join(sorted(ENTRIES))}")
    seed = int(options.get("seed", 0))
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - what programs draw from must be the same every time
    return driver(program.load(code), arrays, options)


def fit(names: dict[str, Any], arrays: Arrays, options: dict[str, Any]) -> tuple[Arrays, dict[str, Any]]:
    call = program.function(names, "fit_scaling_law")
    x, y = arrays["X"], arrays["Y"]
    found: Arrays = {}
    for g, rows in _groups(arrays):
        values = y[rows, 0] if y.shape[1] == 1 else y[rows]
        answer = program.guarded(f"fitting group {g}", call, x[rows], values.copy())
        found[f"params/{g}"] = _parameters(answer, f"what fit_scaling_law returned for group {g}")
    return found, {}


def predict(names: dict[str, Any], arrays: Arrays, options: dict[str, Any]) -> tuple[Arrays, dict[str, Any]]:
    call = program.function(names, "scaling_law_func")
    x = arrays["X"]
    targets = int(options.get("targets", 1))
    prediction = np.empty((x.shape[0], targets))
    for g, rows in _groups(arrays):
        answer = program.guarded(f"predicting group {g}", call, x[rows], arrays[f"params/{g}"].copy())
        what = f"what scaling_law_func returned for group {g}"
        values = program.numbers(answer, what)
        shape = (int(rows.sum()), targets)
        if values.shape != shape and not (targets == 1 and values.shape == shape[:1]):
            raise program.Failed("shape", f"{what} has shape {values.shape}, not {shape}")
        prediction[rows] = values.reshape(shape)
    return {"prediction": prediction}, {}


def custom_fit(names: dict[str, Any], arrays: Arrays, options: dict[str, Any]) -> tuple[Arrays, dict[str, Any]]:
    call = program.function(names, "custom_fit")
    columns = [str(name) for name in options["variables"]]
    found: Arrays = {}
    for g, rows in _groups(arrays):
        law = laws.from_arrays(arrays, options, rows)
        table = {name: arrays["rows"][rows, k] for k, name in enumerate(columns)}
        answer = program.guarded(f"fitting group {g}", call, table, law.targets.copy(), law)
        what = f"what custom_fit returned for group {g}"
        values = _parameters(_in_order(answer, law.names), what)
        if values.shape != (len(law.names),):
            raise program.Failed("shape", f"{what} has shape {values.shape}; the law has {len(law.names)} parameters")
        found[f"params/{g}"] = values
    return found, {}


ENTRIES: dict[str, Driver] = {"fit": fit, "predict": predict, "custom_fit": custom_fit}


def _groups(arrays: Mapping[str, NDArray[np.float64]]) -> list[tuple[int, NDArray[np.bool_]]]:
    """Number and rows of each group."""
    group = arrays["group"].astype(np.int64)
    return [(int(g), group == g) for g in np.unique(group)]


def _parameters(answer: Any, what: str) -> NDArray[np.float64]:
    """Parameters as an array of one or two axes."""
    values = program.numbers(answer, what)
    if values.ndim > 2:
        raise program.Failed("shape", f"{what} has {values.ndim} axes; parameters have one or two")
    return values.reshape(1) if values.ndim == 0 else values


def _in_order(answer: Any, names: tuple[str, ...]) -> Any:
    """Parameters given by name, in the law's order."""
    if isinstance(answer, Mapping) and set(answer) == set(names):
        return [answer[name] for name in names]
    return answer
