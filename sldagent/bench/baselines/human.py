"""The published human law of a task, refitted by our engine."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sldagent.bench.method import Answer, Job
from sldagent.bench.score import score_program
from sldagent.errors import FitError
from sldagent.evaluation.evaluate import Evaluator
from sldagent.fitting.public import Fit, fit_program
from sldagent.law_words import programs_for


@dataclass(frozen=True)
class Human:
    """The law that the task's card names (key ``human``); of its assignments to columns, the one that fits best."""

    name: str = "human"

    def check(self) -> None:
        """It needs nothing that is not installed."""

    def refusal(self, job: Job) -> str:
        return "" if job.human else "its card names no published law (key 'human')"

    def run(self, job: Job) -> Answer | None:
        grounds = job.grounds
        fits: list[Fit] = []
        refused = ""
        programs = programs_for(grounds.train, job.human)
        for program in programs:
            try:
                fits.append(fit_program(program, grounds.train, seed=job.seed))
            except FitError as error:
                refused = str(error)
        if not fits:
            return Answer(None, candidates=len(programs), failures=len(programs), note=refused)
        best = min(fits, key=lambda f: f.objective)
        judged = Evaluator(grounds.train, grounds.cuts).evaluate(best.program)
        law = score_program(job.human, best.program, replace(judged, parameters=best.parameters), grounds.task)
        return Answer(law, candidates=len(programs), failures=len(programs) - len(fits))
