"""Draws: which mode an instance gets, decided by names and numbers alone."""

import hashlib

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def draw(
    seed: int, scene: str, ids: NDArray[np.int64], counts: NDArray[np.int64]
) -> NDArray[np.int64]:
    """For every id a number below its count, int64 [n]; -1 where the count is 0.

    Number `id` of the SplitMix64 stream (Steele, Lea & Flood 2014, "Fast splittable pseudorandom
    number generators") that begins where SHA-256 of seed and scene says, in integers throughout:
    equal on every machine, and untouched by what else stands in `ids`.

    Args:
        seed: any integer.
        scene: the scene's name.
        ids: of the instances, [n].
        counts: how many there are to choose from, [n], below 2^32.
    """
    name = f"{seed}/{scene}".encode(errors="surrogateescape")
    start = np.frombuffer(hashlib.sha256(name).digest()[:8], "<u8").astype(np.uint64)
    x = start + (ids.astype(np.int64).view(np.uint64) + np.uint64(1)) * _GOLDEN
    x = (x ^ (x >> np.uint64(30))) * _FIRST
    x = (x ^ (x >> np.uint64(27))) * _SECOND
    x = x ^ (x >> np.uint64(31))
    # The upper 32 bits as a fraction of 2^32: no count is favoured by more than 1 in 2^32 / count.
    chosen = ((x >> np.uint64(32)) * counts.astype(np.uint64)) >> np.uint64(32)
    return np.where(counts > 0, chosen.astype(np.int64), -1)
