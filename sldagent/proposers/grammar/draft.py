"""A law under construction: expression, declarations and recipe, and how it becomes a program again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from sldagent.laws.expr import Expr, walk
from sldagent.laws.program import Law, Parameter, Program, Recipe
from sldagent.proposers.grammar.build import Builder


@dataclass(frozen=True)
class Draft:
    """Declarations by name may be more than the expression uses; `program` drops the rest."""

    expr: Expr
    parameters: Mapping[str, Parameter]
    vectors: Mapping[str, tuple[Expr, ...]]
    recipe: Recipe

    @classmethod
    def of(cls, program: Program) -> Draft:
        law = program.law
        return cls(law.expr, {p.name: p for p in law.parameters}, dict(law.vectors), program.recipe)

    def with_expr(self, expr: Expr) -> Draft:
        return replace(self, expr=expr)

    def declared(self, b: Builder) -> Draft:
        """With what `b` has declared added."""
        return replace(
            self, parameters={**self.parameters, **{p.name: p for p in b.parameters}},
            vectors={**self.vectors, **dict(b.vectors)},
        )

    def program(self, symbols: Iterable[str]) -> Program:
        """The program: declarations in order of first use, variables in the order of `symbols`."""
        used = self.used()
        vectors = tuple((name, elements) for name, elements in self.vectors.items() if name in used.vectors)
        parameters = tuple(self.parameters[name] for name in used.parameters)
        law = Law(tuple(s for s in symbols if s in used.variables), self.expr, parameters, vectors)
        return Program(law, self.recipe.only(used.parameters))

    def used(self) -> Names:
        """Names that the expression and the vectors that it uses refer to."""
        parameters: dict[str, None] = {}
        variables: dict[str, None] = {}
        vectors: dict[str, None] = {}
        stack = [self.expr]
        while stack:
            for node in walk(stack.pop()):
                name = node.over if node.op == "sum" else node.name
                if node.op == "par":
                    parameters[name] = None
                elif node.op in ("var", "sum"):
                    if name not in self.vectors:
                        variables[name] = None
                    elif name not in vectors:
                        vectors[name] = None
                        stack.extend(reversed(self.vectors[name]))
        return Names(tuple(parameters), tuple(variables), tuple(vectors))


@dataclass(frozen=True)
class Names:
    """Names in order of first use; `variables` holds scalar variables and the task's vectors."""

    parameters: tuple[str, ...]
    variables: tuple[str, ...]
    vectors: tuple[str, ...]
