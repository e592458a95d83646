"""What candidate k shall be: the one decision that a search makes, as a function of the state and k."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sldagent.archive.records import CandidateRecord
from sldagent.evaluation.result import Evaluation, Failure
from sldagent.evolution.compact import TextIndex
from sldagent.evolution.emphasis import OPERATOR, best_without, repeats
from sldagent.evolution.rng import generator
from sldagent.evolution.selection import pick_parents
from sldagent.evolution.state import SearchState
from sldagent.laws.canonical import canonical, structure_hash
from sldagent.laws.parse import parse_program
from sldagent.laws.program import Program
from sldagent.laws.render import render_expr, render_program
from sldagent.proposers.base import Context, Parent, Proposal, Proposer, program_key


@dataclass(frozen=True)
class Planned:
    """A candidate that has been proposed."""

    k: int
    island: int
    proposal: Proposal
    structure: str
    """Hash of the canonical form."""
    duplicate_of: int | None
    """An earlier candidate that is the same program: this one is not evaluated."""

    def record(self, evaluation: Evaluation) -> CandidateRecord:
        """The candidate as it goes into the archive."""
        program = self.proposal.program
        return CandidateRecord(
            k=self.k, island=self.island, operator=self.proposal.operator,
            parents=tuple(self.proposal.parents), source=render_program(program),
            formula=render_expr(canonical(program.law).expr), structure=self.structure, evaluation=evaluation,
            note=self.proposal.note,
        )

    def duplicate(self) -> Evaluation:
        """What stands for the evaluation of a duplicate."""
        return Evaluation(failure=Failure("duplicate", f"same program as candidate {self.duplicate_of}"))


class Planner:
    """Proposes candidates in order.

    It remembers everything proposed so far, committed or not: that is known without waiting for
    any evaluation, so what counts as a duplicate does not depend on which evaluations have finished.
    """

    def __init__(self, proposer: Proposer, read: Callable[[str], Program] = parse_program) -> None:
        """`read` makes the program of a candidate's text, as `proposer` made it (see `recall`)."""
        self._proposer = proposer
        self._read = read
        self.seeds: Sequence[Proposal] = tuple(proposer.seeds())
        self._first = TextIndex()
        """First candidate with this key or, under its own hash, this structure."""

    def plan(self, k: int, state: SearchState) -> Planned:
        """Candidate `k`, proposed from `state`: a seed of generation 0, or a child of its island."""
        config = state.config
        island = k % config.islands
        if k < len(self.seeds):
            proposal = self.seeds[k]
        elif twin := self._twin(k, state):
            proposal = twin
        else:
            context = Context(
                k=k, island=island, temperature=config.temperature(island), bias=config.bias(island),
                parents=self._parents(k, island, state), seen=self._first, credit=dict(state.credit),
                emphasis=state.trial.emphasis,
            )
            proposal = self._proposer.propose(context, generator(config.seed, k, "propose"))
        return self._planned(k, island, proposal)

    def recall(self, record: CandidateRecord) -> Planned:
        """A candidate that an earlier session of the run proposed and evaluated."""
        proposal = Proposal(self._read(record.source), record.operator, record.parents, record.note)
        return self._planned(record.k, record.island, proposal)

    def _planned(self, k: int, island: int, proposal: Proposal) -> Planned:
        structure, key = structure_hash(proposal.program.law), program_key(proposal.program)
        first = self._first.setdefault(key, k)
        self._first.setdefault(structure, k)
        return Planned(k, island, proposal, structure, None if first == k else first)

    def _twin(self, k: int, state: SearchState) -> Proposal | None:
        """A good law again, with the emphasis on larger scale, where it is candidate `k`'s turn to try that."""
        if not repeats(k, state.config.emphasis_at, state.config.look_back, state.trial.emphasis):
            return None
        members = [*state.front_members, *(m for island in state.islands for m in island.members)]
        found = best_without(members, lambda program: program_key(program) in self._first)
        return Proposal(found[1], OPERATOR, (found[0].k,)) if found else None

    def _parents(self, k: int, island: int, state: SearchState) -> tuple[Parent, ...]:
        config = state.config
        rng = generator(config.seed, k, "parents")
        if rng.random() < config.fresh_share or state.wants_fresh(island, k):
            return ()
        members = pick_parents(
            state.islands[island].members, state.front_members, size=config.tournament(island),
            front_share=config.front_share, second_parent=config.second_parent, rng=rng,
        )
        return tuple(Parent(m.k, m.program, m.x, m.complexity, m.mdl) for m in members)
