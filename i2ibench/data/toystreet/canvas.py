"""The canvas: an image, a label map and an instance map that are painted together."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from i2ibench.data.toystreet.camera import Floats

Bytes = NDArray[np.uint8]
Rgb = tuple[int, int, int]
SUBPIXEL_BITS = 4
FARTHEST_PIXEL = 30000.0
GLOW_FROM = 236
"""Channels from this value on are lamps and lit windows; shading makes no colour that bright."""


@dataclass(frozen=True)
class Patch:
    """A rectangle of pixels of a canvas."""

    rows: slice
    columns: slice
    u: Floats  # fractions of the canvas at the pixel centres, [w]
    v: Floats  # [h]


class Canvas:
    """The three arrays of one scene while it is painted, distant things first.

    Attributes:
        image: RGB, uint8 [H,W,3].
        label: class ids, uint8 [H,W].
        instance: instance ids, int32 [H,W]; the class id where there is no instance.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self.image: Bytes = np.zeros((height, width, 3), np.uint8)
        self.label: Bytes = np.zeros((height, width), np.uint8)
        self.instance: NDArray[np.int32] = np.zeros((height, width), np.int32)
        self._size = np.array([width, height], np.float32)

    def fill_polygon(
        self, corners: Floats, rgb: Rgb, label: int, instance: int | None = None
    ) -> None:
        """Fill a polygon in the canvas's image, label map and instance map.

        Parts outside of the canvas are cut off.

        Args:
            corners: (u, v) in fractions of the canvas, [N,2].
            rgb: colour, 0..255.
            label: class id.
            instance: instance id; None takes the class id.
        """
        points = [self._fixed_point(corners)]
        cv2.fillPoly(self.image, points, rgb, cv2.LINE_8, SUBPIXEL_BITS)
        cv2.fillPoly(self.label, points, (label,), cv2.LINE_8, SUBPIXEL_BITS)
        number = label if instance is None else instance
        cv2.fillPoly(self.instance, points, (number,), cv2.LINE_8, SUBPIXEL_BITS)

    def patch(self, left: float, top: float, right: float, bottom: float) -> Patch | None:
        """Return the pixels of the canvas that a rectangle touches; None if there are none.

        Args:
            left, right: columns as fractions of the canvas's width. Parts outside of 0..1 are cut
                off.
            top, bottom: rows as fractions of the canvas's height, likewise.
        """
        columns = _span(left, right, self.width)
        rows = _span(top, bottom, self.height)
        if columns.stop <= columns.start or rows.stop <= rows.start:
            return None
        u = (np.arange(columns.start, columns.stop, dtype=np.float32) + 0.5) / self.width
        v = (np.arange(rows.start, rows.stop, dtype=np.float32) + 0.5) / self.height
        return Patch(rows, columns, u, v)

    def paint(
        self, patch: Patch, mask: NDArray[np.bool_], colours: Floats, label: int | Bytes
    ) -> None:
        """Paint stuff on masked pixels of the canvas's image, label map and instance map.

        The instance map gets the class id.

        Args:
            patch: the rectangle of pixels, [h,w].
            mask: which of the pixels are painted, bool [h,w]; the others keep their values.
            colours: [3,h,w]; values outside of 0..255 are cut off.
            label: class id, one or [h,w].
        """
        red, green, blue = np.clip(colours, 0, 255).astype(np.uint8)
        pixels = cv2.merge([red, green, blue])
        where = (patch.rows, patch.columns)
        cv2.copyTo(pixels, mask.view(np.uint8), self.image[where])
        np.copyto(self.label[where], label, where=mask, casting="unsafe")
        np.copyto(self.instance[where], label, where=mask)

    def cast_shadow(self, corners: Floats, strength: float) -> None:
        """Darken the canvas's image inside a polygon with soft edges; the maps stay.

        Args:
            corners: (u, v) in fractions of the canvas, [N,2].
            strength: 0 changes nothing, 1 makes the pixels black.
        """
        low, high = corners.min(axis=0), corners.max(axis=0)
        margin = 0.15 * (high - low)
        left, top = (low - margin).tolist()
        right, bottom = (high + margin).tolist()
        patch = self.patch(left, top, right, bottom)
        if patch is None:
            return
        cover = np.zeros((len(patch.v), len(patch.u)), np.uint8)
        start = np.array([patch.columns.start, patch.rows.start], np.float32)
        cv2.fillPoly(cover, [self._fixed_point(corners, start)], (255,), cv2.LINE_8, SUBPIXEL_BITS)
        reach = 2 * max(1, round(float(margin[1]) * self.height)) + 1
        soft = cv2.blur(cover, (2 * reach + 1, reach))
        self._dim(patch, 1.0 - strength / 255.0 * soft.astype(np.float32))

    def shade_instance(self, patch: Patch, factor: Floats, instance: int) -> None:
        """Multiply the canvas's image by a factor on the pixels of one instance, but not its lamps.

        Args:
            patch: the rectangle of pixels, [h,w]; the instance is only changed there.
            factor: the factors, [h,w] or a shape that broadcasts to it.
            instance: instance id. Pixels with a channel of `GLOW_FROM` or more are taken for lamps.
        """
        where = (patch.rows, patch.columns)
        own = (self.instance[where] == instance) & (self.image[where].max(axis=-1) < GLOW_FROM)
        self._dim(patch, np.where(own, factor, np.float32(1.0)).astype(np.float32))

    def _dim(self, patch: Patch, factor: Floats) -> None:
        view = self.image[patch.rows, patch.columns]
        view[...] = np.clip(view * factor[..., None], 0, 255).astype(np.uint8)

    def _fixed_point(self, corners: Floats, start: Floats | None = None) -> NDArray[np.int32]:
        pixels = corners * self._size - 0.5
        if start is not None:
            pixels = pixels - start
        limited = np.minimum(np.maximum(pixels, -FARTHEST_PIXEL), FARTHEST_PIXEL)
        return np.asarray(np.rint(limited * (1 << SUBPIXEL_BITS)), np.int32)


def _span(first: float, last: float, size: int) -> slice:
    start = min(max(math.floor(first * size), 0), size)
    return slice(start, min(max(math.ceil(last * size), start), size))
