"""What candidate k shall be: the one decision that a search makes, as a function of the state and k."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sldagent.archive.records import AskedRecord, CandidateRecord
from sldagent.evaluation.result import Evaluation, Failure
from sldagent.evolution.background import as_parent
from sldagent.evolution.compact import TextIndex
from sldagent.evolution.emphasis import OPERATOR, best_without, emphasised, repeats
from sldagent.evolution.rng import generator
from sldagent.evolution.selection import pick_parents
from sldagent.evolution.slots import Models, Slot, context_for_model
from sldagent.evolution.state import SearchState
from sldagent.laws.canonical import canonical, structure_hash
from sldagent.laws.parse import parse_program
from sldagent.laws.program import Program
from sldagent.laws.render import render_expr, render_program
from sldagent.proposers.base import Context, Parent, Proposal, Proposer, program_key

BUDGET_NOTE = "the grammar's, because the budget for language models is used up"


@dataclass(frozen=True)
class Planned:
    """A candidate that has been proposed."""

    k: int
    island: int
    operator: str
    parents: tuple[int, ...]
    program: Program | None
    """None: a model was asked and wrote none, for the reason in `failure`."""
    note: str = ""
    failure: Failure | None = None
    structure: str = ""
    """Hash of the canonical form."""
    key: str = ""
    """See `sldagent.proposers.base.program_key`."""
    slot: Slot | None = None
    asked: AskedRecord | None = None

    @classmethod
    def of(cls, k: int, island: int, proposal: Proposal) -> Planned:
        """A candidate as a proposer made it."""
        structure, key = structure_hash(proposal.program.law), program_key(proposal.program)
        parents = tuple(proposal.parents)
        return cls(k, island, proposal.operator, parents, proposal.program, proposal.note, None, structure, key)

    def record(self, evaluation: Evaluation) -> CandidateRecord:
        """The candidate as it goes into the archive."""
        program = self.program
        return CandidateRecord(
            k=self.k, island=self.island, operator=self.operator, parents=self.parents,
            source="" if program is None else render_program(program),
            formula="" if program is None else render_expr(canonical(program.law).expr),
            structure=self.structure, evaluation=evaluation, note=self.note, asked=self.asked,
        )  # fmt: skip


@dataclass(frozen=True)
class _Awaited:
    """A model's candidate whose turn to be proposed has come."""

    slot: Slot
    emphasis: float
    instead: Proposal | None
    """The grammar's child from the same state, for when the budget does not allow the call; None without a budget."""


class Planner:
    """Proposes candidates in order.

    It remembers what has been proposed, committed or not, so that what counts as a duplicate does not depend on which
    evaluations have finished.  What a model wrote is remembered from its commit on, because when it arrives is chance.
    """

    def __init__(
        self, proposer: Proposer, read: Callable[[str], Program] = parse_program, *, models: Models | None = None
    ) -> None:
        """`read` makes the program of a candidate's text, as `proposer` made it (see `recall`)."""
        self._proposer = proposer
        self.read = read
        self.models = models or Models(())
        self.seeds: Sequence[Proposal] = tuple(proposer.seeds())
        self._first = TextIndex()
        """First candidate with this key or, under its own hash, this structure."""
        self._awaited: dict[int, _Awaited] = {}

    def ask(self, k: int, state: SearchState) -> None:
        """Deal candidate `k`, from the state a model's look-back before it; asks where it is a model's."""
        if self.models.deals(k, len(self.seeds), state.config) and not state.models_spent:
            self.models.ask(context_for_model(k, state, self.parents), state)

    def plan(self, k: int, state: SearchState) -> Planned | None:
        """Candidate `k`, proposed from `state`: a seed of generation 0, or a child of its island.

        None where a model was asked for it; `arrived` then tells.
        """
        slot = self.models.slot(k)
        if slot is not None:
            self._awaited[k] = _Awaited(slot, state.trial.emphasis, self._child(k, state) if state.config.budgeted else None)
            return None
        twin = None if k < len(self.seeds) else self._twin(k, state)
        proposal = self.seeds[k] if k < len(self.seeds) else twin or self._child(k, state)
        planned = Planned.of(k, k % state.config.islands, proposal)
        self.remember(planned)
        return planned

    def recall(self, record: CandidateRecord) -> Planned:
        """A candidate that an earlier session of the run proposed and evaluated."""
        if not record.source:
            failure = record.evaluation.failure
            return Planned(
                record.k, record.island, record.operator, record.parents, None, record.note, failure, asked=record.asked
            )
        proposal = Proposal(self.read(record.source), record.operator, record.parents, record.note)
        planned = Planned.of(record.k, record.island, proposal)
        if record.asked is None:
            self.remember(planned)
        return planned

    def arrived(self, k: int, islands: int) -> Planned | None:
        """What came of asking a model for candidate `k`; None while that is under way.

        Raises what asking raised: ProviderDown, a ChatFailure that every call would meet, MissingAnswer.
        """
        told = self.models.told(k)
        if told is None or k not in self._awaited:
            return None
        awaited, island = self._awaited.pop(k), k % islands
        if told.asked.outcome == "budget" and awaited.instead is not None:
            note = "; ".join(part for part in (BUDGET_NOTE, awaited.instead.note) if part)
            planned = Planned.of(k, island, replace(awaited.instead, note=note))
            return replace(planned, slot=awaited.slot, asked=told.asked)
        parents = tuple(p.candidate for p in awaited.slot.parents)
        if told.program is None:
            failure = Failure(told.reason, told.asked.error)
            planned = Planned(k, island, awaited.slot.operator, parents, None, told.asked.hypothesis, failure)
        else:
            program = emphasised(told.program, awaited.emphasis)
            proposal = Proposal(program, awaited.slot.operator, parents, told.asked.hypothesis)
            planned = Planned.of(k, island, proposal)
        return replace(planned, slot=awaited.slot, asked=told.asked)

    def without_evaluation(self, planned: Planned) -> Evaluation | None:
        """What stands for the evaluation of a candidate that is not evaluated: it holds no program, or one that the run
        has had.  None where it is new so far."""
        if planned.failure is not None:
            return Evaluation(failure=planned.failure)
        first = self._first.get(planned.key)
        if first is not None and first < planned.k:
            return Evaluation(failure=Failure("duplicate", f"same program as candidate {first}"))
        return None

    def remember(self, planned: Planned) -> None:
        """Know the candidate from now on."""
        if planned.key:
            known = self._first.get(planned.key)
            self._first[planned.key] = planned.k if known is None else min(planned.k, known)
            self._first.setdefault(planned.structure, planned.k)

    def recollect(self, first: TextIndex) -> None:
        """Remember what `first` holds, keys and structures, and nothing else."""
        self._first = first

    def judged(self, record: CandidateRecord, planned: Planned) -> CandidateRecord:
        """The finished candidate, with whether what a model promised of it held."""
        if planned.slot is None or record.asked is None:
            return record
        return replace(record, asked=self.models.judge(planned.slot, record.asked, planned.program, record.evaluation))

    def _child(self, k: int, state: SearchState) -> Proposal:
        config, island = state.config, k % state.config.islands
        context = Context(
            k=k, island=island, temperature=config.temperature(island), bias=config.bias(island),
            parents=self.parents(k, island, state), seen=self._first, credit=dict(state.credit),
            emphasis=state.trial.emphasis, state=state.committed,
        )  # fmt: skip
        return self._proposer.propose(context, generator(config.seed, k, "propose"))

    def _twin(self, k: int, state: SearchState) -> Proposal | None:
        """A good law again, with the emphasis on larger scale, where it is candidate `k`'s turn to try that."""
        if not repeats(k, state.config.emphasis_at, state.config.look_back, state.trial.emphasis):
            return None
        members = [*state.front_members, *(m for island in state.islands for m in island.members)]
        found = best_without(members, lambda program: program_key(program) in self._first)
        return Proposal(found[1], OPERATOR, (found[0].k,)) if found else None

    def parents(self, k: int, island: int, state: SearchState) -> tuple[Parent, ...]:
        """Parents of candidate `k`, from `state`; none now and then, and while the island is empty."""
        config = state.config
        rng = generator(config.seed, k, "parents")
        if config.independent or rng.random() < config.fresh_share or state.wants_fresh(island, k):
            return ()
        members = pick_parents(
            state.islands[island].members, state.front_members, size=config.tournament(island),
            front_share=config.front_share, second_parent=config.second_parent, rng=rng,
        )
        return tuple(as_parent(m) for m in members)
