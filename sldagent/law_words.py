"""What users' words for a law and a loss mean: a published law's name, a formula, a program file; mse, huber:0.001."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from sldagent.errors import ConfigError, LawError
from sldagent.laws.program import Program, Recipe
from sldagent.tasks.task import Task

DELTA = Recipe().delta
_NAME = re.compile(r"[A-Za-z][\w -]*")


def programs_for(train: Task, law: str) -> list[Program]:
    """The program or programs that a law's name, formula or file stands for, over the task's symbols."""
    from sldagent.laws.catalogue import bind, find
    from sldagent.laws.expr import walk
    from sldagent.laws.parse import parse_file, parse_formula

    path = Path(law)
    if path.suffix == ".py":
        return [parse_file(path, variables={*train.symbols, *train.vectors})]
    if _NAME.fullmatch(law) and law not in train.symbols:
        entry = find(law)
        bound = bind(entry, train)
        if not bound:
            wanted = ", ".join(f"{v.symbol} ({' or '.join(v.role)}: {v.meaning})" for v in entry.variables)
            raise LawError(
                f"'{entry.name}' needs the variables {wanted}, which '{train.name}' with {', '.join(train.symbols)} "
                "does not have: say which columns are what with --variables, or write the formula over your own columns"
            )
        return bound
    parsed = parse_formula(law, train.symbols, tuple(train.vectors))
    roots = (parsed.expr, *(e for _, elements in parsed.vectors for e in elements))
    if not any(node.op == "var" for root in roots for node in walk(root)):
        raise LawError(
            f"the formula '{law}' uses no variable of '{train.name}', which has {', '.join(train.symbols)} "
            "(any other name is a constant to be fitted): write it over these"
        )
    return [Program(parsed, Recipe(starts=32))]


def parse_loss(text: str) -> tuple[str, str, float]:
    """(loss, space, delta) of ``mse``, ``relative``, ``log``, ``huber:DELTA`` (on logarithms) or ``lad``."""
    name, _, value = text.partition(":")
    squared = {"mse": "raw", "relative": "relative", "log": "log"}
    if name in squared and not value:
        return ("squared", squared[name], DELTA)
    if text == "lad":
        return ("absolute", "raw", DELTA)
    if name == "huber":
        try:
            delta = float(value or DELTA)
        except ValueError:
            delta = -1.0
        if 0 < delta < float("inf"):
            return ("huber", "log", delta)
        raise ConfigError(f"the threshold of '--loss {text}' is not a positive number: write for example huber:0.001")
    raise ConfigError(f"unknown loss '{text}': use mse, relative, log, huber:DELTA or lad")


def with_loss(program: Program, loss: str | None) -> Program:
    """The program with another loss; None: as it is.  Raises ConfigError for a loss that is none."""
    if loss is None:
        return program
    kind, space, delta = parse_loss(loss)
    return replace(program, recipe=replace(program.recipe, loss=kind, space=space, delta=delta))  # type: ignore[arg-type]
