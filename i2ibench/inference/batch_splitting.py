"""Retrying work on fewer scenes when the device runs out of memory."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from i2ibench.io.progress import say

Item = TypeVar("Item")
Result = TypeVar("Result")


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
