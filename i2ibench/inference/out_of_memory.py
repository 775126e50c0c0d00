"""Halves: what is done with many scenes at once, where the device's memory is too small for it."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from i2ibench.io.progress import say

Item = TypeVar("Item")
Result = TypeVar("Result")


def split_on_out_of_memory(
    work: Callable[[Sequence[Item]], Result], scenes: Sequence[Item]
) -> list[Result]:
    """Return what `work` gives for all scenes at once or, in order, for halves that memory holds.

    Args:
        work: what is done; begun again for the halves if the memory runs out.
        scenes: or what stands for them.

    Raises:
        torch.OutOfMemoryError: the memory is too small for one scene.
    """
    try:
        return [work(scenes)]
    except torch.OutOfMemoryError:
        if len(scenes) == 1:
            raise
    # Not before the handler's end: until then the error holds the tensors of the failed call.
    torch.cuda.empty_cache()
    half = len(scenes) // 2
    say(f"The device's memory is full: going on with {half} scenes at once.")
    return split_on_out_of_memory(work, scenes[:half]) + split_on_out_of_memory(work, scenes[half:])
