"""The grammar proposer: children by typed operators on law trees, without any model or network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from sldagent.errors import LawError
from sldagent.laws.canonical import simplify_program, structure_hash
from sldagent.laws.expr import Expr
from sldagent.laws.program import Program, Recipe
from sldagent.proposers.base import Context, Parent, Proposal, program_key
from sldagent.proposers.grammar.build import Builder
from sldagent.proposers.grammar.compose import Library, fresh_law
from sldagent.proposers.grammar.credit import adapted
from sldagent.proposers.grammar.draft import Draft
from sldagent.proposers.grammar.limits import Limits, cap, excess, too_many, undefined
from sldagent.proposers.grammar.motifs import Choice
from sldagent.proposers.grammar.operators import BOLD, OPERATORS, Edit
from sldagent.proposers.grammar.probe import Probe
from sldagent.proposers.grammar.profile import profile
from sldagent.tasks.task import Task

SEED_MOTIFS = 40
"""Laws of one motif each in generation 0, after the catalogue's."""
SEED_LAWS = 16
"""Random laws in generation 0, last."""
RIDGE = 1e-3
"""Penalty weight of fresh laws' polynomials."""
MOST_FIT_GENES = 0.04
"""Largest share of children that only change the recipe."""


class GrammarProposer:
    """Makes laws from motifs and operators; deterministic given the context and the generator."""

    def __init__(
        self, task: Task, *, limits: Limits | None = None, catalogue_programs: Sequence[Program] | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.profile = profile(task)
        self.library = Library(self.profile, cap(self.profile, self.limits))
        self.probe = Probe(task)
        self._symbols = (*task.symbols, *task.vectors)
        self._catalogue = tuple(_bound(task) if catalogue_programs is None else catalogue_programs)

    @property
    def families(self) -> tuple[str, ...]:
        """Motif families that fit the task: what an island may be biased to."""
        return self.library.families

    # -- generation 0 -------------------------------------------------------------------------------------------------

    def seeds(self) -> Sequence[Proposal]:
        """The catalogue's laws that fit, laws of one motif each (common ones first), random laws; all distinct."""
        rng = np.random.default_rng(0)
        found: dict[str, Proposal] = {}
        for program in self._catalogue:
            found.setdefault(structure_hash(program.law), Proposal(program, "catalogue"))
        known = len(found)
        for choice in self._one_per_motif(rng):
            made = self._attempt(partial(_as_law, choice), rng, tries=4)
            if made is not None:
                note = f"{choice.motif.name}: {', '.join(v.symbol for v in choice.variables)}"
                found.setdefault(structure_hash(made.law), Proposal(made, "motif", note=note))
            if len(found) >= known + SEED_MOTIFS:
                break
        random = 0
        for _ in range(4 * SEED_LAWS):
            program = self._fresh("", rng)
            key = structure_hash(program.law)
            if key not in found:
                found[key] = Proposal(program, "random")
                random += 1
                if random == SEED_LAWS:
                    break
        return tuple(found.values())

    def _one_per_motif(self, rng: np.random.Generator) -> list[Choice]:
        """Every term and whole-law motif with one choice of variables; heavier motifs, and those that use more of the
        task's variables, first."""
        choices: dict[str, list[Choice]] = {}
        for choice in (*self.library.choices["law"], *self.library.choices["term"]):
            choices.setdefault(choice.motif.name, []).append(choice)
        picked = [every[int(rng.integers(len(every)))] for every in choices.values()]
        share = 2.0 / max(1, len(self.library.symbols))
        return sorted(picked, key=lambda c: -c.motif.weight - share * len({v.symbol for v in c.variables}))

    # -- children -----------------------------------------------------------------------------------------------------

    def propose(self, context: Context, rng: np.random.Generator) -> Proposal:
        """One child: one or more operators on the first parent, or a fresh law where there is none."""
        last: Proposal | None = None
        if context.parents:
            for _ in range(self.limits.tries):
                proposal = self._child(context, rng)
                if proposal is None:
                    continue
                proposal = _emphasised(proposal, context.emphasis)
                if self._new(proposal.program, context):
                    return proposal
                last = proposal
        for _ in range(max(1, self.limits.tries)):
            proposal = Proposal(self._fresh(context.bias, rng), "randomize" if context.parents else "random")
            proposal = _emphasised(proposal, context.emphasis)
            if self._new(proposal.program, context):
                return proposal
            last = last or proposal
        assert last is not None
        return last

    def _new(self, program: Program, context: Context) -> bool:
        """Whether nothing like it is in the run: a new structure, or the parent's structure with another recipe.

        The latter only where the run tells recipes apart, that is where the parent's own key is in `seen`.
        """
        structure = structure_hash(program.law)
        if structure not in context.seen:
            return True
        if not context.parents:
            return False
        parent = context.parents[0].program
        return (
            structure == structure_hash(parent.law)
            and program_key(parent) in context.seen and program_key(program) not in context.seen
        )

    def _child(self, context: Context, rng: np.random.Generator) -> Proposal | None:
        """The first parent changed by one to three operators; None where none applies or the result is not legal."""
        first, second = context.parents[0], (context.parents[1] if len(context.parents) > 1 else None)
        weights = self._weights(context, second)
        steps = 1 + (rng.random() < 0.15 + 0.4 * context.temperature) + (rng.random() < 0.25 * context.temperature)
        draft, names = Draft.of(first.program), []
        for _ in range(steps):
            name = _draw(weights, rng)
            changed = self._apply(name, draft, second, context.bias, rng)
            if changed is not None:
                draft = changed
                names.append(name)
        if not names:
            return None
        program = self._finish(draft, rng)
        if program is None:
            return None
        used = [first.candidate]
        if second is not None and "crossover" in names:
            used.append(second.candidate)
        return Proposal(program, "+".join(names), tuple(used))

    def _apply(
        self, name: str, draft: Draft, second: Parent | None, bias: str, rng: np.random.Generator,
    ) -> Draft | None:
        builder = Builder(self.profile, rng, {*draft.parameters, *draft.vectors})
        other = Draft.of(second.program) if second is not None else None
        return OPERATORS[name][0](Edit(draft, builder, self.library, bias, other))

    def _weights(self, context: Context, second: Parent | None) -> dict[str, float]:
        weights = adapted({name: weight for name, (_, weight) in OPERATORS.items()}, context.credit)
        # another estimator for the same law gains a little nearly always: its credit must not crowd out new laws
        weights["fit_genes"] = min(weights["fit_genes"], MOST_FIT_GENES)
        for name in BOLD:
            weights[name] *= 0.5 + context.temperature
        if second is None:
            weights["crossover"] = 0.0
        return weights

    # -- from a draft to a legal program ------------------------------------------------------------------------------

    def _fresh(self, bias: str, rng: np.random.Generator) -> Program:
        """A random law, half of the time changed by one operator."""
        program = self._attempt(lambda b: fresh_law(self.library, b, bias), rng, tries=30)
        if program is None:
            return self._smallest(rng)
        if rng.random() < 0.5:
            weights = {name: w for name, (_, w) in OPERATORS.items() if name not in ("crossover", "randomize")}
            changed = self._apply(_draw(weights, rng), Draft.of(program), None, bias, rng)
            if changed is not None and (better := self._finish(changed, rng)) is not None:
                return better
        return program

    def _attempt(self, build: Callable[[Builder], Expr], rng: np.random.Generator, tries: int) -> Program | None:
        """The first legal law of a few that `build` makes."""
        for _ in range(tries):
            builder = Builder(self.profile, rng)
            expr: Expr = build(builder)
            draft = Draft(expr, {}, {}, self._recipe(builder)).declared(builder)
            program = self._finish(draft, rng)
            if program is not None:
                return program
        return None

    def _smallest(self, rng: np.random.Generator) -> Program:
        """The law that is left when a table's rows allow nothing else: a floor alone."""
        builder = Builder(self.profile, rng)
        return Draft(builder.floor(), {}, {}, Recipe()).declared(builder).program(self._symbols)

    def _recipe(self, b: Builder) -> Recipe:
        """Squared raw residuals mostly; a penalty on the coefficients of a named vector."""
        recipe = Recipe()
        if b.dice.chance(0.15) and b.profile.positive:
            recipe = replace(recipe, space=b.dice.pick(("log", "relative")))
        elif b.dice.chance(0.1):
            recipe = replace(recipe, loss="huber", delta=float(f"{0.05 * b.profile.spread:.2g}"))
        if b.penalised and b.dice.chance(0.5):
            recipe = replace(recipe, ridge=tuple((name, RIDGE) for name in b.penalised))
        return recipe

    def _finish(self, draft: Draft, rng: np.random.Generator) -> Program | None:
        """The canonical program, or None if it is too large, not defined on the data, or not finite there."""
        program = draft.program(self._symbols)
        try:
            if too_many(program.law, self.profile, self.limits, slack=2) or undefined(program.law, self.profile):
                return None
            program = simplify_program(program)
            law = program.law
            if excess(law, self.profile, self.limits) or undefined(law, self.profile):
                return None
        except LawError:  # an operator split the uses of a parameter of another proposer's law
            return None
        if not law.variables and self.library.symbols:
            return None
        return program if self.probe.finite(law, rng) else None


def _emphasised(proposal: Proposal, emphasis: float) -> Proposal:
    """The proposal with the run's emphasis in its recipe."""
    program = proposal.program
    if program.recipe.emphasis == emphasis:
        return proposal
    return replace(proposal, program=replace(program, recipe=replace(program.recipe, emphasis=emphasis)))


def _as_law(choice: Choice, b: Builder) -> Expr:
    """A whole law as it is; a term above a floor."""
    built = choice.build(b)
    if choice.motif.form == "law":
        return built
    return Expr("add", (b.floor(), *(built.args if built.op == "add" else (built,))))


def _draw(weights: dict[str, float], rng: np.random.Generator) -> str:
    left = rng.random() * sum(weights.values())
    for name, weight in weights.items():
        left -= weight
        if left < 0:
            return name
    return name


def _bound(task: Task) -> list[Program]:
    """The published laws on this task, those that use most of its variables first: a short search tries them early."""
    from sldagent.laws.catalogue import bind, catalogue

    bound = [program for entry in catalogue() for program in bind(entry, task)]
    width = dict.fromkeys(task.symbols, 1) | {name: len(members) for name, members in task.vectors.items()}
    return sorted(bound, key=lambda program: -sum(width[v] for v in program.law.variables))
