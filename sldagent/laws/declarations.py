"""The two declarations of a program: ``parameters = {...}`` and ``recipe = fit(...)``."""

from __future__ import annotations

import ast
from collections.abc import Collection
from dataclasses import replace
from typing import TypeVar, get_args

from sldagent.errors import LawError
from sldagent.laws.lexical import Source, check_name, number, suggestion
from sldagent.laws.program import Kind, Loss, Parameter, Recipe, Scope, Space

LOSS_ALIASES: dict[str, tuple[Loss, Space]] = {
    "mse": ("squared", "raw"),
    "relative": ("squared", "relative"),
    "log": ("squared", "log"),
    "lad": ("absolute", "raw"),
}
"""Short names that set both the loss and the space that residuals live in."""
MAX_STARTS = 10_000
MAX_EMPHASIS = 4.0

_KINDS = get_args(Kind)
T = TypeVar("T")


def loss_of(name: str) -> tuple[Loss, Space | None]:
    """Loss and, for the short names (mse, relative, log, lad), space.  Raises `LawError` for any other
    name.
    """
    if name in LOSS_ALIASES:
        return LOSS_ALIASES[name]
    for loss in get_args(Loss):
        if name == loss:
            return loss, None
    known = [*get_args(Loss), *LOSS_ALIASES]
    raise LawError(f"unknown loss {name!r}; known are {', '.join(known)}")


def read_parameters(source: Source, node: ast.AST) -> dict[str, Parameter]:
    """``{"E": positive(), "a": interval(0, 2, scope="shared", start=(0.05, 1)), "k": real()}``."""
    if not isinstance(node, ast.Dict):
        raise source.error('parameters must be a dictionary such as {"E": positive()}', node)
    found: dict[str, Parameter] = {}
    for key, value in zip(node.keys, node.values, strict=True):
        if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
            raise source.error("the keys of parameters are names in quotes", key or value)
        name = key.value
        check_name(source, name, key, "parameter")
        if name in found:
            raise source.error(f"parameter {name!r} is declared twice", key)
        found[name] = _parameter(source, name, value)
    return found


def _parameter(source: Source, name: str, node: ast.expr) -> Parameter:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id not in _KINDS:
        raise source.error(f"parameter {name!r} must be positive(), real() or interval(lower, upper)", node)
    kind = next(k for k in _KINDS if k == node.func.id)
    result = Parameter(name, kind)
    if kind == "interval":
        bounds = [number(source, a) for a in node.args]
        if len(bounds) != 2 or bounds[0] is None or bounds[1] is None or not bounds[0] < bounds[1]:
            raise source.error(f"parameter {name!r}: interval takes two numbers, the lower one first", node)
        result = replace(result, lower=bounds[0], upper=bounds[1])
    elif node.args:
        raise source.error(f"parameter {name!r}: {kind} takes only scope= and start=", node)
    for option in _options(source, node, ("scope", "start")):
        if option.arg == "scope":
            result = replace(result, scope=_choice(source, option, get_args(Scope)))
        else:
            result = replace(result, start=_start(source, result, option.value))
    return result


def _start(source: Source, parameter: Parameter, node: ast.expr) -> tuple[float, float]:
    if not isinstance(node, (ast.Tuple, ast.List)) or len(node.elts) != 2:
        raise source.error(f"parameter {parameter.name!r}: start takes two numbers, as in start=(0.05, 1)", node)
    low, high = (number(source, e) for e in node.elts)
    if low is None or high is None or not low <= high:
        raise source.error(f"parameter {parameter.name!r}: start takes two numbers, the lower one first", node)
    if parameter.kind == "positive" and low <= 0:
        raise source.error(f"parameter {parameter.name!r} is positive, so its start must be above 0", node)
    if parameter.kind == "interval" and not parameter.lower <= low <= high <= parameter.upper:
        raise source.error(f"parameter {parameter.name!r}: start must lie inside the interval", node)
    return low, high


def read_recipe(source: Source, node: ast.AST, parameters: Collection[Parameter]) -> Recipe:
    """``fit(loss="huber", delta=1e-3, space="log", starts=32, ridge={"q": 0.1}, shrink={"A": 1}, emphasis=1)``; every
    argument is optional.
    """
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id != "fit" or node.args:
        raise source.error('recipe must be fit(...) with named options, such as fit(loss="huber", space="log")', node)
    recipe = Recipe()
    implied: Space | None = None
    chosen: Space | None = None
    for option in _options(source, node, ("loss", "space", "delta", "starts", "ridge", "shrink", "emphasis")):
        if option.arg == "loss":
            try:
                loss, implied = loss_of(_text(source, option))
            except LawError as e:
                raise source.error(str(e), option.value) from None
            recipe = replace(recipe, loss=loss)
        elif option.arg == "space":
            chosen = _choice(source, option, get_args(Space))
        elif option.arg == "delta":
            delta = number(source, option.value)
            if delta is None or delta <= 0:
                raise source.error("delta must be a number above 0", option.value)
            recipe = replace(recipe, delta=delta)
        elif option.arg == "starts":
            starts = number(source, option.value)
            if starts is None or starts != int(starts) or not 1 <= starts <= MAX_STARTS:
                raise source.error(f"starts must be a whole number from 1 to {MAX_STARTS}", option.value)
            recipe = replace(recipe, starts=int(starts))
        elif option.arg == "emphasis":
            emphasis = number(source, option.value)
            if emphasis is None or not 0 <= emphasis <= MAX_EMPHASIS:
                raise source.error(f"emphasis must be a number from 0 to {MAX_EMPHASIS:g}", option.value)
            recipe = replace(recipe, emphasis=float(emphasis))
        else:
            weights = _penalties(source, option, [p.name for p in parameters])
            recipe = replace(recipe, shrink=weights) if option.arg == "shrink" else replace(recipe, ridge=weights)
    _check_shrink(source, node, recipe, parameters)
    if implied is not None and chosen is not None and implied != chosen:
        raise source.error(f"this loss works in the {implied} space, not in {chosen}; leave space out", node)
    return replace(recipe, space=chosen or implied or "raw")


def _penalties(source: Source, option: ast.keyword, parameters: Collection[str]) -> tuple[tuple[str, float], ...]:
    node, what = option.value, option.arg
    if not isinstance(node, ast.Dict):
        raise source.error(f'{what} must be a dictionary such as {{"q": 0.1}}', node)
    found: dict[str, float] = {}
    for key, value in zip(node.keys, node.values, strict=True):
        if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
            raise source.error(f"the keys of {what} are names of parameters in quotes", key or value)
        if key.value not in parameters:
            raise source.error(
                f"{what} names {key.value!r}, which is no parameter of the law{suggestion(key.value, parameters)}",
                key,
            )
        weight = number(source, value)
        if weight is None or weight < 0:
            raise source.error(f"the {what} weight of {key.value!r} must be a number of at least 0", value)
        if key.value in found:
            raise source.error(f"{what} names {key.value!r} twice", key)
        found[key.value] = weight
    return tuple(found.items())


def _check_shrink(source: Source, node: ast.AST, recipe: Recipe, parameters: Collection[Parameter]) -> None:
    shared = {p.name for p in parameters if p.scope == "shared"}
    for name, _ in recipe.shrink:
        if name in shared:
            raise source.error(
                f"shrink names {name!r}, which is shared by all groups; only values per group have a mean", node
            )
    if recipe.shrink and recipe.loss == "absolute":
        raise source.error("shrink takes a squared or Huber loss", node)


def _options(source: Source, node: ast.Call, known: tuple[str, ...]) -> list[ast.keyword]:
    seen: set[str] = set()
    for option in node.keywords:
        if option.arg not in known:
            name = option.arg or "**"
            raise source.error(f"unknown option {name!r}{suggestion(name, known)}; known are {', '.join(known)}", option)
        if option.arg in seen:
            raise source.error(f"option {option.arg!r} appears twice", option)
        seen.add(option.arg)
    return node.keywords


def _text(source: Source, option: ast.keyword) -> str:
    if not isinstance(option.value, ast.Constant) or not isinstance(option.value.value, str):
        raise source.error(f"{option.arg} must be a text in quotes", option.value)
    return option.value.value


def _choice(source: Source, option: ast.keyword, known: tuple[T, ...]) -> T:
    text = _text(source, option)
    for value in known:
        if value == text:
            return value
    raise source.error(f"{option.arg} must be one of {', '.join(map(repr, known))}, not {text!r}", option.value)
