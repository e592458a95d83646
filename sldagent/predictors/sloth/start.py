"""The authors' random start, number for number: PyTorch's generator for processors and their order of draws, in numpy.

PyTorch draws from the Mersenne twister mt19937, as numpy's `RandomState` does from the same seed.  Fewer than 16 normal
numbers come in pairs from 53-bit uniform ones (the second of a pair waits for the next call); 16 and more come from 24-bit
ones in blocks of 16, the last block being drawn anew where the count is no multiple of it (Box and Muller 1958, both).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Single = NDArray[np.float32]

BLOCK = 16
HIDDEN = 10
"""Width of the link networks."""


class TorchDraws:
    """Draws as after ``torch.manual_seed(seed)``."""

    def __init__(self, seed: int) -> None:
        self._twister = np.random.RandomState(seed)
        self._waiting: float | None = None

    def normal(self, *shape: int) -> Single:
        """Standard normal numbers, as ``torch.normal(0, 1, size=shape)``."""
        count = int(np.prod(shape))
        if count < BLOCK:
            return np.array([self._one() for _ in range(count)], np.float32).reshape(shape)
        uniform = self._unit(count)
        out = np.concatenate([_pairs(uniform[k : k + BLOCK]) for k in range(0, count - BLOCK + 1, BLOCK)])
        if count % BLOCK:
            out = np.concatenate([out[: count - BLOCK], _pairs(self._unit(BLOCK))])
        return out.reshape(shape)

    def uniform(self, bound: float, *shape: int) -> Single:
        """Uniform numbers in (-bound, bound), as ``tensor.uniform_(-bound, bound)``."""
        drawn = self._unit(int(np.prod(shape))) * np.float32(2.0 * bound) - np.float32(bound)
        return np.asarray(drawn, np.float32).reshape(shape)

    def _words(self, count: int) -> NDArray[np.uint32]:
        return self._twister.randint(0, 2**32, size=count, dtype=np.uint32)

    def _unit(self, count: int) -> Single:
        return np.asarray((self._words(count) & np.uint32(2**24 - 1)).astype(np.float32) * np.float32(2.0**-24))

    def _one(self) -> float:
        if self._waiting is not None:
            value, self._waiting = self._waiting, None
            return value
        first, second = ((int(high) << 32 | int(low)) % 2**53 * 2.0**-53 for high, low in self._words(4).reshape(2, 2))
        radius, angle = np.sqrt(-2.0 * np.log1p(-second)), 2.0 * np.pi * first
        self._waiting = float(radius * np.sin(angle))
        return float(radius * np.cos(angle))


def _pairs(uniform: Single) -> Single:
    """(16,) normal numbers of (16,) uniform ones in [0, 1)."""
    half = BLOCK // 2
    radius, angle = np.sqrt(-2.0 * np.log(1.0 - uniform[:half])), np.float32(2.0 * np.pi) * uniform[half:]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)]).astype(np.float32)


def initial(seed: int, sizes: tuple[int, int, int, int]) -> dict[str, FloatArray]:
    """Random parameters for the sizes (p, families, d, J): |N(0, 1)| slopes and loadings, N(0, 1) intercepts.

    One benchmark (J = 1) has one skill, whose loading starts at 1 and is not drawn.
    """
    p, families, d, J = sizes
    draws = TorchDraws(seed)
    drawn = {"W": np.abs(draws.normal(p, d)), "alpha": draws.normal(families, d), "b": draws.normal(1, J)[0]}
    drawn["loadings"] = np.ones((d, J), np.float32) if J == 1 else np.abs(draws.normal(d, J))
    return {name: value.astype(np.float64) for name, value in drawn.items()}


def initial_link(seed: int, J: int) -> dict[str, FloatArray]:
    """Random link networks, one for each benchmark: uniform within 1 / sqrt(inputs), weights taken absolutely."""
    draws = TorchDraws(seed)
    inner = HIDDEN**-0.5
    links = []
    for _ in range(J):
        # A layer's matrix is (outputs, inputs), and comes before its offsets.
        w1, c1 = draws.uniform(1.0, HIDDEN, 1), draws.uniform(1.0, HIDDEN)
        w2, c2 = draws.uniform(inner, HIDDEN, HIDDEN), draws.uniform(inner, HIDDEN)
        w3, c3 = draws.uniform(inner, 1, HIDDEN), draws.uniform(inner, 1)
        links.append({"w1": np.abs(w1[:, 0]), "c1": c1, "w2": np.abs(w2.T), "c2": c2, "w3": np.abs(w3[0]), "c3": c3[0]})
    return {name: np.stack([link[name] for link in links]).astype(np.float64) for name in links[0]}
