"""Batches of scenes of equal size, and fewer scenes at once when memory runs out."""

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

import torch

from i2ibench.io.progress import say

Item = TypeVar("Item")
Result = TypeVar("Result")


def equal_neighbours(keys: Sequence[Hashable], most: int) -> list[tuple[int, ...]]:
    """Return the positions of scenes in order, in batches of equal keys and at most `most`.

    Args:
        keys: for each scene what has to be equal within a batch, such as its size.
        most: the largest number of scenes in a batch.
    """
    batches: list[tuple[int, ...]] = []
    for number, key in enumerate(keys):
        if batches and len(batches[-1]) < most and keys[batches[-1][0]] == key:
            batches[-1] = (*batches[-1], number)
        else:
            batches.append((number,))
    return batches


def split_on_out_of_memory(
    work: Callable[[Sequence[Item]], Result], scenes: Sequence[Item]
) -> list[Result]:
    """Run `work` on all scenes. When memory runs out, split the scenes in halves and retry.

    The halves are split again as often as needed. Each split is printed.

    Args:
        work: a function of a list of scenes; it is called again for each half.
        scenes: the scenes, or their numbers; at least one.

    Returns:
        The result of each successful call, in the order of the scenes.

    Raises:
        torch.OutOfMemoryError: the memory is too small for one scene.
    """
    try:
        return [work(scenes)]
    except torch.OutOfMemoryError:
        if len(scenes) == 1:
            raise
    # Only here, since within the handler the error still refers to the failed call's tensors.
    torch.cuda.empty_cache()
    half = len(scenes) // 2
    say(f"The device's memory is full: going on with {half} scenes at once.")
    return split_on_out_of_memory(work, scenes[:half]) + split_on_out_of_memory(work, scenes[half:])
