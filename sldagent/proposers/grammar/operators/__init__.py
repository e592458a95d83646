"""The operators that make a child from one or two parents, with their start weights."""

from sldagent.proposers.grammar.operators.crossover import crossover
from sldagent.proposers.grammar.operators.edit import Edit, Operator
from sldagent.proposers.grammar.operators.local import (
    change_op,
    change_var,
    effective_var,
    generalise,
    insert_shift,
    specialise,
    wrap,
)
from sldagent.proposers.grammar.operators.parameters import (
    broaden,
    constant_to_function,
    edit_vector,
    fit_genes,
    tie,
    untie,
)
from sldagent.proposers.grammar.operators.sums import (
    add_term,
    drop_term,
    hoist,
    interact,
    outer,
    randomize,
    regroup_floor,
    rotate,
    swap_motif,
)

OPERATORS: dict[str, tuple[Operator, float]] = {
    "add_term": (add_term, 3.0),
    "swap_motif": (swap_motif, 3.0),
    "drop_term": (drop_term, 1.5),
    "hoist": (hoist, 0.5),
    "interact": (interact, 2.0),
    "generalise": (generalise, 2.0),
    "specialise": (specialise, 1.5),
    "change_var": (change_var, 1.5),
    "constant_to_function": (constant_to_function, 2.0),
    "effective_var": (effective_var, 1.5),
    "tie": (tie, 1.2),
    "untie": (untie, 0.6),
    "change_op": (change_op, 1.0),
    "wrap": (wrap, 0.8),
    "rotate": (rotate, 1.0),
    "insert_shift": (insert_shift, 1.0),
    "outer": (outer, 0.5),
    "move_floor": (regroup_floor, 0.4),
    "broaden": (broaden, 0.6),
    "edit_vector": (edit_vector, 1.5),
    "fit_genes": (fit_genes, 1.0),
    "crossover": (crossover, 5.0),
    "randomize": (randomize, 0.7),
}
"""Name -> (operator, start weight)."""

BOLD = frozenset({"swap_motif", "crossover", "outer", "randomize", "effective_var", "wrap", "rotate"})
"""Operators that change much; hot islands use them more."""

__all__ = ["BOLD", "OPERATORS", "Edit", "Operator"]
