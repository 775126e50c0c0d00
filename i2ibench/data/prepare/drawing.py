"""Label and instance maps drawn from shapes."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2ibench.data.prepare.raster import Mask

Size = tuple[int, int]
"""(height, width) in pixels."""


@dataclass(frozen=True)
class Shape:
    """One annotated shape.

    Attributes:
        label: the name of its class.
        kind: what it is in its file, such as "polygon".
        mask: gives its mask [H,W] for an image of the size (H, W).
        object: shapes of one class with an equal value are one object; None for a shape that is no
            object of its own, such as a crowd.
    """

    label: str
    kind: str
    mask: Callable[[Size], Mask]
    object: Hashable = None


@dataclass(frozen=True)
class Drawn:
    """Maps [H,W] of class ids and of objects' numbers (0 for none), and which shapes are in them.

    Attributes:
        label: class ids, uint8 or, from 256 on, uint16.
        objects: numbers from 1 on, 0 where there is no object.
        pixels: how many pixels each shape covers alone, in the order that was given.
        visible: how many of these no later shape covers.
    """

    label: NDArray[Any]
    objects: NDArray[np.int64]
    pixels: list[int]
    visible: list[int]


def draw(
    shapes: Sequence[Shape],
    size: Size,
    ids: Mapping[str, int],
    background: int,
    largest_first: bool = False,
) -> Drawn:
    """Draw shapes in their order, later ones over earlier ones.

    Args:
        shapes: what is drawn.
        size: of the image.
        ids: the class id of each label.
        background: the class id of pixels that no shape covers.
        largest_first: draw shapes that are no objects first, then the others by descending number
            of pixels, so that a small one on a large one is seen.
    """
    masks = [_cropped(shape.mask(size)) for shape in shapes]
    pixels = [int(mask.sum()) for _, mask in masks]
    order = list(range(len(shapes)))
    if largest_first:
        order.sort(key=lambda i: (shapes[i].object is not None, -pixels[i]))
    top = np.zeros(size, np.int32)  # the number of the uppermost shape, from 1 on
    for i in order:
        part, mask = masks[i]
        top[part][mask] = i + 1
    numbers = _numbers(shapes)
    values = np.array([background, *(ids[shape.label] for shape in shapes)])
    label = values.astype(np.uint8 if values.max() < 256 else np.uint16)[top]
    visible = np.bincount(top.ravel(), minlength=len(shapes) + 1)[1:].tolist()
    return Drawn(label, np.array([0, *numbers], np.int64)[top], pixels, visible)


def _numbers(shapes: Sequence[Shape]) -> list[int]:
    """Return the number of each shape's object, 0 for shapes that are none."""
    order = dict.fromkeys(shape.object for shape in shapes if shape.object is not None)
    numbers: dict[Any, int] = {key: i for i, key in enumerate(order, 1)}
    return [0 if shape.object is None else numbers[shape.object] for shape in shapes]


def _cropped(mask: Mask) -> tuple[tuple[slice, slice], Mask]:
    """Return where a mask is not empty, and that part of it."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not rows.size:
        return (slice(0, 0), slice(0, 0)), mask[:0, :0]
    part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return part, mask[part].copy()


def placed(mask: Mask, left: int, top: int, size: Size) -> Mask:
    """Return a mask [H,W] with a smaller one at a place; what lies outside is cut off."""
    whole = np.zeros(size, bool)
    height, width = mask.shape
    rows = slice(max(top, 0), min(top + height, size[0]))
    columns = slice(max(left, 0), min(left + width, size[1]))
    if rows.start < rows.stop and columns.start < columns.stop:
        inside = mask[
            rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
        ]
        whole[rows, columns] = inside
    return whole
