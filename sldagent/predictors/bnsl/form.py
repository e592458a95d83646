"""The broken neural scaling law as numbers and as a program of the law language.

    y = a + b x^(-c0) prod_i (1 + (x / d_i)^(1 / f_i))^(-c_i f_i)          (arXiv 2210.14891, equation 1)

Fits work in the curve's own unit of scale, z = (log x - log x_first) / (log x_last - log x_first), in which every curve has
breaks and slopes of order one, so that all curves share starts and one batched call of the engine fits them all.  A power
(1 + (x/d)^(1/f))^(-c f) is exp(-c f softplus((log x - log d) / f)), which does not overflow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

MAX_LOG = 700.0
"""Largest logarithm whose exponential is finite."""
STEEPEST = 50
"""Largest change of log (y - a), and of its slope, over the range of log x of a curve."""


@dataclass(frozen=True)
class Break:
    """A smooth change of slope."""

    position: float
    """d: where the slope changes, in units of x."""
    change: float
    """c: what the slope of -log(y - a) over log x grows by."""
    width: float
    """f: the change spreads over about this many natural logarithms of x to each side; small is sharp."""


@dataclass(frozen=True)
class Constants:
    """Constants of one curve."""

    a: float
    log_b: float
    """Natural logarithm of b, which itself overflows where slopes are steep."""
    c0: float
    breaks: tuple[Break, ...] = ()
    """In the order of their positions."""

    def values(self, x: FloatArray) -> FloatArray:
        """(n,) values of the law at x > 0."""
        logs = np.log(x)
        exponent = self.log_b - self.c0 * logs
        for one in self.breaks:
            exponent = exponent - one.change * one.width * np.logaddexp(0.0, (logs - np.log(one.position)) / one.width)
        return np.asarray(self.a + np.exp(exponent))

    def named(self) -> dict[str, float]:
        """By the paper's names: a, b, c0, c1, d1, f1, ..., and log_b."""
        b = float(np.exp(self.log_b)) if self.log_b < MAX_LOG else float("inf")
        out = {"a": self.a, "b": b, "c0": self.c0, "log_b": self.log_b}
        for k, one in enumerate(self.breaks, start=1):
            out |= {f"c{k}": one.change, f"d{k}": one.position, f"f{k}": one.width}
        return out


def constants(named: Mapping[str, float]) -> Constants:
    """The inverse of `Constants.named`."""
    count = sum(name.startswith("d") for name in named)
    found = [Break(named[f"d{k}"], named[f"c{k}"], named[f"f{k}"]) for k in range(1, count + 1)]
    return Constants(named["a"], named["log_b"], named["c0"], tuple(sorted(found, key=lambda one: one.position)))


def unit_constants(found: Mapping[str, float], n_breaks: int, first: float, length: float) -> Constants:
    """Constants in x of a fit in z, where log x = first + length z."""
    breaks = [
        Break(float(np.exp(first + length * found[f"d{k}"])), found[f"c{k}"] / length, found[f"f{k}"] * length)
        for k in range(1, n_breaks + 1)
    ]
    c0 = found.get("c0", 0.0) / length
    # b exp(-C0 z) = b exp(c0 first) x^(-c0)
    log_b = float(np.log(max(found["b"], 1e-300))) + c0 * first
    return Constants(found["a"], log_b, c0, tuple(sorted(breaks, key=lambda one: one.position)))


def program(n_breaks: int, shift: float, *, signed: bool, first_slope: bool = True) -> str:
    """The law over z as a program that fits log(shift + y) by least squares.

    Args:
        n_breaks: at least 0.
        shift: what is added to y before the logarithm: 1 in the paper's fits, 0 for relative errors.
        signed: whether slopes may take both signs, as curves that are not monotone need.
        first_slope: whether the law is a power before its first break; else c0 = 0, and it is flat there.

    A break lies within the data or up to half their range before: one beyond them could not be told from noise.  Slopes are
    at most `STEEPEST`, as a break at the last point could else be followed by any slope at no cost.
    """
    slope = f"interval({-STEEPEST if signed else 0}, {STEEPEST}, start=({{}}, {{}}))"
    low = -2 if signed else 0.01
    names, lines, exponent = ["a", "b"], ['"a": positive()', '"b": positive()'], "0"
    if first_slope:
        names.append("c0")
        lines.append(f'"c0": {slope.format(-0.5 if signed else 0.01, 1)}')
        exponent = "-c0*z"
    for k in range(1, n_breaks + 1):
        names += [f"c{k}", f"d{k}", f"f{k}"]
        lines += [
            f'"c{k}": {slope.format(low, 4)}',
            f'"d{k}": interval(-0.5, 1, start=(-0.1, 1))',
            f'"f{k}": interval(0.001, 3, start=(0.02, 0.6))',
        ]
        exponent += f" - c{k}*f{k}*softplus((z - d{k})/f{k})"
    added = f"{shift!r} + " if shift else ""
    return (
        f"def law(z, {', '.join(names)}):\n    return {added}a + b*exp({exponent})\n\n"
        f"parameters = {{{', '.join(lines)}}}\n"
        'recipe = fit(loss="log", starts=64)\n'
    )
