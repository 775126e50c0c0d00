"""Instance ids: free ones, and maps in which every id has one class."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from i2ibench.apps.editor.classes import Classes
from i2ibench.errors import UserError

LARGEST_ID = 65535
"""What a 16-bit instance map holds."""


def next_id(instance: NDArray[np.int32]) -> int:
    """An id that is free: above all others and 999; where 16 bits end, the smallest unused.

    Raises:
        UserError: all are taken.
    """
    candidate = max(int(instance.max()), 999) + 1
    if candidate <= LARGEST_ID:
        return candidate
    unused = np.flatnonzero(np.bincount(instance.ravel(), minlength=LARGEST_ID + 1) == 0)
    if not len(unused):
        raise UserError(f"All {LARGEST_ID + 1} instance ids are taken.")
    return int(unused[0])


def one_class_each(
    label: NDArray[np.uint8], instance: NDArray[np.int32]
) -> tuple[NDArray[np.int32], list[str]]:
    """The instance map in which every id has one class, and a note where it had to be changed.

    An id keeps the class that most of its pixels have (ties: the smaller); pixels of its other
    classes get new ids, one per class.

    Args:
        label: uint8 [H,W].
        instance: int32 [H,W].

    Raises:
        UserError: an id is negative or above 65535, or not enough ids are free.
    """
    if instance.min() < 0 or instance.max() > LARGEST_ID:
        raise UserError(
            f"Instance ids lie in 0..{LARGEST_ID}, got {instance.min()}..{instance.max()}."
        )
    pairs = instance.astype(np.int64) * 256 + label
    values, counts = np.unique(pairs, return_counts=True)
    order = np.lexsort((values, -counts, values // 256))
    ordered = values[order]
    minority = ordered[1:][ordered[1:] // 256 == ordered[:-1] // 256]
    if not len(minority):
        return instance, []
    minority = np.sort(minority)
    free = free_ids(instance, len(minority))
    place = np.searchsorted(minority, pairs).clip(max=len(minority) - 1)
    wrong = minority[place] == pairs
    return np.where(wrong, free[place], instance).astype(np.int32), [
        f"{len(np.unique(minority // 256))} instances had pixels of several classes; the "
        f"{int(wrong.sum())} pixels of the rarer classes became instances of their own."
    ]


def derived_instances(label: NDArray[np.uint8], classes: Classes) -> NDArray[np.int32]:
    """An instance map for a label map without one, int32 [H,W].

    Every class that is no thing is one instance with the class's own id; of a thing every
    4-connected part is one.

    Raises:
        UserError: there are more parts than ids.
    """
    instance = np.array(classes.ids, np.int32)[label]
    parts = []
    for channel in np.unique(label):
        if classes.things[channel]:
            numbered, count = ndimage.label(label == channel)
            parts.append((channel, numbered, count))
    free = iter(free_ids(instance, sum(count for _, _, count in parts)).tolist())
    for channel, numbered, count in parts:
        new = np.array([0, *(next(free) for _ in range(count))], np.int32)
        instance = np.where(label == channel, new[numbered], instance).astype(np.int32)
    return instance


def free_ids(instance: NDArray[np.int32], count: int) -> NDArray[np.int64]:
    """Ids that the map does not use: above all and 999 first, then the smallest."""
    used = np.bincount(instance.ravel(), minlength=LARGEST_ID + 1) > 0
    above = max(int(instance.max()), 999) + 1
    free = np.flatnonzero(~used)
    free = np.concatenate([free[free >= above], free[free < above]])
    if len(free) < count:
        raise UserError(f"The map needs {count} more instance ids, and {len(free)} are free.")
    return free[:count]
