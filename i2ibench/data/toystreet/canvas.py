"""Canvas: photo, label and instance arrays that are always painted with one and the same mask."""

from __future__ import annotations

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
# Channels from here up are lamps and lit windows: no shading may lift a colour that far.
GLOW_FROM = 236


@dataclass(frozen=True)
class Patch:
    """A rectangle of pixels: its slices, and the fractions u [w] and v [h] of the pixel centres."""

    rows: slice
    columns: slice
    u: Floats
    v: Floats


class Canvas:
    """The three arrays of one scene while it is painted, far things first."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self.image: Bytes = np.zeros((height, width, 3), np.uint8)
        self.label: Bytes = np.zeros((height, width), np.uint8)
        self.instance: NDArray[np.int32] = np.zeros((height, width), np.int32)
        self._size = np.array([width, height], np.float32)

    def polygon(self, corners: Floats, rgb: Rgb, label: int, instance: int | None = None) -> None:
        """Fill the polygon with [N, 2] corners in fractions in all three arrays."""
        points = [self._fixed_point(corners)]
        cv2.fillPoly(self.image, points, rgb, cv2.LINE_8, SUBPIXEL_BITS)
        cv2.fillPoly(self.label, points, (label,), cv2.LINE_8, SUBPIXEL_BITS)
        number = label if instance is None else instance
        cv2.fillPoly(self.instance, points, (number,), cv2.LINE_8, SUBPIXEL_BITS)

    def patch(self, left: float, top: float, right: float, bottom: float) -> Patch | None:
        """Return the pixels inside the given fractions, or None where there are none."""
        columns = _span(left, right, self.width)
        rows = _span(top, bottom, self.height)
        if columns.stop <= columns.start or rows.stop <= rows.start:
            return None
        u = (np.arange(columns.start, columns.stop, dtype=np.float32) + 0.5) / self.width
        v = (np.arange(rows.start, rows.stop, dtype=np.float32) + 0.5) / self.height
        return Patch(rows, columns, u, v)

    def stamp(
        self, patch: Patch, mask: NDArray[np.bool_], colours: Floats, label: int | Bytes
    ) -> None:
        """Paint colours [3, h, w] in 0..255 where mask [h, w] holds, as stuff of that label."""
        planes = np.clip(colours, 0, 255).astype(np.uint8)
        pixels = cv2.merge([planes[0], planes[1], planes[2]])
        where = (patch.rows, patch.columns)
        cv2.copyTo(pixels, mask.view(np.uint8), self.image[where])
        np.copyto(self.label[where], label, where=mask, casting="unsafe")
        np.copyto(self.instance[where], label, where=mask)

    def shadow(self, corners: Floats, strength: float) -> None:
        """Darken the photo alone, softly, inside the polygon; strength 1 turns it black."""
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

    def shade(self, patch: Patch, factor: Floats, instance: int) -> None:
        """Multiply the photo by factor (broadcast to [h, w]) where one instance does not glow."""
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
