"""Instance maps: free ids, one class per id, and tables of the instances."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from i2ibench.apps.editor.classes import Classes
from i2ibench.errors import UserError

LARGEST_ID = 65535
"""The largest id that a 16-bit instance map can hold."""


@dataclass(frozen=True)
class InstanceTable:
    """The instances of a scene in the order of their ids.

    Attributes:
        ids, labels, areas: int64 [n]; labels are class numbers, areas are in pixels.
        boxes: int64 [n,4]: left, top, width, height in pixels.
    """

    ids: NDArray[np.int64]
    labels: NDArray[np.int64]
    areas: NDArray[np.int64]
    boxes: NDArray[np.int64]


def list_instances(label: NDArray[np.uint8], instance: NDArray[np.int32]) -> InstanceTable:
    """Return the table of all instances of two maps [H,W], in which every id has one class.

    Args:
        label: the class number of each pixel.
        instance: the instance id of each pixel, 0..65535.
    """
    counts = np.bincount(instance.ravel())
    ids = np.flatnonzero(counts)
    slices = ndimage.find_objects(instance + 1)
    boxes = [(x.start, y.start, x.stop - x.start, y.stop - y.start)
             for y, x in (slices[i] for i in ids)]  # fmt: skip
    return InstanceTable(ids, labels_of(label, instance, ids), counts[ids], np.array(boxes))


def labels_of(
    label: NDArray[np.uint8], instance: NDArray[np.int32], ids: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the class number of every id in `ids`, int64 [n]; 0 for an id that is not in the map.

    Args:
        label: the class number of each pixel, [H,W].
        instance: the instance id of each pixel, [H,W]. Every id has one class.
        ids: the n instance ids, in any order, 0..65535.
    """
    table = np.zeros(LARGEST_ID + 1, np.int64)
    table[instance] = label
    return table[ids]


def next_id(instance: NDArray[np.int32]) -> int:
    """Return an instance id that is not in the map [H,W]. The map is not changed.

    The id is one more than the largest in the map, and at least 1000. If that is above 65535, the
    result is the smallest free id.

    Raises:
        UserError: all ids are taken.
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
    """Return an instance map in which every id has one class, and a list of notes on the changes.

    An id keeps the class of most of its pixels (if several have as many, the smallest class
    number). The pixels of its other classes get new ids, one per class, and one note counts these
    pixels. If nothing is to change, the result is the given map and an empty list.

    Args:
        label: uint8 [H,W], the class number of each pixel.
        instance: int32 [H,W], the instance id of each pixel.

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
    """Return an instance map int32 [H,W] derived from a label map.

    Every connected part of a thing class is an instance; parts that touch only at corners are not
    connected. All pixels of any other class are one instance, whose id is the class's value in
    label files.

    Args:
        label: the class number of each pixel, [H,W].
        classes: the classes of the checkpoint.

    Raises:
        UserError: there are more parts than free ids.
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
    """Return `count` instance ids, int64, that are not in the map [H,W].

    Ids above 999 and above all used ids come first, then the smallest free ids.

    Raises:
        UserError: fewer ids are free in 0..65535.
    """
    used = np.bincount(instance.ravel(), minlength=LARGEST_ID + 1) > 0
    above = max(int(instance.max()), 999) + 1
    free = np.flatnonzero(~used)
    free = np.concatenate([free[free >= above], free[free < above]])
    if len(free) < count:
        raise UserError(f"The map needs {count} more instance ids, and {len(free)} are free.")
    return free[:count]
