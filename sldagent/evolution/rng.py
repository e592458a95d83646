"""Counter-based randomness: what decision k draws depends on the seed, k and its purpose, on nothing else."""

from __future__ import annotations

import zlib

import numpy as np


def generator(seed: int, k: int, purpose: str) -> np.random.Generator:
    """The generator of one decision.

    There is nothing to checkpoint and no order to keep: the same three values give the same stream
    everywhere.  CRC-32 turns the purpose into a number because, unlike `hash`, is the same in every process.
    """
    return np.random.default_rng(np.random.SeedSequence([seed, k, zlib.crc32(purpose.encode())]))
