"""A candidate's program read back from its text is the program: the same key, and the same children."""

from __future__ import annotations

import numpy as np
import pytest

from sldagent.laws.parse import parse_program
from sldagent.laws.render import render_program
from sldagent.proposers.base import Context, Parent, program_key
from sldagent.proposers.grammar import GrammarProposer
from sldagent.tasks.load import load_task


@pytest.mark.parametrize("name", ["tiny_lm", "tiny_lm_lr"])
def test_programs_survive_their_text(name: str) -> None:
    task = load_task(name).part("train")
    proposer = GrammarProposer(task)
    symbols = {*task.symbols, *task.vectors}
    programs = [p.program for p in proposer.seeds()]
    for k, parent in enumerate(programs[:40]):
        children = []
        for program in (parent, parse_program(render_program(parent), variables=symbols)):
            assert program == parent
            assert program_key(program) == program_key(parent)
            context = Context(k, 0, 0.6, "", [Parent(k, program, 0.0, 10.0, 0.0)], set(), {})
            children.append(proposer.propose(context, np.random.default_rng(k)))
        assert children[0] == children[1]
        child = children[0].program
        assert parse_program(render_program(child), variables=symbols) == child
        assert parse_program(render_program(child)) == child  # as a worker elsewhere reads it
