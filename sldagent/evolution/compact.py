"""What a search remembers of every candidate, in a few dozen bytes each, so that millions fit into memory.

Texts are remembered by 64 bits of their BLAKE2 hash: among a million texts two share theirs with a chance below 1e-7.
"""

from __future__ import annotations

from array import array
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

NO_TEXT = 0
"""The digest of no text."""
FEW = 1024
"""Texts that are kept in a dict at least before they are sorted in among the others."""
SHARE = 32
"""One in so many texts may be kept in that dict."""


def digest(text: str) -> int:
    """The positive 64-bit number that stands for a text."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little") or 1


class TextIndex:
    """A mapping from texts to candidate indices: two arrays in the order of digests, and a dict of the latest.

    12 bytes a text.  Looking one up is a binary search; the dict is merged into the arrays when it holds more than one in
    `SHARE` of all, so that a text costs a constant number of copies on average.
    """

    def __init__(self) -> None:
        self._keys: NDArray[np.uint64] = np.zeros(0, dtype=np.uint64)
        self._values: NDArray[np.int32] = np.zeros(0, dtype=np.int32)
        self._recent: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._keys) + len(self._recent)

    def __contains__(self, text: object) -> bool:
        return isinstance(text, str) and self.get(text) is not None

    def get(self, text: str) -> int | None:
        """The candidate that the text was first or last set to, None for an unknown text."""
        key = digest(text)
        found = self._recent.get(key)
        if found is not None:
            return found
        slot = self._slot(key)
        return None if slot is None else int(self._values[slot])

    def setdefault(self, text: str, k: int) -> int:
        """The text's candidate, which becomes `k` where it has none."""
        found = self.get(text)
        if found is not None:
            return found
        self[text] = k
        return k

    def __setitem__(self, text: str, k: int) -> None:
        key = digest(text)
        slot = self._slot(key)
        if slot is not None:
            self._values[slot] = k
            return
        self._recent[key] = k
        if len(self._recent) > max(FEW, len(self._keys) // SHARE):
            self._merge()

    def take(self, digests: NDArray[np.uint64], values: NDArray[np.int32]) -> None:
        """Set each digest to its value, in turn, where it is not set yet; `NO_TEXT` is left out."""
        self._merge()
        keys, first = np.unique(digests, return_index=True)
        if len(keys) and keys[0] == NO_TEXT:
            keys, first = keys[1:], first[1:]
        if not len(self._keys):
            self._keys, self._values = keys, values[first].astype(np.int32)
            return
        at = np.searchsorted(self._keys, keys)
        new = self._keys[np.minimum(at, len(self._keys) - 1)] != keys
        keys, first, at = keys[new], first[new], at[new]
        self._keys = np.insert(self._keys, at, keys)
        self._values = np.insert(self._values, at, values[first])

    def _slot(self, key: int) -> int | None:
        """Where `key` is in the arrays, None where it is not."""
        wanted = np.uint64(key)
        slot = int(np.searchsorted(self._keys, wanted))
        return slot if slot < len(self._keys) and self._keys[slot] == wanted else None

    def _merge(self) -> None:
        keys = np.fromiter(self._recent.keys(), np.uint64, len(self._recent))
        values = np.fromiter(self._recent.values(), np.int32, len(self._recent))
        order = np.argsort(keys)
        at = np.searchsorted(self._keys, keys[order])
        self._keys = np.insert(self._keys, at, keys[order])
        self._values = np.insert(self._values, at, values[order])
        self._recent.clear()


class Figures:
    """X and complexity of usable candidates by index: 16 bytes each."""

    def __init__(self) -> None:
        self._x = array("d")
        self._complexity = array("d")

    def __contains__(self, k: object) -> bool:
        return isinstance(k, int) and 0 <= k < len(self._x) and self._x[k] == self._x[k]

    def __getitem__(self, k: int) -> tuple[float, float]:
        if k not in self:
            raise KeyError(k)
        return self._x[k], self._complexity[k]

    def __setitem__(self, k: int, figures: tuple[float, float]) -> None:
        missing = k + 1 - len(self._x)
        if missing > 0:
            self._x.extend([float("nan")] * missing)
            self._complexity.extend([float("nan")] * missing)
        self._x[k], self._complexity[k] = figures

    def take(self, x: NDArray[np.float64], complexity: NDArray[np.float64], usable: NDArray[np.bool_]) -> None:
        """Set those of all candidates from 0 on."""
        for mine, column in ((self._x, x), (self._complexity, complexity)):
            del mine[:]
            mine.frombytes(np.where(usable, column, np.nan).astype(np.float64).view(np.uint8).data)
