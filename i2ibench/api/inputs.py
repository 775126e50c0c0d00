"""Label maps, instance maps and images as a notebook has them: PIL, NumPy, torch or a path."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from i2ibench.data.class_colours import channels_of_colours, is_coloured
from i2ibench.data.classes import ClassTable
from i2ibench.data.image_reading import MapPixels, decode_image, decode_map, read_map_pixels
from i2ibench.data.maps import checked_ids, label_map_of
from i2ibench.data.pixel_formats import PixelFormat, read_image
from i2ibench.errors import UserError

ImageLike: TypeAlias = Image.Image | NDArray[Any] | torch.Tensor | str | Path
"""A PIL image, an array [H,W], [H,W,C] or [C,H,W], a tensor of such a shape, or a file's path."""

_LOSSY = ("JPEG", "MPO")


def read_label(value: ImageLike, classes: ClassTable) -> NDArray[np.uint8]:
    """Return the class channels, uint8 [H,W], of a label map.

    Args:
        value: class ids, as an integer array or a grey or palette image; or an RGB image in the
            classes' colours.
        classes: the class table; a class's channel is its position there.

    Raises:
        UserError: a value is no class's id, a colour is no class's colour, or the value is no map.
    """
    pixels, place = _map_pixels(value, "the label map")
    if is_coloured(pixels, classes):
        shown = pixels.values if pixels.values.ndim == 3 else pixels.values[..., None]
        rgb = np.broadcast_to(shown, (*shown.shape[:2], 3))
        if rgb.dtype != np.uint8:
            raise UserError(f"{place} holds colours as {rgb.dtype}; colours are uint8.")
        return channels_of_colours(rgb, classes, place)
    return label_map_of(pixels, Path(place), classes).channels


def read_instance(value: ImageLike) -> NDArray[np.int32]:
    """Return the ids of an instance map, int32 [H,W].

    Args:
        value: ids from 0 on, as an integer array or an image of one channel.

    Raises:
        UserError: the value is no map, or see `checked_ids`.
    """
    pixels, place = _map_pixels(value, "the instance map")
    return checked_ids(pixels.values, place).astype(np.int32)


def read_photo(value: ImageLike, pixels: PixelFormat, what: str) -> NDArray[Any]:
    """Return an image [H,W,C] in a data set's format, uint8, or uint16 for 16 bits.

    Args:
        value: the image; arrays hold integers.
        pixels: the channels and bits that the model expects.
        what: the argument, for messages, such as "the photo".

    Raises:
        UserError: the image has another format.
    """
    if isinstance(value, str | Path):
        return read_image(Path(value), pixels)
    if isinstance(value, Image.Image) and pixels.is_rgb:
        return decode_image(_as_png(value, what), what)
    image = np.asarray(value) if isinstance(value, Image.Image) else _array(value, what)
    image = image[..., None] if image.ndim == 2 else _channels_last(image, what)
    expected = np.uint8 if pixels.bits == 8 else np.uint16
    if image.shape[2] != pixels.channels or image.dtype != expected:
        raise UserError(
            f"{what} has {image.shape[2]} channels of {image.dtype}, and the model reads {pixels} "
            f"({np.dtype(expected)})."
        )
    return image


def _map_pixels(value: ImageLike, what: str) -> tuple[MapPixels, str]:
    """Return the pixels of a map, and its name for messages."""
    if isinstance(value, str | Path):
        return read_map_pixels(Path(value)), str(value)
    if isinstance(value, Image.Image):
        if value.format in _LOSSY:
            raise UserError(f"{what} is a {value.format} image, which changes ids; save PNG.")
        return decode_map(_as_png(value, what), what), what
    array = _array(value, what)
    if array.ndim == 3:
        array = _channels_last(array, what)
        if array.shape[2] == 1:
            array = array[..., 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3):
        raise UserError(
            f"{what} has the shape {array.shape}; a map is [H,W] of ids or [H,W,3] of colours."
        )
    return MapPixels(array), what


def _array(value: Any, what: str) -> NDArray[Any]:
    """Return the integers of an array or tensor."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    if not isinstance(value, np.ndarray):
        raise UserError(
            f"{what} is a {type(value).__name__}; give a PIL image, a NumPy array, a torch tensor "
            "or the path of a file."
        )
    if value.size == 0:
        raise UserError(f"{what} is empty: its shape is {value.shape}.")
    if value.dtype.kind not in "iub":
        raise UserError(
            f"{what} holds {value.dtype} values; it must hold integers. If the values are whole "
            "numbers, convert them, such as by .astype(int)."
        )
    return value.astype(np.uint8) if value.dtype.kind == "b" else value


def _channels_last(array: NDArray[Any], what: str) -> NDArray[Any]:
    """Return an array [H,W,C] for one of [H,W,C] or [C,H,W]."""
    if array.ndim != 3:
        raise UserError(f"{what} has the shape {array.shape}; an image is [H,W,C] or [C,H,W].")
    if array.shape[0] in (1, 3) and array.shape[2] not in (1, 3):
        return array.transpose(1, 2, 0)
    return array


def _as_png(image: Image.Image, what: str) -> bytes:
    buffer = io.BytesIO()
    save: Callable[..., None] = image.save
    try:
        save(buffer, "PNG", compress_level=0)
    except OSError:
        raise UserError(
            f"{what} has the colour space {image.mode}; convert it to L, I;16, P or RGB first."
        ) from None
    return buffer.getvalue()
