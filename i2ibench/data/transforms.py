"""Transforms that resize, crop or flip all maps and images of a scene alike.

A transform takes and returns a dict of arrays by kind of data (see `KINDS`). Maps are integers
[H,W], such as `label` uint8 and `instance` int32. Images are uint8 or uint16 [H,W,C]. Any kind may
be missing. `rng` is the generator for random transforms. Images are resized by PIL's bicubic
filter, maps by its nearest-neighbour rule.
"""

from collections.abc import Callable
from typing import Any

import mmcv
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from i2ibench.data.kinds import KINDS
from i2ibench.errors import UserError
from i2ibench.registry import TRANSFORMS
from i2ibench.registry.contracts import Transform

Arrays = dict[str, Any]


@TRANSFORMS.register_module()
class Resize(Transform):
    """A transform that resizes everything to `width` x `height` pixels."""

    deterministic = True

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height

    def transform(self, arrays: Arrays) -> Arrays:
        """Return a scene's arrays by kind, all resized to `width` x `height` pixels.

        Proportions are not kept. Arrays of that size are returned unchanged.
        """
        return _resize(arrays, self.width, self.height)


@TRANSFORMS.register_module()
class ScaleWidth(Transform):
    """A transform that resizes to a width and keeps the aspect ratio (height rounded down)."""

    deterministic = True

    def __init__(self, width: int) -> None:
        self.width = width

    def transform(self, arrays: Arrays) -> Arrays:
        """Return a scene's arrays, resized to `width` pixels and a height that keeps proportions.

        The height is rounded down.

        Raises:
            UserError: the height would be 0.
        """
        height, width = _size(arrays)
        return _resize(arrays, self.width, int(self.width * height / width))


@TRANSFORMS.register_module()
class RoundToMultiple(Transform):
    """A transform that resizes both sides to the nearest multiple of `base`."""

    deterministic = True

    def __init__(self, base: int) -> None:
        self.base = base

    def transform(self, arrays: Arrays) -> Arrays:
        """Return a scene's arrays with both sides resized to the nearest multiple of `base`.

        Raises:
            UserError: a side would be 0 pixels long.
        """
        height, width = (round(side / self.base) * self.base for side in _size(arrays))
        return _resize(arrays, width, height)


@TRANSFORMS.register_module()
class RandomCrop(Transform):
    """A transform that crops a window at a random place, the same place in all arrays.

    Args:
        width, height: the size of the window in pixels.
        fill: the value of pixels outside the image; None to raise an error for images smaller than
            the window. The released pix2pixHD fills with 0. Like there, an image that is not larger
            than the window in both directions is left unchanged.
    """

    def __init__(self, width: int, height: int, fill: int | None = None) -> None:
        self.width, self.height, self.fill = width, height, fill

    def transform(self, arrays: Arrays) -> Arrays:
        """Return a scene's arrays, cropped to a window at a place drawn from `arrays["rng"]`.

        If the image is not larger than the window in both directions, the arrays are returned
        unchanged. If it is smaller in one direction, it is padded with `fill` at the right or
        bottom.

        Raises:
            UserError: the image is smaller than the window in a direction and `fill` is None.
        """
        height, width = _size(arrays)
        if self.fill is None and (width < self.width or height < self.height):
            raise UserError(
                f"RandomCrop of {self.width}x{self.height} from an image of {width}x{height}: "
                "choose a smaller window, resize first, or set fill=0."
            )
        if width <= self.width and height <= self.height:
            return arrays
        left = int(arrays["rng"].integers(max(width - self.width, 0) + 1))
        top = int(arrays["rng"].integers(max(height - self.height, 0) + 1))
        arrays = _apply(arrays, self._extended)
        box = np.array([left, top, left + self.width - 1, top + self.height - 1])
        return _apply(arrays, lambda image: mmcv.imcrop(image, box))

    def _extended(self, image: NDArray[Any]) -> NDArray[Any]:
        """Return an array, padded by `fill` (None: 0) at the right and bottom to the window's size.

        A side that is long enough is not padded.
        """
        bottom, right = max(self.height - image.shape[0], 0), max(self.width - image.shape[1], 0)
        around = [(0, bottom), (0, right), (0, 0)][: image.ndim]
        return np.pad(image, around, constant_values=self.fill or 0)


@TRANSFORMS.register_module()
class RandomFlip(Transform):
    """A transform that mirrors everything left to right with a probability."""

    def __init__(self, probability: float = 0.5) -> None:
        self.probability = probability

    def transform(self, arrays: Arrays) -> Arrays:
        """Return a scene's arrays, either all mirrored left to right or all unchanged.

        One number drawn from `arrays["rng"]` decides.
        """
        if arrays["rng"].random() < self.probability:
            return _apply(arrays, mmcv.imflip)
        return arrays


def resize_nearest(array: NDArray[Any], width: int, height: int) -> NDArray[Any]:
    """Resize an array [H,W,...] of any dtype by PIL's nearest-neighbour rule.

    Args:
        array: the array.
        width, height: the new size in pixels.
    """
    rows = _nearest(array.shape[0], height)
    columns = _nearest(array.shape[1], width)
    return array[rows].take(columns, axis=1)


def _nearest(source: int, target: int) -> NDArray[np.int32]:
    """Return the source index of each pixel of a resized side, int32 [target], as in PIL."""
    positions = Image.fromarray(np.arange(source, dtype=np.int32)[None])
    return np.array(positions.resize((target, 1), Image.Resampling.NEAREST))[0]


def _resize(arrays: Arrays, width: int, height: int) -> Arrays:
    if _size(arrays) == (height, width):
        return arrays
    if width < 1 or height < 1:
        raise UserError(f"An image cannot be resized to {width}x{height} pixels.")
    resized = dict(arrays)
    for kind in arrays.keys() & KINDS.keys():
        resize = resize_nearest if KINDS[kind].is_map else resize_image
        resized[kind] = resize(arrays[kind], width, height)
    return resized


def resize_image(
    image: NDArray[Any],
    width: int,
    height: int,
    how: Image.Resampling = Image.Resampling.BICUBIC,
) -> NDArray[Any]:
    """Resize an image, uint8 or uint16 [H,W,C], to `width` x `height` by one of PIL's filters.

    Args:
        image: the image.
        width, height: the new size in pixels.
        how: the filter.
    """
    if image.dtype == np.uint8 and image.shape[2] == 3:
        return _resize_plane(image, width, height, how)
    planes = [_resize_plane(image[..., c], width, height, how) for c in range(image.shape[2])]
    return np.stack(planes, -1)


def _resize_plane(
    plane: NDArray[Any], width: int, height: int, how: Image.Resampling
) -> NDArray[Any]:
    """Resize an array, uint8 [H,W] or [H,W,3], or uint16 [H,W], which is computed in float32.

    uint16 values are rounded.
    """
    if plane.dtype == np.uint8:
        return np.array(Image.fromarray(np.ascontiguousarray(plane)).resize((width, height), how))
    exact = Image.fromarray(plane.astype(np.float32)).resize((width, height), how)
    return np.array(exact).round().clip(0, 65535).astype(np.uint16)


def _size(arrays: Arrays) -> tuple[int, int]:
    """Return the (height, width) of a scene's arrays, from the first in the order of `KINDS`."""
    first = next(arrays[kind] for kind in KINDS if kind in arrays)
    return first.shape[:2]


def _apply(arrays: Arrays, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Arrays:
    return {key: change(value) if key in KINDS else value for key, value in arrays.items()}
