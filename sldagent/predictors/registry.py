"""Predictors, their words on the command line and their benchmarks, found by name; modules are imported when asked for."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from sldagent.errors import PredictorError

if TYPE_CHECKING:
    from sldagent.predictors.base import Predictor
    from sldagent.predictors.benchmark import Benchmark
    from sldagent.predictors.command import Command


@dataclass(frozen=True)
class Entry:
    """Where a predictor's parts are, as ``module:attribute``."""

    summary: str
    """One line for ``--help``."""
    predictor: str
    command: str
    """A `Command`: how the verb ``predictor`` reads its tables."""


PREDICTORS: Mapping[str, Entry] = {
    "bnsl": Entry(
        "broken neural scaling law: a power law with smooth breaks",
        "sldagent.predictors.bnsl.model:BNSL",
        "sldagent.predictors.bnsl.command:COMMAND",
    ),
    "curve_blend": Entry(
        "four forms of a learning curve, weighted by how they extrapolated",
        "sldagent.predictors.bnsl.blend:CurveBlend",
        "sldagent.predictors.bnsl.command:BLEND_COMMAND",
    ),
    "sloth": Entry(
        "skills scaling law: benchmark scores from size, tokens and family through a few latent skills",
        "sldagent.predictors.sloth.model:Sloth",
        "sldagent.predictors.sloth.command:COMMAND",
    ),
    "pooled": Entry(
        "mixed model of benchmark scores: curves in log compute and size, family offsets partially pooled",
        "sldagent.predictors.sloth.pooled:PooledLaw",
        "sldagent.predictors.sloth.command:POOLED_COMMAND",
    ),
    "observational": Entry(
        "observational scaling law: a score from other benchmark scores, through capability components",
        "sldagent.predictors.observational.model:ObservationalLaw",
        "sldagent.predictors.observational.command:COMMAND",
    ),
    "trajectories": Entry(
        "trajectory forecaster: accuracy at later checkpoints from the first ones, with quantiles",
        "sldagent.predictors.trajectories.model:TrajectoryForecaster",
        "sldagent.predictors.trajectories.command:COMMAND",
    ),
    **{
        f"m{k}": Entry(
            f"learning curve M{k}: {form}",
            f"sldagent.predictors.bnsl.curves:M{k}",
            f"sldagent.predictors.bnsl.command:M{k}_COMMAND",
        )
        for k, form in enumerate(
            ("b x^-c", "e + b x^-c", "b (1/x + g)^c", "(y - e)/(e0 - y)^a = b x^-c, solved for y"), start=1
        )
    },
}
"""By the name on the command line and in files."""

BENCHMARKS: Mapping[str, str] = {
    "bnsl": "sldagent.predictors.bnsl.bench:BENCHMARK",
    "observational": "sldagent.predictors.observational.bench:BENCHMARK",
    "sloth": "sldagent.predictors.sloth.bench:BENCHMARK",
    "trajectories": "sldagent.predictors.trajectories.bench:BENCHMARK",
}
"""Benchmarks of published systems for the verb ``bench``, as ``module:attribute`` of a `Benchmark`."""


def predictor_class(name: str) -> type[Predictor]:
    """The class of a predictor.  Raises PredictorError with close names where there is none of this name."""
    found: type[Predictor] = _attribute(entry(name).predictor)
    return found


def command(name: str) -> Command:
    """How the command line fits and applies a predictor."""
    found: Command = _attribute(entry(name).command)
    return found


def benchmark(name: str) -> Benchmark:
    """A benchmark of `BENCHMARKS`."""
    found: Benchmark = _attribute(BENCHMARKS[name])
    return found


def entry(name: str) -> Entry:
    """The entry of a predictor.  Raises PredictorError with close names where there is none of this name."""
    if name not in PREDICTORS:
        close = difflib.get_close_matches(name.lower(), list(PREDICTORS), n=2)
        hint = f"did you mean {' or '.join(close)}?" if close else f"there are: {', '.join(PREDICTORS)}"
        raise PredictorError(f"there is no predictor '{name}'; {hint}")
    return PREDICTORS[name]


def _attribute(place: str) -> Any:
    module, name = place.split(":")
    return getattr(import_module(module), name)
