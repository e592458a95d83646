from __future__ import annotations

from dataclasses import replace

import numpy as np

from sldagent.laws.canonical import structure_hash
from sldagent.laws.catalogue import bind, catalogue
from sldagent.proposers.base import Context
from sldagent.proposers.grammar import GrammarProposer, Limits
from sldagent.proposers.grammar.motifs import MOTIFS
from sldagent.tasks.task import Task

FAMILY = {m.name: m.family for m in MOTIFS}


def test_generation_zero_has_the_catalogue_first_and_every_form_of_it(task: Task) -> None:
    published = {structure_hash(p.law) for entry in catalogue() for p in bind(entry, task)}
    seeds = GrammarProposer(task).seeds()
    head = [s for s in seeds if s.operator == "catalogue"]
    assert list(seeds[: len(head)]) == head
    assert {structure_hash(s.program.law) for s in head} == published
    assert len(seeds) > len(head), "random motifs follow"


def test_most_random_laws_are_distinct(tasks: dict[str, Task]) -> None:
    proposer = GrammarProposer(tasks["scales"], catalogue_programs=())
    hashes = {
        structure_hash(proposer.propose(Context(k, 0, 0.5, "", [], set(), {}), np.random.default_rng(k)).program.law)
        for k in range(2000)
    }
    assert len(hashes) >= 1000


def test_a_bias_is_felt(tasks: dict[str, Task]) -> None:
    proposer = GrammarProposer(tasks["settings"], catalogue_programs=())

    def share(bias: str) -> float:
        texts = [
            str(proposer.propose(Context(k, 0, 0.5, bias, [], set(), {}), np.random.default_rng(k)).program.law.expr)
            for k in range(150)
        ]
        return sum("softplus" in t for t in texts) / len(texts)

    assert share("broken") > 2 * share("power")


def test_families_are_those_that_fit(tasks: dict[str, Task]) -> None:
    assert GrammarProposer(tasks["mixture"], catalogue_programs=()).families == ("mixture",)
    families = GrammarProposer(tasks["settings"], catalogue_programs=()).families
    assert {"optimum", "power", "polynomial"} <= set(families) <= set(FAMILY.values())
    assert "mixture" not in families


def test_tight_limits_still_give_laws(tasks: dict[str, Task]) -> None:
    proposer = GrammarProposer(tasks["scales"], limits=Limits(scalars=1, tree=8), catalogue_programs=())
    for k in range(10):
        law = proposer.propose(Context(k, 0, 0.5, "", [], set(), {}), np.random.default_rng(k)).program.law
        assert len(law.parameters) <= 1


def test_discovery_sees_training_rows_only(tasks: dict[str, Task]) -> None:
    task = tasks["scales"]
    split = np.where(np.arange(len(task.X)) % 4 == 0, "test", "train")
    marked = replace(task, split=split)
    poisoned = replace(marked, X=np.where((split == "test")[:, None], 1e99, task.X),
                       Y=np.where((split == "test")[:, None], -1e99, task.Y))
    one, two = (GrammarProposer(t).seeds() for t in (marked, poisoned))
    assert [s.program for s in one] == [s.program for s in two]
