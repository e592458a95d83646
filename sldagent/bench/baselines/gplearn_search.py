"""gplearn: plain genetic programming with protected functions (Stephens, 2016)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sldagent.bench.baselines.package import Constants, Expression, Findings, Question, promising
from sldagent.laws.expr import Expr, add, call, div, mul, neg, num, power, sub, var

FloatArray = NDArray[np.float64]
POPULATION = 1000
LARGEST = 50.0
"""The exponential is protected: its argument is clipped here."""


def search(question: Question) -> Findings:
    """Generation after generation until the time or the evaluations are used up; the own choice has the lowest penalised
    training error of the last one.
    """
    began = time.monotonic()
    population = min(POPULATION, max(10, question.evaluations or POPULATION))
    model = _model(question.seed, population)
    generations, longest = 0, 0.0
    while True:
        start = time.monotonic()
        generations += 1
        model.set_params(generations=generations, warm_start=generations > 1)
        model.fit(question.X, question.z)
        longest = max(longest, time.monotonic() - start)
        if question.seconds is not None and time.monotonic() - began + longest > question.seconds:
            break
        if question.evaluations is not None and generations * population >= question.evaluations:
            break
        if question.seconds is None and question.evaluations is None:
            break
    best = model._program
    programs = [p for p in model._programs[-1] if p is not None]
    return Findings(
        expressions=promising([_expression(p, question.X) for p in programs], question.z),
        own_text=str(best).replace("X", "x"),
        own_error=_finite(float(best.fitness_)),
        own_wanted=_predict(best, question.wanted) if len(question.wanted) else np.zeros(0),
        evaluations=generations * population,
    )


def _model(seed: int, population: int) -> Any:
    genetic, functions = import_module("gplearn.genetic"), import_module("gplearn.functions")
    exp = functions.make_function(function=_protected_exp, name="exp", arity=1, wrap=False)
    return genetic.SymbolicRegressor(
        population_size=population,
        function_set=("add", "sub", "mul", "div", "log", "sqrt", exp),
        metric="mse",
        const_range=(-5.0, 5.0),
        parsimony_coefficient=1e-3,
        tournament_size=min(20, population),
        low_memory=True,
        random_state=seed,
        n_jobs=1,
    )


def _protected_exp(x: FloatArray) -> FloatArray:
    return np.asarray(np.exp(np.clip(x, -LARGEST, LARGEST)))


def _predict(program: Any, X: FloatArray) -> FloatArray:
    with np.errstate(all="ignore"):
        return np.broadcast_to(np.asarray(program.execute(X), dtype=float), (len(X),)).copy()


def _expression(program: Any, X: FloatArray) -> Expression:
    constants = Constants()
    with np.errstate(all="ignore"):
        expr, _ = _tree(program.program, X, constants)
    return Expression(
        text=str(program),
        expr=expr,
        constants=tuple(constants.values),
        fitted=_predict(program, X),
        size=len(program.program),
    )


def _tree(items: Sequence[Any], X: FloatArray, constants: Constants) -> tuple[Expr, FloatArray]:
    """The expression and its values on the rows of `X`.  Items are in prefix order."""
    position = 0

    def build() -> tuple[Expr, FloatArray]:
        nonlocal position
        item = items[position]
        position += 1
        if isinstance(item, (int, np.integer)):
            return var(f"x{int(item)}"), X[:, int(item)]
        if isinstance(item, (float, np.floating)):
            return constants.take(float(item)), np.full(len(X), float(item))
        built = [build() for _ in range(item.arity)]
        values = np.asarray(item(*(v for _, v in built)), dtype=float)
        operands = [e for e, _ in built]
        if item.name in _OF_MAGNITUDE:
            return _of_magnitude(item.name, operands[0], built[0][1]), values
        return _FUNCTIONS[item.name](*operands), values

    return build()


def _of_magnitude(name: str, argument: Expr, values: FloatArray) -> Expr:
    """The protected logarithm and root are those of |x|: of x or -x where its sign is the same on all rows, else by x**2.

    Where x comes near 0, and in protected divisions, the package does something else again: what an expression predicts is
    compared afterwards.
    """
    if values.min() >= 0:
        return call(name, argument)
    if values.max() <= 0:
        return call(name, neg(argument))
    square = power(argument, num(2.0))
    return div(call("log", square), num(2.0)) if name == "log" else call("sqrt", call("sqrt", square))


_OF_MAGNITUDE = ("log", "sqrt")
_FUNCTIONS: dict[str, Callable[..., Expr]] = {
    "add": add,
    "sub": sub,
    "mul": mul,
    "div": div,
    "exp": lambda x: call("exp", x),
}


def _finite(value: float) -> float:
    return value if math.isfinite(value) else math.inf

