"""What is said to a language model: the templates of the folder ``prompts/``, filled with a diagnosis."""

from sldagent.prompts.names import Names, blind_names, plain_names
from sldagent.prompts.operators import OPERATORS, Operator, usable_operators
from sldagent.prompts.render import Call, FailureNote, Family, Prompt, PromptWriter, Tried, estimate_tokens

__all__ = [
    "OPERATORS",
    "Call",
    "FailureNote",
    "Family",
    "Names",
    "Operator",
    "Prompt",
    "PromptWriter",
    "Tried",
    "blind_names",
    "estimate_tokens",
    "plain_names",
    "usable_operators",
]
