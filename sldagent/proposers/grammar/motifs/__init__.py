"""The motif library: all shapes, by form."""

from sldagent.proposers.grammar.motifs.effective import EFFECTIVE, EFFECTIVE_TERMS
from sldagent.proposers.grammar.motifs.laws import LAWS
from sldagent.proposers.grammar.motifs.mixture import MIXTURE, MIXTURE_EXPONENTS
from sldagent.proposers.grammar.motifs.motif import FAMILIES, Choice, Motif, applicable
from sldagent.proposers.grammar.motifs.settings import SETTINGS
from sldagent.proposers.grammar.motifs.terms import EXPONENT_TERMS, TERMS

MOTIFS: tuple[Motif, ...] = (
    *TERMS, *SETTINGS, *MIXTURE, *EFFECTIVE_TERMS, *EFFECTIVE, *LAWS, *EXPONENT_TERMS, *MIXTURE_EXPONENTS,
)

__all__ = ["FAMILIES", "MOTIFS", "Choice", "Motif", "applicable"]
