"""Annotated shapes: their masks, and label and instance maps drawn from them.

A pixel belongs to a shape if its centre lies inside. Pixel (row 0, column 0) has the centre
(0.5, 0.5); coordinates are measured from the upper left corner of the image. Two shapes that share
an edge neither overlap nor leave a gap. The polygons of Pillow and OpenCV are not used here,
because they contain every pixel that their outline touches. Neighbours would overlap by one or two
pixels, and a box of 12x6 would have 13x7 pixels.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2ibench.errors import UserError

Size = tuple[int, int]
"""(height, width) in pixels."""

Mask = NDArray[np.bool_]
"""The pixels [H,W] of a shape."""

MaskFunction = Callable[[Size], Mask]
"""A function that returns a shape's mask [H,W] for an image of size (H, W)."""


@dataclass(frozen=True)
class AnnotatedShape:
    """One annotated shape.

    Attributes:
        label: name of its class.
        kind: type of the shape in its file, such as "polygon".
        mask: returns the shape's mask, given the size of the image.
        object: identifies the object that the shape is a part of. Shapes of one class with equal
            values are one object; None for a shape that is no single object, such as a crowd.
    """

    label: str
    kind: str
    mask: MaskFunction
    object: Hashable = None


@dataclass(frozen=True)
class DrawnMaps:
    """The maps drawn from shapes.

    Attributes:
        label: class ids [H,W], uint8, or uint16 if an id is above 255.
        objects: numbers of objects from 1 on [H,W], 0 where there is no object.
        pixels: number of pixels of each shape's mask, in the order of the shapes.
        visible: number of pixels of each shape that no later shape covers.
    """

    label: NDArray[Any]
    objects: NDArray[np.int64]
    pixels: list[int]
    visible: list[int]


def draw_shapes(
    shapes: Sequence[AnnotatedShape],
    size: Size,
    ids: Mapping[str, int],
    background: int,
    largest_first: bool = False,
) -> DrawnMaps:
    """Return the label map and the map of objects made by drawing shapes over each other.

    Later shapes cover earlier ones.

    Args:
        shapes: to draw; each is drawn now, by a call of its `mask`.
        size: (height, width) of the image.
        ids: the class id of each label.
        background: the class id of pixels that no shape covers.
        largest_first: draw shapes that are no objects first, then objects from the largest to the
            smallest, instead of in the given order. A small object on a large one is then visible.
    """
    masks = [_crop(shape.mask(size)) for shape in shapes]
    pixels = [int(mask.sum()) for _, mask in masks]
    order = list(range(len(shapes)))
    if largest_first:
        order.sort(key=lambda i: (shapes[i].object is not None, -pixels[i]))
    top = np.zeros(size, np.int32)  # the number of the uppermost shape, from 1 on
    for i in order:
        part, mask = masks[i]
        top[part][mask] = i + 1
    objects = dict.fromkeys(shape.object for shape in shapes if shape.object is not None)
    numbers: dict[Hashable, int] = {None: 0} | {key: i for i, key in enumerate(objects, 1)}
    number_of_shape = np.array([0, *(numbers[shape.object] for shape in shapes)], np.int64)
    values = np.array([background, *(ids[shape.label] for shape in shapes)])
    label = values.astype(np.uint8 if values.max() < 256 else np.uint16)[top]
    visible = np.bincount(top.ravel(), minlength=len(shapes) + 1)[1:].tolist()
    return DrawnMaps(label, number_of_shape[top], pixels, visible)


def _crop(mask: Mask) -> tuple[tuple[slice, slice], Mask]:
    """Return the smallest rectangle that holds a mask's pixels, and a copy of its contents.

    The rectangle is a slice of rows and a slice of columns. The rectangle of an empty mask has no
    pixels.
    """
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not rows.size:
        return (slice(0, 0), slice(0, 0)), mask[:0, :0]
    part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return part, mask[part].copy()


def paste_mask(mask: Mask, left: int, top: int, size: Size) -> Mask:
    """Return a mask [H,W] with a smaller mask placed in it; parts outside of the image are cut off.

    Args:
        mask: the smaller mask.
        left, top: column and row of its first pixel; they may be negative.
        size: (height, width) of the result.
    """
    whole = np.zeros(size, bool)
    height, width = mask.shape
    rows = slice(max(top, 0), min(top + height, size[0]))
    columns = slice(max(left, 0), min(left + width, size[1]))
    if rows.start < rows.stop and columns.start < columns.stop:
        whole[rows, columns] = mask[
            rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
        ]
    return whole


def fill_polygon(points: NDArray[np.float64], height: int, width: int) -> Mask:
    """Return the mask [H,W] of the pixels whose centres lie inside a polygon.

    The even-odd rule applies where the outline crosses itself. Parts outside of the image are cut
    off. A centre on the outline belongs to the shape to the right of the outline, or below.

    Args:
        points: the corners (x, y) in pixels, [N,2]; the last corner is joined to the first.
        height: rows of the mask.
        width: columns of the mask.
    """
    toggles = np.zeros((height, width + 1), np.uint8)
    rows, columns = _crossings(points, height, width)
    np.bitwise_xor.at(toggles, (rows, columns), 1)
    mask = np.zeros((height, width), bool)
    if rows.size:
        part = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max())
        mask[part] = np.bitwise_xor.accumulate(toggles[part], axis=1)
    return mask


def _crossings(
    points: NDArray[np.float64], height: int, width: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return, for each crossing of an edge and a row, the row and the first column to its right.

    An edge crosses a row at the height of the row's pixel centres. Rows outside of the mask have no
    crossings. A column left of the mask becomes 0, one right of it `width`.
    """
    start, end = points, np.roll(points, -1, axis=0)
    down = (start[:, 1] <= end[:, 1])[:, None]
    top, bottom = np.where(down, start, end), np.where(down, end, start)
    first = np.ceil(np.clip(top[:, 1] - 0.5, 0, height)).astype(np.intp)
    last = np.ceil(np.clip(bottom[:, 1] - 0.5, 0, height)).astype(np.intp)
    edge = np.repeat(np.arange(len(points)), last - first)
    begins = np.cumsum(last - first) - (last - first)
    rows = np.arange(edge.size) - begins[edge] + first[edge]
    share = (rows + 0.5 - top[edge, 1]) / (bottom[edge, 1] - top[edge, 1])
    x = top[edge, 0] + share * (bottom[edge, 0] - top[edge, 0])
    return rows, np.ceil(np.clip(x - 0.5, 0, width)).astype(np.intp)


def box_corners(
    left: float, top: float, right: float, bottom: float, degrees: float = 0.0
) -> NDArray[np.float64]:
    """Return the corners (x, y) of a box, float64 [4,2], clockwise from the upper left one.

    Args:
        left, top, right, bottom: the sides before the rotation, in pixels.
        degrees: clockwise rotation about the centre.
    """
    centre = np.array([left + right, top + bottom]) / 2
    half = np.array([right - left, bottom - top]) / 2
    corners = half * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    return centre + _rotate(corners, degrees) if degrees else centre + corners


def fill_ellipse(
    centre: Sequence[float], radii: Sequence[float], size: tuple[int, int], degrees: float = 0.0
) -> Mask:
    """Return the mask [H,W] of the pixels whose centres lie inside an ellipse or on its outline.

    The mask is empty if a radius is 0 or negative. Parts outside of the image are cut off.

    Args:
        centre: (x, y) in pixels.
        radii: half of the width and half of the height in pixels.
        size: (height, width) of the mask.
        degrees: clockwise rotation about the centre.
    """
    height, width = size
    if min(radii) <= 0:
        return np.zeros(size, bool)
    reach = max(radii)
    rows = _pixels_within(centre[1], reach, height)
    columns = _pixels_within(centre[0], reach, width)
    y, x = np.mgrid[rows, columns] + 0.5
    offsets = np.stack([x - centre[0], y - centre[1]], axis=-1)
    across, along = np.moveaxis(_rotate(offsets, -degrees), -1, 0)
    mask = np.zeros(size, bool)
    mask[rows, columns] = (across / radii[0]) ** 2 + (along / radii[1]) ** 2 <= 1
    return mask


def _pixels_within(middle: float, reach: float, length: int) -> slice:
    """Return a slice of the pixels of a row or column that lie at most `reach` from `middle`."""
    begin, end = np.clip([np.floor(middle - reach), np.ceil(middle + reach)], 0, length).astype(int)
    return slice(int(begin), int(end))


def _rotate(offsets: NDArray[np.float64], degrees: float) -> NDArray[np.float64]:
    """Return offsets (x, y) [...,2] rotated clockwise in the image, where y points down."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.array([[cosine, sine], [-sine, cosine]])
    return np.asarray(offsets) @ turn


def decode_runs(counts: Sequence[int] | NDArray[Any], height: int, width: int) -> NDArray[np.bool_]:
    """Return the mask [H,W] that run lengths along rows encode.

    Args:
        counts: the lengths of runs of pixels outside and inside of the shape by turns. The first
            run lies outside and may be 0.
        height: rows of the mask.
        width: columns of the mask.

    Raises:
        UserError: a length is negative or no integer, or the sum of the lengths is not H·W. The
            message does not name the file.
    """
    lengths = np.asarray(counts)
    whole = lengths.size == 0 or lengths.dtype.kind in "iu"
    if not whole or lengths.ndim != 1 or (lengths < 0).any():
        raise UserError("the run lengths are not all integers from 0 on")
    if sum(lengths.tolist()) != height * width:
        raise UserError(f"the run lengths do not add up to the mask's {width}x{height} pixels")
    values = np.arange(lengths.size) % 2 == 1
    return np.repeat(values, lengths).reshape(height, width)


def decode_coco_runs(counts: Sequence[int] | str, height: int, width: int) -> NDArray[np.bool_]:
    """Return the mask [H,W] that COCO's run lengths encode, which go along columns.

    Args:
        counts: the lengths, see `decode_runs`, or the compressed string that pycocotools writes.
        height: rows of the mask.
        width: columns of the mask.

    Raises:
        UserError: the lengths are malformed, or the sum of the lengths is not H·W. The message does
            not name the file.
    """
    lengths = uncompress(counts) if isinstance(counts, str) else counts
    return decode_runs(lengths, width, height).T


def uncompress(text: str) -> list[int]:
    """Return the run lengths that COCO's compressed string holds.

    The code of each character minus 48 holds five bits of a number, the lowest bits first. A sixth
    bit is set if the number continues. The fifth bit of a number's last character is the sign. From
    the fourth number on, each number is the difference to the length two positions before.

    Raises:
        UserError: a character is not one of the 64, a number is too long, or the string ends within
            a number. The message does not name the file.
    """
    lengths: list[int] = []
    number = shift = 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64 or shift > 60:
            raise UserError("the compressed run lengths are malformed")
        number |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            number -= 1 << shift
        lengths.append(number + lengths[-2] if len(lengths) > 2 else number)
        number = shift = 0
    if shift:
        raise UserError("the compressed run lengths end within a number")
    return lengths
