"""Masks of drawn shapes: polygons, boxes and ellipses on a grid of pixels.

A pixel belongs to a shape if its centre lies inside: pixel (row 0, column 0) has the centre
(0.5, 0.5), and coordinates count from the image's upper left corner. Where two shapes share an
edge no pixel belongs to both and none is left between. Pillow's and OpenCV's polygons contain
every pixel that their outline touches, so that neighbours overlap by one or two pixels and a box
of 12x6 has 13x7 pixels; that is why they are not used here.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def fill_polygon(points: NDArray[np.float64], height: int, width: int) -> Mask:
    """Return the mask [H,W] of the pixels whose centres lie inside a polygon.

    Where the outline crosses itself, the inside is what a line from outside reaches by an odd
    number of crossings. Parts outside of the image are cut off. A centre that lies on the outline
    belongs to the shape to its right or below.

    Args:
        points: the corners (x, y) in pixels, [N,2]; the last one is joined to the first.
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
    """Return row and column of the first pixel beyond each crossing of an edge and a row."""
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
    """Return the four corners (x, y) of a box that is turned clockwise about its centre, [4,2]."""
    centre = np.array([left + right, top + bottom]) / 2
    half = np.array([right - left, bottom - top]) / 2
    corners = half * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    return centre + _turned(corners, degrees) if degrees else centre + corners


def fill_ellipse(
    centre: Sequence[float], radii: Sequence[float], size: tuple[int, int], degrees: float = 0.0
) -> Mask:
    """Return the mask [H,W] of the pixels whose centres lie inside an ellipse or on its outline.

    Args:
        centre: (x, y) in pixels.
        radii: half of its width and of its height in pixels; equal ones make a circle.
        size: (height, width) of the mask.
        degrees: how far the ellipse is turned clockwise about its centre.
    """
    height, width = size
    if min(radii) <= 0:
        return np.zeros(size, bool)
    reach = max(radii)
    rows = _within(centre[1], reach, height)
    columns = _within(centre[0], reach, width)
    y, x = np.mgrid[rows, columns] + 0.5
    offsets = np.stack([x - centre[0], y - centre[1]], axis=-1)
    across, along = np.moveaxis(_turned(offsets, -degrees), -1, 0)
    mask = np.zeros(size, bool)
    mask[rows, columns] = (across / radii[0]) ** 2 + (along / radii[1]) ** 2 <= 1
    return mask


def _within(middle: float, reach: float, length: int) -> slice:
    """Return the pixels of a row or column that lie at most `reach` from `middle`."""
    begin, end = np.clip([np.floor(middle - reach), np.ceil(middle + reach)], 0, length).astype(int)
    return slice(int(begin), int(end))


def _turned(offsets: NDArray[np.float64], degrees: float) -> NDArray[np.float64]:
    """Return offsets (x, y) turned clockwise as one sees them: y points down."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.array([[cosine, sine], [-sine, cosine]])
    return np.asarray(offsets) @ turn
