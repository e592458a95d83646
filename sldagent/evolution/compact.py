"""What a search remembers of every candidate, in a few dozen bytes each, so that millions fit into memory.

Texts are remembered by 64 bits of their BLAKE2 hash: among a million texts two share theirs with a chance below 1e-7.
"""

from __future__ import annotations

from array import array
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

_EMPTY = np.uint64(0)


def _hash(text: str) -> int:
    """A positive 64-bit number."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little") or 1


class TextIndex:
    """A mapping from texts to candidate indices: open addressing over two arrays, 12 bytes a slot, at most 2/3 full."""

    def __init__(self) -> None:
        self._count = 0
        self._keys: NDArray[np.uint64] = np.zeros(1024, dtype=np.uint64)
        self._values: NDArray[np.int32] = np.zeros(1024, dtype=np.int32)

    def __len__(self) -> int:
        return self._count

    def __contains__(self, text: object) -> bool:
        return isinstance(text, str) and self._keys[self._slot(_hash(text))] != _EMPTY

    def get(self, text: str) -> int | None:
        """The candidate that the text was first or last set to, None for an unknown text."""
        slot = self._slot(_hash(text))
        return None if self._keys[slot] == _EMPTY else int(self._values[slot])

    def setdefault(self, text: str, k: int) -> int:
        """The text's candidate, which becomes `k` where it has none."""
        found = self.get(text)
        if found is not None:
            return found
        self[text] = k
        return k

    def __setitem__(self, text: str, k: int) -> None:
        key = _hash(text)
        slot = self._slot(key)
        if self._keys[slot] == _EMPTY:
            if 3 * (self._count + 1) > 2 * len(self._keys):
                self._grow()
                slot = self._slot(key)
            self._count += 1
            self._keys[slot] = key
        self._values[slot] = k

    def _slot(self, key: int) -> int:
        """Where `key` is, or the empty slot where it belongs."""
        mask = len(self._keys) - 1
        slot = key & mask
        wanted = np.uint64(key)
        while (there := self._keys[slot]) != wanted and there != _EMPTY:
            slot = (slot + 1) & mask
        return slot

    def _grow(self) -> None:
        keys, values = self._keys, self._values
        self._keys = np.zeros(2 * len(keys), dtype=np.uint64)
        self._values = np.zeros(2 * len(keys), dtype=np.int32)
        for old in np.flatnonzero(keys):
            slot = self._slot(int(keys[old]))
            self._keys[slot], self._values[slot] = keys[old], values[old]


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
