"""A task's diagnosis, and a law's on that task; every part is computed when it is first asked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sldagent.diagnosis import beyond, bias, design, exponents, noise, optimum, parameters, terms
from sldagent.diagnosis.axes import Axes, axes_of
from sldagent.diagnosis.model import Model, model_of
from sldagent.evaluation.evaluate import Evaluator
from sldagent.evaluation.result import Evaluation
from sldagent.laws.program import Program

FloatArray = NDArray[np.float64]

KEPT = 64
"""Laws whose diagnosis is kept; parents come back often."""


class Study:
    """What there is to say about a task's training rows, and a small memory of laws already looked at."""

    def __init__(self, evaluator: Evaluator) -> None:
        """Raises ValueError where the evaluator's task holds rows that are not for training."""
        task = evaluator.grounds.task
        if not (task.split == "train").all():
            raise ValueError("a study is made of training rows only: pass an evaluator of task.part('train')")
        self.evaluator = evaluator
        self.task = task
        self.rows = evaluator.grounds.rows
        self.targets = tuple(t.name for t in task.targets)
        self._laws: OrderedDict[Program, LawStudy] = OrderedDict()

    def law(self, program: Program, evaluation: Evaluation) -> LawStudy:
        """The law's diagnosis.

        Raises:
            FitError: the evaluation holds no parameters of this law.
        """
        found = self._laws.get(program)
        if found is None:
            found = self._laws[program] = LawStudy(self, model_of(self.evaluator, program, evaluation))
            if len(self._laws) > KEPT:
                self._laws.popitem(last=False)
        self._laws.move_to_end(program)
        return found

    def disagreements(self, laws: Sequence[LawStudy]) -> tuple[beyond.Disagreement, ...]:
        """Where they differ most, ten times beyond the data."""
        return beyond.disagreements(self.probes, [law.model for law in laws])

    @cached_property
    def axes(self) -> Axes:
        """Of `rows`, which are ordered by group."""
        return axes_of(self.task, self.rows.X)

    @cached_property
    def columns(self) -> tuple[design.Column, ...]:
        return design.columns(self.task, axes_of(self.task, self.task.X))

    @cached_property
    def pairings(self) -> tuple[design.Pairing, ...]:
        return design.pairings(self.axes)

    @cached_property
    def cuts(self) -> tuple[design.CutRange, ...]:
        return design.cut_ranges(self.task, tuple(c.cut for c in self.evaluator.grounds.cuts))

    @cached_property
    def replicates(self) -> noise.Replicates:
        return noise.replicates(self.task)

    @cached_property
    def stretches(self) -> tuple[exponents.Stretch, ...]:
        return exponents.stretches(self.axes, self.rows.group)

    @cached_property
    def terms(self) -> terms.Terms:
        return terms.second_order(self.axes, self.rows.group)

    @cached_property
    def bowls(self) -> optimum.Bowls:
        return optimum.bowls(self.axes, self.rows.group)

    @cached_property
    def optima(self) -> tuple[optimum.Optima, ...]:
        return optimum.optima(self.bowls, self.rows.Y)

    @cached_property
    def probes(self) -> beyond.Probes:
        return beyond.probes(self.task, self.axes)


class LawStudy:
    """What there is to say about one fitted law."""

    def __init__(self, study: Study, model: Model) -> None:
        self.study = study
        self.model = model
        self.residual: FloatArray = study.evaluator.normalised(study.rows, model.predicted)
        """(targets, rows), prediction less observation, in units of the group's standard deviation."""

    @property
    def program(self) -> Program:
        return self.model.program

    @property
    def evaluation(self) -> Evaluation:
        return self.model.evaluation

    @cached_property
    def unexplained(self) -> tuple[noise.Unexplained, ...]:
        return noise.unexplained(self.study.evaluator.grounds, self.residual)

    @cached_property
    def cuts(self) -> tuple[bias.CutBias, ...]:
        return bias.cut_biases(self.study.evaluator, self.model)

    @cached_property
    def regimes(self) -> tuple[bias.Regime, ...]:
        return bias.regime_biases(self.study.axes, self.study.targets, self.residual)

    @cached_property
    def exponents(self) -> tuple[exponents.Exponent, ...]:
        rows, study = self.study.rows, self.study
        floor = beyond.floors(study.probes, self.model)
        return exponents.local_exponents(study.stretches, study.targets, rows.Y, self.model.predicted, rows.group, floor)

    @cached_property
    def parameters(self) -> parameters.ParameterCards:
        return parameters.parameter_cards(self.model, self.study.rows)

    @cached_property
    def limits(self) -> tuple[beyond.Limit, ...]:
        return beyond.limits(self.study.probes, self.model)

    @cached_property
    def terms(self) -> tuple[terms.TermCorrelation, ...]:
        return terms.term_correlations(self.study.terms, self.study.targets, self.residual)

    @cached_property
    def drifts(self) -> tuple[optimum.Drift, ...]:
        used = self.program.law.variables
        return optimum.drifts(self.study.bowls, self.study.targets, self.study.optima, self.model.predicted, used)
