"""The law language: expressions, programs, their text, canonical form and complexity.

`canonical` and `complexity` share their module's name and are imported from it, as are `views` (SymPy, LaTeX) and
`catalogue` (published laws), where they are needed.
"""

from sldagent.laws.canonical import simplify_program, structure_hash
from sldagent.laws.complexity import Complexity
from sldagent.laws.expr import FUNCTIONS, TARGET_INDEX, Expr
from sldagent.laws.inspect import fresh_parameter_names, parameter_axes, parameter_index
from sldagent.laws.parse import parse_formula, parse_program
from sldagent.laws.program import Law, Parameter, Program, Recipe
from sldagent.laws.render import render_expr, render_law, render_program
from sldagent.laws.substitute import rename_parameters, rename_variables

__all__ = [
    "FUNCTIONS",
    "TARGET_INDEX",
    "Complexity",
    "Expr",
    "Law",
    "Parameter",
    "Program",
    "Recipe",
    "fresh_parameter_names",
    "parameter_axes",
    "parameter_index",
    "parse_formula",
    "parse_program",
    "rename_parameters",
    "rename_variables",
    "render_expr",
    "render_law",
    "render_program",
    "simplify_program",
    "structure_hash",
]
