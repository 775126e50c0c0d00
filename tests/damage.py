"""Damaged files, as disks and copies leave them."""

import random
from collections.abc import Iterator


def flipped(content: bytes, times: int, seed: int = 0) -> Iterator[bytes]:
    """Yield the content with one bit flipped, each time another one, drawn with the seed."""
    rng = random.Random(seed)
    for _ in range(times):
        changed = bytearray(content)
        changed[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        yield bytes(changed)
