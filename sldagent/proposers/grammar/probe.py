"""A quick look at a law before any fit: are its predictions finite at typical parameters, on the data's box?"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from sldagent.laws.expr import TARGET_INDEX, Expr
from sldagent.laws.inspect import parameter_axes
from sldagent.laws.program import Law, Parameter
from sldagent.tasks.task import FloatArray, Task

DRAWS = 3
ROWS = 10


def _sigmoid(x: FloatArray) -> FloatArray:
    return np.asarray(1.0 / (1.0 + np.exp(-x)))


FUNCTIONS: Mapping[str, Callable[..., FloatArray]] = {
    "exp": np.exp, "log": np.log, "sqrt": np.sqrt, "tanh": np.tanh, "sigmoid": _sigmoid,
    "softplus": lambda x: np.logaddexp(0.0, x), "logaddexp": np.logaddexp,
    "smoothmin": lambda x, y, s: -np.logaddexp(-x * s, -y * s) / s,
    "smoothmax": lambda x, y, s: np.logaddexp(x * s, y * s) / s,
    "pow": np.power, "div": np.divide, "neg": np.negative,
}


class Probe:
    """A few training rows with the extremes of every variable, and the same rows a decade further in all scales.

    `rows` (rows, variables) in the task's order.
    """

    def __init__(self, task: Task) -> None:
        train = task.part("train")
        X = train.X if len(train.X) else task.X
        index: list[int] = []
        for j in range(X.shape[1]):
            index += [int(X[:, j].argmin()), int(X[:, j].argmax())]
        index += [int(k) for k in np.linspace(0, len(X) - 1, ROWS)] if len(X) else []
        near = X[list(dict.fromkeys(index))[:ROWS]]
        far = near.copy()
        for j, variable in enumerate(task.variables):
            if variable.role == "scale":
                decade = math.log(10.0) / math.log(variable.log_base)
                far[:, j] = far[:, j] + decade if variable.log else far[:, j] * 10.0
        both = np.concatenate([near, far])
        self.columns = {symbol: both[None, :, j] for j, symbol in enumerate(task.symbols)}
        self.members = {name: tuple(symbols) for name, symbols in task.vectors.items()}
        self.sizes = {name: len(symbols) for name, symbols in task.vectors.items()}
        self.targets = len(task.targets)

    def draw(self, law: Law, rng: np.random.Generator) -> dict[str, FloatArray]:
        """Random parameters: (draws, 1, *axes) by name."""
        lengths = {**self.sizes, **{name: len(e) for name, e in law.vectors}, TARGET_INDEX: self.targets}
        axes = parameter_axes(law)
        values = {}
        for p in law.parameters:
            shape = (DRAWS, 1, *(lengths[a] for a in axes[p.name]))
            values[p.name] = _sample(p, rng.random(shape))
        return values

    def finite(self, law: Law, rng: np.random.Generator) -> bool:
        """Whether at least two of three draws give finite predictions on all rows, for the first target."""
        values = self.draw(law, rng)
        with np.errstate(all="ignore"):
            y = self.evaluate(law, values, {TARGET_INDEX: 0})
        good = np.isfinite(np.broadcast_to(y, (DRAWS, y.shape[1]))).all(axis=1)
        return int(good.sum()) >= DRAWS - 1

    def evaluate(self, law: Law, values: Mapping[str, FloatArray], env: Mapping[str, int]) -> FloatArray:
        """Predictions (draws, rows)."""
        return self._value(law.expr, dict(law.vectors), values, env)

    def _value(
        self,
        e: Expr,
        vectors: Mapping[str, tuple[Expr, ...]],
        values: Mapping[str, FloatArray],
        env: Mapping[str, int],
    ) -> FloatArray:
        match e.op:
            case "num":
                return np.full((1, 1), e.value)
            case "par":
                array = values[e.name]
                for k in e.index:
                    array = array[:, :, self._position(k, env)]
                return array
            case "var" if not e.index:
                return self.columns[e.name]
            case "var":
                position = self._position(e.index[0], env)
                if e.name in vectors:
                    return self._value(vectors[e.name][position], vectors, values, env)
                return self.columns[self.members[e.name][position]]
            case "sum":
                size = len(vectors[e.over]) if e.over in vectors else self.sizes[e.over]
                terms = [self._value(e.args[0], vectors, values, {**env, e.name: k}) for k in range(size)]
                return np.asarray(sum(terms[1:], start=terms[0]))
        parts = [self._value(a, vectors, values, env) for a in e.args]
        if e.op in ("add", "mul"):
            total = parts[0]
            for part in parts[1:]:
                total = total + part if e.op == "add" else total * part
            return total
        return FUNCTIONS[e.op](*parts)

    @staticmethod
    def _position(index: str, env: Mapping[str, int]) -> int:
        return env[index] if index in env else int(index)


def _sample(p: Parameter, u: FloatArray) -> FloatArray:
    """Draws from a parameter's start range; log-uniform for positive parameters."""
    if p.kind == "positive":
        low, high = p.start or (0.1, 10.0)
        return np.asarray(np.exp(math.log(low) + (math.log(high) - math.log(low)) * u))
    if p.kind == "interval":
        low, high = p.start or (p.lower, p.upper)
    else:
        low, high = p.start or (-2.0, 2.0)
    return np.asarray(low + (high - low) * u)
