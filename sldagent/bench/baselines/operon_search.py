"""pyoperon: genetic programming with local search of coefficients (Burlacu, Kronberger and Kommenda, 2020)."""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from sldagent.bench.baselines.package import Constants, Expression, Findings, Question
from sldagent.laws.expr import Expr, add, call, div, mul, neg, num, power, sub, var

SYMBOLS = "add,sub,mul,div,aq,exp,log,sqrt,square,tanh,constant,variable"
"""Functions that the law language has too; ``aq(x, y)`` is x / sqrt(1 + y**2)."""
UNBOUNDED = 10**9


def search(question: Question) -> Findings:
    """NSGA-II on training R2 and length; the own choice is the front's expression of lowest BIC.

    BIC, because the package's default, a description length, has to be told how large the noise is.
    """
    sklearn = import_module("pyoperon.sklearn")
    model = sklearn.SymbolicRegressor(
        allowed_symbols=SYMBOLS,
        objectives=["r2", "length"],
        optimizer_iterations=5,
        population_size=1000,
        max_length=50,
        generations=UNBOUNDED,
        max_evaluations=question.evaluations or UNBOUNDED,
        max_time=None if question.seconds is None else max(1, round(question.seconds)),
        n_threads=question.threads,
        random_state=question.seed,
        model_selection_criterion="bayesian_information_criterion",
        uncertainty=[1.0],
    )
    model.fit(question.X, question.z)
    names = {hash_: f"x{k}" for k, hash_ in enumerate(model.variables_)}
    front = sorted(model.pareto_front_, key=lambda s: int(s["length"]))
    wanted = model.evaluate_model(model.model_, question.wanted) if len(question.wanted) else np.zeros(0)
    own = min(front, key=lambda s: float(s["bayesian_information_criterion"]))
    criterion = float(own["bayesian_information_criterion"])
    return Findings(
        expressions=tuple(_expression(model, s, names, question) for s in front),
        own_text=model.get_model_string(model.model_, 6, [f"x{k}" for k in range(len(names))]),
        own_error=criterion if math.isfinite(criterion) else math.inf,
        own_wanted=np.asarray(wanted, dtype=float),
        evaluations=int(model.stats_["residual_evaluations"]),
    )


def _expression(model: Any, solution: Any, names: dict[int, str], question: Question) -> Expression:
    constants = Constants()
    return Expression(
        text=str(solution["model"]),
        expr=_tree(list(solution["tree"].Nodes), names, constants),
        constants=tuple(constants.values),
        fitted=np.asarray(model.evaluate_model(solution["tree"], question.X), dtype=float),
        size=int(solution["length"]),
    )


def _tree(nodes: list[Any], names: dict[int, str], constants: Constants) -> Expr | None:
    """Nodes are in postfix order; a node's first operand ends right before it, and every variable carries a coefficient."""

    def build(k: int) -> Expr | None:
        node = nodes[k]
        if node.IsConstant:
            return constants.take(node.Value)
        if node.IsVariable:
            return mul(constants.take(node.Value), var(names[node.HashValue]))
        operands: list[Expr] = []
        at = k - 1
        for _ in range(node.Arity):
            operand = build(at)
            if operand is None:
                return None
            operands.append(operand)
            at -= nodes[at].Length + 1
        make = _FUNCTIONS.get(str(node.Type).rpartition(".")[2])
        return None if make is None else make(*operands)

    return build(len(nodes) - 1)


def _sub(first: Expr, *rest: Expr) -> Expr:
    return sub(first, add(*rest)) if rest else neg(first)


def _div(first: Expr, *rest: Expr) -> Expr:
    return div(first, mul(*rest)) if rest else div(num(1.0), first)


_FUNCTIONS: dict[str, Callable[..., Expr]] = {
    "Add": add,
    "Sub": _sub,
    "Mul": mul,
    "Div": _div,
    "Aq": lambda x, y: div(x, call("sqrt", add(num(1.0), power(y, num(2.0))))),
    "Exp": lambda x: call("exp", x),
    "Log": lambda x: call("log", x),
    "Sqrt": lambda x: call("sqrt", x),
    "Square": lambda x: power(x, num(2.0)),
    "Tanh": lambda x: call("tanh", x),
}
