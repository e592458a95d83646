"""The law document: one discovered law as JSON, complete enough to be shown, exported and applied without the
archive.

Keys, version 1:

* ``format`` ("sldagent law"), ``version`` (1), ``law`` (id), ``task`` (name)
* ``program`` (source text), ``formula``, ``latex``
* ``variables``: list of {symbol, column, role, log, log_base, unit, description, min, max}; min and max over
  the rows that the law was found on, null where unknown
* ``vectors``: vector name -> symbols
* ``targets``: list of {name, range, unit}; null in a range is infinite
* ``group_column`` (null: none), ``groups``
* ``parameters``: name -> {axes, values, kind, scope}; axes is "group" (length 1 where the scope is shared),
  then "target" and vector names where the law indexes the parameter; values are nested lists in that order
* ``evaluation``: {x, x_se, mdl, complexity, tree, scalars, valid, train_r2}; null where a figure is not
  finite
* ``mode`` ("blind" or "targeted"), ``provenance``: {run, date, sldagent, seed, source, proposer}
* ``card``: the task's roles as the archive keeps them
* ``uncertainty`` (may be missing): what intervals of predictions rest on, see `sldagent.uncertainty.spread`: residual noise
  by target and group, covariance of the parameters by group, growth of the error over the cuts
* ``shortlist`` (may be missing): {law, program, parameters} of the other laws of its run's short list
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import date as Date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sldagent import __version__
from sldagent.archive.records import CandidateRecord, RunRecord
from sldagent.errors import ExportError, LawError
from sldagent.laws.expr import TARGET_INDEX
from sldagent.laws.inspect import parameter_axes
from sldagent.laws.parse import parse_program
from sldagent.laws.program import Law, Program
from sldagent.laws.views import to_latex
from sldagent.uncertainty.spread import Spread

FORMAT = "sldagent law"
VERSION = 1

_REQUIRED: dict[str, type | tuple[type, ...]] = {
    "law": str,
    "task": str,
    "program": str,
    "formula": str,
    "variables": list,
    "vectors": dict,
    "targets": list,
    "groups": list,
    "parameters": dict,
    "evaluation": dict,
    "mode": str,
    "provenance": dict,
}


def law_document(run: RunRecord, candidate: CandidateRecord, date: Date | str) -> dict[str, Any]:
    """The document of one archived candidate; `date` is when it is written.

    Raises ExportError where the candidate has no fitted parameters.
    """
    law_id = f"{run.run}-{candidate.k}"
    evaluation = candidate.evaluation
    if evaluation.failure is not None:
        raise ExportError(
            f"law {law_id} has no fitted parameters ({evaluation.failure.reason}): choose another law"
        )
    card = run.card
    vectors = {name: list(symbols) for name, symbols in (card.get("vectors") or {}).items()}
    variables = [_variable(v) for v in card["variables"]]
    program = _program(candidate.source, [v["symbol"] for v in variables], vectors)
    document: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "law": law_id,
        "task": run.task,
        "program": candidate.source,
        "formula": candidate.formula,
        "latex": to_latex(program.law),
        "variables": variables,
        "vectors": vectors,
        "targets": [_target(t) for t in card["targets"]],
        "group_column": _group_column(card),
        "groups": [str(g) for g in card.get("groups") or ("all",)],
        "parameters": _parameters(program.law, evaluation.parameters),
        "evaluation": {
            **{
                key: _finite(getattr(evaluation, key))
                for key in ("x", "x_se", "mdl", "complexity", "train_r2")
            },
            "tree": evaluation.tree,
            "scalars": evaluation.scalars,
            "valid": evaluation.valid,
        },
        "mode": run.mode,
        "provenance": {
            "run": run.run,
            "date": str(date),
            "sldagent": __version__,
            "seed": run.seed,
            "source": str(card.get("source") or ""),
            "proposer": candidate.operator,
        },
        "card": json.loads(json.dumps(_plain(card))),
    }
    check_document(document, f"law {law_id}")
    return document


def read_law_document(path: str | Path) -> dict[str, Any]:
    """The document in a JSON file, checked.  Raises ExportError naming the file and the key at fault."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ExportError(
            f"{path}: no such file; write one with 'sldagent export LAW --format json -o FILE'"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ExportError(f"{path} cannot be read as a law: {error}") from error
    try:
        values = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ExportError(f"{path} is not JSON: {error}") from error
    check_document(values, str(path))
    return dict(values)


def check_document(document: Any, where: str) -> Program:
    """The document's program, after every key that exports rely on was checked.

    Raises ExportError; `where` (a file or a law id) begins every message.
    """
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ExportError(f"{where} is not a law written by sldagent: its key 'format' is not '{FORMAT}'")
    if document.get("version") != VERSION:
        raise ExportError(
            f"{where} has version {document.get('version')!r} of the law format, this sldagent reads version "
            f"{VERSION}: export the law again with this version"
        )
    for key, kind in _REQUIRED.items():
        if not isinstance(document.get(key), kind):
            raise ExportError(f"{where}: key '{key}' is missing or of the wrong type; export the law again")
    _check_roles(document, where)
    try:
        program = _program(
            document["program"], [v["symbol"] for v in document["variables"]], document["vectors"]
        )
    except LawError as error:
        raise ExportError(f"{where}: the program is not in the law language: {error}") from error
    for parameter in program.law.parameters:
        _check_values(document, program.law, parameter.name, where)
    if "uncertainty" in document:
        try:
            Spread.read(document["uncertainty"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ExportError(f"{where}: key 'uncertainty' cannot be read ({error!r}); export the law again") from None
    return program


def document_parameters(document: Mapping[str, Any]) -> dict[str, NDArray[np.float64]]:
    """Fitted values by parameter name; axes as in `sldagent.evaluation.result.Evaluation.parameters`."""
    return {name: np.asarray(entry["values"], dtype=float) for name, entry in document["parameters"].items()}


def _program(text: str, symbols: Sequence[str], vectors: Mapping[str, Any]) -> Program:
    return parse_program(text, variables=(*symbols, *vectors), vectors=tuple(vectors))


def _check_roles(document: Mapping[str, Any], where: str) -> None:
    for key, field in (("variables", "symbol"), ("targets", "name")):
        entries = document[key]
        if not entries or not all(isinstance(e, dict) and isinstance(e.get(field), str) for e in entries):
            raise ExportError(f"{where}: every entry of '{key}' needs a text '{field}'")
    for variable in document["variables"]:
        _check_variable(variable, where)
    groups, vectors = document["groups"], document["vectors"]
    if not groups or not all(isinstance(g, str) for g in groups) or len(set(groups)) != len(groups):
        raise ExportError(f"{where}: key 'groups' must list at least one group, each once, as text")
    symbols = [v["symbol"] for v in document["variables"]]
    if len(set(symbols)) != len(symbols):
        raise ExportError(f"{where}: two variables have the same symbol")
    for symbol in symbols:
        if not symbol.isidentifier() or not symbol.isascii() or "__" in symbol:
            raise ExportError(f"{where}: the symbol {symbol!r} of a variable is not a plain name")
    for name, members in vectors.items():
        if not isinstance(members, list) or not members or not set(map(str, members)) <= set(symbols):
            raise ExportError(f"{where}: the vector {name!r} must list symbols of variables")


def _check_variable(variable: Mapping[str, Any], where: str) -> None:
    symbol = variable["symbol"]
    for key in ("column", "role", "unit"):
        if not isinstance(variable.get(key), str):
            raise ExportError(f"{where}: variable '{symbol}' needs a text '{key}'")
    for key in ("min", "max"):
        if _finite(variable.get(key)) is None and variable.get(key) is not None:
            raise ExportError(f"{where}: key '{key}' of variable '{symbol}' must be a number or null")


def _check_values(document: Mapping[str, Any], law: Law, name: str, where: str) -> None:
    entry = document["parameters"].get(name)
    if not isinstance(entry, dict) or "values" not in entry:
        raise ExportError(f"{where}: the values of parameter '{name}' are missing")
    lengths = {n: len(m) for n, m in document["vectors"].items()} | {
        n: len(items) for n, items in law.vectors
    }
    lengths[TARGET_INDEX] = len(document["targets"])
    groups = 1 if law.parameter(name).scope == "shared" else len(document["groups"])
    shape = (groups, *(lengths[axis] for axis in parameter_axes(law)[name]))
    try:
        values = np.asarray(entry["values"], dtype=float)
    except (TypeError, ValueError):
        raise ExportError(f"{where}: the values of parameter '{name}' are not an array of numbers") from None
    if values.shape != shape:
        raise ExportError(
            f"{where}: parameter '{name}' has values of shape {values.shape}, the law needs {shape}"
        )
    if not np.all(np.isfinite(values)):
        raise ExportError(f"{where}: parameter '{name}' has a value that is not finite")


def _parameters(law: Law, values: Mapping[str, NDArray[np.float64]]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, axes in parameter_axes(law).items():
        if name not in values:
            raise ExportError(f"the archive holds no value of parameter '{name}'; evaluate the law again")
        declared = law.parameter(name)
        out[name] = {
            "axes": ["group", *("target" if a == TARGET_INDEX else a for a in axes)],
            "values": np.asarray(values[name], dtype=float).tolist(),
            "kind": declared.kind,
            "scope": declared.scope,
        }
    return out


def _variable(card: Mapping[str, Any]) -> dict[str, Any]:
    log = bool(card.get("log", False))
    return {
        "symbol": card.get("symbol", card["name"]),
        "column": card["name"],
        "role": card["role"],
        "log": log,
        "log_base": float(card.get("log_base", math.e)),
        "unit": card.get("unit", ""),
        "description": card.get("description", ""),
        "min": _finite(card.get("min")),
        "max": _finite(card.get("max")),
    }


def _target(card: Mapping[str, Any]) -> dict[str, Any]:
    low, high = card.get("range") or (None, None)
    return {"name": card["name"], "range": [_finite(low), _finite(high)], "unit": card.get("unit", "")}


def _group_column(card: Mapping[str, Any]) -> str | None:
    name = card.get("group_column") or card.get("group")
    return str(name) if name else None


def _finite(value: Any) -> float | None:
    """The number, or None where JSON cannot hold it (or there is none)."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if number and math.isfinite(value) else None


def _plain(value: Any) -> Any:
    """JSON-able copy: infinite numbers become null, arrays lists."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    return None if isinstance(value, float) and not math.isfinite(value) else value
