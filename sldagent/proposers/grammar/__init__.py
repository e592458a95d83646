"""The offline proposer: a typed grammar of scaling laws."""

from sldagent.proposers.grammar.limits import Limits
from sldagent.proposers.grammar.motifs import FAMILIES
from sldagent.proposers.grammar.proposer import GrammarProposer

__all__ = ["FAMILIES", "GrammarProposer", "Limits"]
