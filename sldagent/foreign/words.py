"""numpy's words, as far as laws use them, on object arrays of numbers and symbols."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sldagent.foreign import symbols
from sldagent.foreign.symbols import MAX_ELEMENTS, Symbol, Untranslatable, is_number, value_of

Objects = NDArray[np.object_]
Word = Callable[..., Any]

CONSTANTS = {"pi": math.pi, "e": math.e, "inf": math.inf, "nan": math.nan, "newaxis": None}
TYPES = frozenset({"float", "float64", "float32", "double", "int", "int64", "ndarray"})


def as_array(x: Any) -> Objects:
    """The value as an object array; plain numbers become 0-dimensional ones."""
    if isinstance(x, np.ndarray):
        return x
    if isinstance(x, (list, tuple)):
        parts = [as_array(e) for e in x]
        shapes = {p.shape for p in parts}
        if len(shapes) > 1:
            raise Untranslatable("an array is made of parts of different shapes")
        shape = (len(parts), *(shapes.pop() if shapes else ()))
        check_shape(shape)
        out = np.empty(shape, dtype=object)
        for k, part in enumerate(parts):
            out[k] = part if part.shape else part[()]
        return out
    if isinstance(x, Symbol) or is_number(x):
        out = np.empty((), dtype=object)
        out[()] = x if isinstance(x, (Symbol, bool, int)) else float(x)
        return out
    raise Untranslatable(f"an array is needed where there is {symbols.describe(x)}")


def check_shape(shape: Sequence[int]) -> None:
    whole = all(isinstance(n, (int, np.integer)) and n >= 0 for n in shape)
    if not whole or math.prod(shape) > MAX_ELEMENTS or len(shape) > 4:
        raise Untranslatable("an array is too large to follow")


def plain(x: Any) -> Any:
    """A 0-dimensional array as its element."""
    return x[()] if isinstance(x, np.ndarray) and x.shape == () else x


def elementwise(f: Callable[..., Any]) -> Word:
    """`f` of numbers and symbols, broadcast over arrays."""

    def apply(*parts: Any, out: Any = None, dtype: Any = None, where: Any = None) -> Any:
        if out is not None or where is not None:
            raise Untranslatable("a function writes to out= or where=")
        if not any(isinstance(p, (np.ndarray, list, tuple)) for p in parts):
            return f(*parts)
        arrays = [as_array(p) for p in parts]
        try:
            shape = np.broadcast_shapes(*(a.shape for a in arrays))
        except ValueError:
            raise Untranslatable("arrays of these shapes do not go together") from None
        check_shape(shape)
        result = np.empty(shape, dtype=object)
        spread = [np.broadcast_to(a, shape) for a in arrays]
        for index in np.ndindex(*shape):
            result[index] = f(*(a[index] for a in spread))
        return plain(result)

    return apply


def log_of(base: float) -> Callable[[Any], Any]:
    log = symbols.function("log", np.log)

    def apply(x: Any) -> Any:
        if not isinstance(x, Symbol):
            return symbols.guarded(lambda v: np.log(v) / math.log(base), value_of(x))
        return symbols.over(log(x), math.log(base))

    return apply


_exp = symbols.function("exp", np.exp)
_log = symbols.function("log", np.log)
_sigmoid = symbols.function("sigmoid", lambda x: 1.0 / (1.0 + np.exp(-x)))


def _nan_to_num(x: Any, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    def keep(v: Any) -> Any:
        if isinstance(v, Symbol):
            v.trail.assume("nan_to_num has nothing to do")
        return v

    return elementwise(keep)(x)


def _clip(x: Any, a_min: Any = None, a_max: Any = None, **names: Any) -> Any:
    low, high = names.pop("min", a_min), names.pop("max", a_max)
    if names:
        raise Untranslatable("clip has an option that is not followed")
    if low is not None:
        x = elementwise(symbols.larger)(x, low)
    return x if high is None else elementwise(symbols.smaller)(x, high)


def _where(*parts: Any) -> Any:
    if len(parts) != 3:
        raise Untranslatable("where without two alternatives")
    return elementwise(lambda c, a, b: a if bool(c) else b)(*parts)


def _isfinite(x: Any) -> Any:
    def finite(v: Any) -> bool:
        return symbols.decide(v, math.isfinite(value_of(v)), "the number is finite everywhere")

    return elementwise(finite)(x)


def _axis(axis: Any, ndim: int) -> int | None:
    if axis is None:
        return None
    if not isinstance(axis, (int, np.integer)) or not -ndim <= axis < ndim:
        raise Untranslatable("a sum over several axes, or over one that is not there")
    return int(axis) % ndim


def folded(f: Callable[[Any, Any], Any], empty: Any) -> Word:
    """`f` over an axis, as sum and prod are."""

    def apply(x: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
        array = as_array(x)
        along = _axis(axis, array.ndim)
        if along is None:
            flat = list(array.ravel())
            total = _fold(f, flat, empty)
            return plain(np.full((1,) * array.ndim, total, dtype=object)) if keepdims else total
        moved = np.moveaxis(array, along, 0)
        out = np.empty(moved.shape[1:], dtype=object)
        for index in np.ndindex(*out.shape):
            out[index] = _fold(f, [moved[(k, *index)] for k in range(moved.shape[0])], empty)
        return np.expand_dims(out, along) if keepdims else plain(out)

    return apply


def _fold(f: Callable[[Any, Any], Any], parts: list[Any], empty: Any) -> Any:
    if not parts and empty is None:
        raise Untranslatable("a maximum or minimum of nothing")
    total = parts[0] if parts else empty
    for part in parts[1:]:
        total = f(total, part)
    return total


_sum = folded(symbols.plus, 0.0)


def _mean(x: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
    array = as_array(x)
    along = _axis(axis, array.ndim)
    count = array.size if along is None else array.shape[along]
    return elementwise(symbols.over)(_sum(array, axis=axis, keepdims=keepdims), float(count))


def matmul(a: Any, b: Any) -> Any:
    """Matrix product of arrays with one or two axes."""
    left, right = as_array(a), as_array(b)
    if not 1 <= left.ndim <= 2 or not 1 <= right.ndim <= 2 or left.shape[-1] != right.shape[0]:
        raise Untranslatable("a matrix product of these shapes")
    L = left if left.ndim == 2 else left[None, :]
    R = right if right.ndim == 2 else right[:, None]
    check_shape((L.shape[0], R.shape[1]))
    out = np.empty((L.shape[0], R.shape[1]), dtype=object)
    for i, j in np.ndindex(*out.shape):
        out[i, j] = _fold(symbols.plus, [symbols.times(L[i, k], R[k, j]) for k in range(L.shape[1])], 0.0)
    if left.ndim == 1:
        out = out[0]
    return plain(out[..., 0] if right.ndim == 1 else out)


def _dot(a: Any, b: Any) -> Any:
    left, right = as_array(a), as_array(b)
    if left.ndim == 0 or right.ndim == 0:
        return elementwise(symbols.times)(left, right)
    return matmul(left, right)


def _outer(a: Any, b: Any) -> Any:
    return elementwise(symbols.times)(as_array(a).ravel()[:, None], as_array(b).ravel()[None, :])


def _shape(given: Any) -> tuple[int, ...]:
    shape = tuple(given) if isinstance(given, (tuple, list, np.ndarray)) else (given,)
    check_shape(shape)
    return tuple(int(n) for n in shape)


def filled(value: Any) -> Word:
    def apply(shape: Any, dtype: Any = None) -> Objects:
        return np.full(_shape(shape), value, dtype=object)

    return apply


def _full(shape: Any, fill_value: Any, dtype: Any = None) -> Any:
    return np.array(np.broadcast_to(as_array(fill_value), _shape(shape)), dtype=object)


def _like(value: Any) -> Word:
    def apply(x: Any, dtype: Any = None) -> Objects:
        return np.full(as_array(x).shape, value, dtype=object)

    return apply


def _full_like(x: Any, fill_value: Any, dtype: Any = None) -> Any:
    return _full(as_array(x).shape, fill_value)


def _numbers(values: Any) -> Objects:
    return as_array([float(v) if float(v) != int(v) else int(v) for v in values])


def _arange(*bounds: Any, dtype: Any = None) -> Any:
    values = [value_of(b) for b in bounds]
    start, stop, step = (0.0, values[0], 1.0) if len(values) == 1 else (*values, 1.0)[:3]
    if not step or (stop - start) / step > MAX_ELEMENTS:
        raise Untranslatable("an array is too large to follow")
    return _numbers(np.arange(start, stop, step))


def _linspace(start: Any, stop: Any, num: Any = 50) -> Any:
    check_shape((num,))
    return _numbers(np.linspace(value_of(start), value_of(stop), int(num)))


def _array(x: Any, dtype: Any = None, copy: Any = None, ndmin: int = 0, order: Any = None) -> Objects:
    if dtype is not None and dtype not in TYPES:
        raise Untranslatable("an array of another type than float")
    array = np.array(as_array(x), dtype=object, copy=True)
    while array.ndim < min(ndmin, 3):
        array = array[None]
    return array


def _asarray(x: Any, dtype: Any = None, order: Any = None) -> Objects:
    if dtype is not None and dtype not in TYPES:
        raise Untranslatable("an array of another type than float")
    return as_array(x)


def _stacked(f: Callable[..., Any]) -> Word:
    def apply(parts: Any, *more: Any, **names: Any) -> Any:
        listed = list(parts) if isinstance(parts, (list, tuple)) else list(as_array(parts))
        arrays = [as_array(p) for p in listed]
        if sum(a.size for a in arrays) > MAX_ELEMENTS:
            raise Untranslatable("an array is too large to follow")
        return f(arrays, *more, **names)

    return apply


def _structural(f: Callable[..., Any]) -> Word:
    """A function of numpy that only moves elements around."""

    def apply(x: Any, *more: Any, **names: Any) -> Any:
        return plain(f(as_array(x), *more, **names))

    return apply


def _spread(f: Callable[..., Any], size: Callable[..., int]) -> Word:
    def apply(x: Any, *more: Any, **names: Any) -> Any:
        array = as_array(x)
        check_shape((size(array, *more, **names),))
        return f(array, *more, **names)

    return apply


def _count(reps: Any) -> int:
    return math.prod(int(n) for n in reps) if isinstance(reps, (tuple, list)) else int(reps)


def _polyval(p: Any, x: Any) -> Any:
    total: Any = 0.0
    for coefficient in as_array(p).ravel():
        total = elementwise(symbols.plus)(elementwise(symbols.times)(total, x), coefficient)
    return total


def _logsumexp(a: Any, axis: Any = None, b: Any = None, keepdims: bool = False) -> Any:
    terms = elementwise(_exp)(a)
    if b is not None:
        terms = elementwise(symbols.times)(terms, b)
    return elementwise(_log)(_sum(terms, axis=axis, keepdims=keepdims))


def _any(x: Any, axis: Any = None) -> Any:
    return folded(lambda a, b: bool(a) or bool(b), False)(x, axis=axis)


def _all(x: Any, axis: Any = None) -> Any:
    return folded(lambda a, b: bool(a) and bool(b), True)(x, axis=axis)


_UNARY: dict[str, Callable[..., Any]] = {
    "exp": _exp, "log": _log, "sqrt": symbols.function("sqrt", np.sqrt), "tanh": symbols.function("tanh", np.tanh),
    "log2": log_of(2.0), "log10": log_of(10.0), "log1p": lambda x: _log(symbols.plus(1.0, x)),
    "expm1": lambda x: symbols.minus(_exp(x), 1.0), "exp2": lambda x: symbols.raised(2.0, x),
    "square": lambda x: symbols.raised(x, 2.0), "cbrt": lambda x: symbols.raised(x, 1.0 / 3.0),
    "reciprocal": lambda x: symbols.over(1.0, x), "negative": symbols.negative, "positive": lambda x: x,
    "abs": symbols.magnitude, "absolute": symbols.magnitude, "fabs": symbols.magnitude, "expit": _sigmoid,
    "sinh": lambda x: symbols.over(symbols.minus(_exp(x), _exp(symbols.negative(x))), 2.0),
    "cosh": lambda x: symbols.over(symbols.plus(_exp(x), _exp(symbols.negative(x))), 2.0),
    "exp10": lambda x: symbols.raised(10.0, x),
}  # fmt: skip
_BINARY: dict[str, Callable[..., Any]] = {
    "add": symbols.plus, "subtract": symbols.minus, "multiply": symbols.times, "divide": symbols.over,
    "true_divide": symbols.over, "power": symbols.raised, "float_power": symbols.raised, "pow": symbols.raised,
    "maximum": symbols.larger, "minimum": symbols.smaller, "fmax": symbols.larger, "fmin": symbols.smaller,
    "logaddexp": symbols.function("logaddexp", np.logaddexp),
    "greater": lambda a, b: symbols.compare(">", a, b), "less": lambda a, b: symbols.compare("<", a, b),
    "greater_equal": lambda a, b: symbols.compare(">=", a, b), "less_equal": lambda a, b: symbols.compare("<=", a, b),
}  # fmt: skip

NUMPY: dict[str, Word] = {
    **{name: elementwise(f) for name, f in (_UNARY | _BINARY).items()},
    "clip": _clip, "where": _where, "isfinite": _isfinite, "nan_to_num": _nan_to_num, "any": _any, "all": _all,
    "isnan": lambda x: elementwise(lambda v: symbols.decide(v, math.isnan(value_of(v)), "the number is never NaN"))(x),
    "sum": _sum, "prod": folded(symbols.times, 1.0), "mean": _mean, "average": _mean,
    "max": folded(symbols.larger, None), "min": folded(symbols.smaller, None),
    "amax": folded(symbols.larger, None), "amin": folded(symbols.smaller, None),
    "matmul": matmul, "dot": _dot, "inner": _dot, "outer": _outer,
    "zeros": filled(0.0), "ones": filled(1.0), "empty": filled(0.0), "full": _full, "zeros_like": _like(0.0),
    "ones_like": _like(1.0), "empty_like": _like(0.0), "full_like": _full_like, "arange": _arange, "linspace": _linspace,
    "array": _array, "asarray": _asarray, "ascontiguousarray": _asarray, "asanyarray": _asarray,
    "float64": lambda x: plain(_asarray(x)), "float32": lambda x: plain(_asarray(x)),
    "atleast_1d": _structural(np.atleast_1d), "atleast_2d": _structural(np.atleast_2d), "ravel": _structural(np.ravel),
    "squeeze": _structural(np.squeeze), "transpose": _structural(np.transpose), "reshape": _structural(np.reshape),
    "expand_dims": _structural(np.expand_dims), "copy": _structural(np.copy), "flip": _structural(np.flip),
    "moveaxis": _structural(np.moveaxis), "swapaxes": _structural(np.swapaxes),
    "ndim": lambda x: as_array(x).ndim, "shape": lambda x: as_array(x).shape, "size": lambda x: as_array(x).size,
    "column_stack": _stacked(np.column_stack), "vstack": _stacked(np.vstack), "hstack": _stacked(np.hstack),
    "stack": _stacked(np.stack), "concatenate": _stacked(np.concatenate),
    "tile": _spread(np.tile, lambda x, reps: x.size * _count(reps)),
    "repeat": _spread(np.repeat, lambda x, repeats, axis=None: x.size * _count(repeats)),
    "broadcast_to": _spread(np.broadcast_to, lambda x, shape: math.prod(_shape(shape))),
    "polyval": _polyval, "logsumexp": _logsumexp, "isscalar": lambda x: is_number(x),
}  # fmt: skip

MATH = frozenset(
    {"exp", "log", "sqrt", "tanh", "log2", "log10", "log1p", "expm1", "pow", "fabs", "isfinite", "isnan", "sinh", "cosh"}
)
SPECIAL = frozenset({"expit", "logsumexp", "expm1", "log1p", "exp2", "exp10", "cbrt"})


def find(module: str, name: str) -> Any:
    """What ``module.name`` is: a word, a constant, a type's name; None where it is not followed."""
    if module in ("numpy", "jax.numpy"):
        if name in CONSTANTS or name in TYPES:
            return CONSTANTS[name] if name in CONSTANTS else NUMPY.get(name, name)
        return NUMPY.get(name)
    if module == "math":
        return CONSTANTS.get(name) if name in ("pi", "e", "inf", "nan") else NUMPY.get(name) if name in MATH else None
    if module == "scipy.special" or module == "jax.scipy.special":
        return NUMPY.get(name) if name in SPECIAL else None
    if module in ("jax.nn", "scipy.special") and name == "sigmoid":
        return NUMPY["expit"]
    return None
