"""The pixels that a stroke, a polygon, a connected region or a silhouette covers.

All rules use integers only. The page (raster.js) follows the same rules, so that the pixels that it
draws at once are those of the server. The disc of radius r at (cx, cy) has the pixels with
dx*dx + dy*dy <= r*r + r.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Point = tuple[int, int]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Region:
    """A set of pixels of a canvas: a mask bool [h,w] whose first pixel is (left, top)."""

    left: int
    top: int
    mask: Mask

    @property
    def slices(self) -> tuple[slice, slice]:
        """Return the slices (rows, columns) that select the region's box in an array [H,W]."""
        height, width = self.mask.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)

    @property
    def empty(self) -> bool:
        """Return whether the region has no pixels."""
        return not self.mask.any()


@dataclass(frozen=True)
class PixelBox:
    """A rectangle of pixels, whose upper left pixel is (x, y)."""

    x: int
    y: int
    width: int
    height: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Return the slices (rows, columns) that select this box in an array [H,W]."""
        return slice(self.y, self.y + self.height), slice(self.x, self.x + self.width)


def box_of(mask: Mask) -> PixelBox | None:
    """Return the smallest box around the True pixels of a mask [H,W]; None if no pixel is True."""
    region = tight(mask)
    height, width = region.mask.shape
    return None if region.empty else PixelBox(region.left, region.top, width, height)


def clipped(region: Region, height: int, width: int) -> Region:
    """Return the part of a region that lies on a canvas of this height and width.

    Its mask has no pixels if the region lies outside.
    """
    top, left = max(region.top, 0), max(region.left, 0)
    bottom = max(min(region.top + region.mask.shape[0], height), top)
    right = max(min(region.left + region.mask.shape[1], width), left)
    mask = region.mask[top - region.top : bottom - region.top]
    return Region(left, top, mask[:, left - region.left : right - region.left])


def tight(mask: Mask) -> Region:
    """Return the True pixels of a mask bool [H,W] as a region without empty margins.

    If no pixel is True, the mask of the result is bool [0,0].
    """
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return Region(0, 0, np.zeros((0, 0), bool))
    top, left = int(rows[0]), int(columns[0])
    return Region(left, top, mask[top : rows[-1] + 1, left : columns[-1] + 1])


def line(start: Point, end: Point) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the x and y coordinates of the integer Bresenham line, both ends included.

    This is the closed form of the usual loop (err = dx + dy; e2 = 2 * err; ...). Each point is one
    step further along the longer axis. Along the shorter axis the position is rounded, and halves
    are rounded away from the start.

    Args:
        start, end: the end points (x, y), in any direction; the line is one point if they are
            equal.
    """
    (x0, y0), (x1, y1) = start, end
    dx, dy = abs(x1 - x0), abs(y1 - y0)
    longest = max(dx, dy)
    steps = np.arange(longest + 1)
    half = 2 * max(longest, 1)
    x = (2 * dx * steps + longest) // half
    y = (2 * dy * steps + longest) // half
    return x0 + (x if x1 >= x0 else -x), y0 + (y if y1 >= y0 else -y)


def stroke(points: Sequence[Point], radius: int, height: int, width: int) -> Region:
    """Return the pixels of discs along the lines between points, clipped to the canvas.

    A stroke covers the same pixels if it is split into segments that share their end points.

    Args:
        points: the points (x, y), at least one; they may lie outside the canvas.
        radius: the radius of the discs in pixels; with 0 a disc is one pixel.
        height, width: the size of the canvas.
    """
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    # Centres farther from the canvas than the radius do not matter.
    left, top = max(min(xs) - radius, -radius), max(min(ys) - radius, -radius)
    right = min(max(xs), width - 1) + radius + 1
    bottom = min(max(ys), height - 1) + radius + 1
    if right <= left or bottom <= top:
        return Region(0, 0, np.zeros((0, 0), bool))
    free = np.ones((bottom - top, right - left), bool)
    for start, end in zip(points, [*points[1:], points[-1]], strict=True):
        x, y = line(start, end)
        x, y = x - left, y - top
        inside = (x >= 0) & (y >= 0) & (x < free.shape[1]) & (y < free.shape[0])
        free[y[inside], x[inside]] = False
    if free.all():
        return Region(0, 0, np.zeros((0, 0), bool))
    # A pixel is covered if its nearest centre is near enough. The squared limit lies halfway
    # between two integers, so that rounding does not matter.
    covered = ndimage.distance_transform_edt(free) < sqrt(radius * radius + radius + 0.5)
    return clipped(Region(left, top, covered), height, width)


def polygon(points: Sequence[Point], height: int, width: int) -> Region:
    """Return the pixels whose centre lies in a polygon (even-odd rule), clipped to the canvas.

    A corner (x, y) is the upper left corner of that pixel, so the square (0, 0), (2, 0), (2, 2),
    (0, 2) has four pixels.

    Args:
        points: the corners, at least one; they may lie outside. The last is joined to the first.
        height, width: the size of the canvas.
    """
    toggles = np.zeros((height, width + 1), bool)
    for (x0, y0), (x1, y1) in zip(points, [*points[1:], points[0]], strict=True):
        if y0 > y1:
            x0, y0, x1, y1 = x1, y1, x0, y0
        rows = np.arange(max(y0, 0), min(y1, height))
        dx, dy = x1 - x0, y1 - y0
        # The first pixel whose centre is not left of the edge, at the height of the row's centre.
        first = -(-(2 * x0 * dy + (2 * (rows - y0) + 1) * dx - dy) // (2 * max(dy, 1)))
        toggles[rows, np.clip(first, 0, width)] ^= True
    return tight(np.logical_xor.accumulate(toggles, axis=1)[:, :width])


def connected(instance: NDArray[np.int32], x: int, y: int) -> Region:
    """Return the connected part of an instance that contains the pixel (x, y).

    These are the pixels with the instance id of (x, y) that are connected to (x, y) by sides.

    Args:
        instance: the instance id of each pixel, int32 [H,W].
        x, y: the pixel, which lies in the map.
    """
    same = tight(instance == instance[y, x])
    parts, _ = ndimage.label(same.mask)
    part = tight(parts == parts[y - same.top, x - same.left])
    return Region(same.left + part.left, same.top + part.top, part.mask)


def scaled(mask: Mask, scale: float, flip: bool = False) -> Mask:
    """Return a silhouette bool [h,w] resized by `scale`; if `flip` is true, also mirrored.

    Left and right are exchanged by mirroring. Side lengths are rounded, halves up, and are at least
    1. Pixel i of the new width w is pixel floor(i * width / w).
    """
    height, width = mask.shape
    new_height, new_width = (max(floor(side * scale + 0.5), 1) for side in mask.shape)
    rows = np.arange(new_height) * height // new_height
    columns = np.arange(new_width) * width // new_width
    resized = mask[rows][:, columns]
    return resized[:, ::-1] if flip else resized


def centred(mask: Mask, x: int, y: int) -> Region:
    """Return the region of a silhouette bool [h,w] centred at (x, y). It is not cut at any canvas.

    The centre of an even side is the pixel after the middle.
    """
    height, width = mask.shape
    return Region(x - width // 2, y - height // 2, mask)
