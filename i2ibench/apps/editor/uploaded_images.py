"""Label maps, instance maps and photos from elsewhere, read from memory."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from i2ibench.apps.editor.classes import Classes
from i2ibench.apps.editor.instances import LARGEST_ID
from i2ibench.data.image_files import decode_image, decode_map
from i2ibench.data.maps import UnknownIdError, label_map_of
from i2ibench.errors import UserError

MAX_SIDE = 4096
MAX_PIXELS = 2048 * 4096
"""Of the data's own scenes, and of photos."""
MAX_UPLOAD_PIXELS = 1024 * 2048
"""Of uploaded scenes and maps, where `edit --max-pixels` says nothing else. An image of so many
pixels is painted at once; small networks take 0.5 to 2 GB for it."""


def read_label_png(
    data: bytes, classes: Classes, max_pixels: int = MAX_PIXELS, name: str = "label map"
) -> NDArray[np.uint8]:
    """Return the channels uint8 [H,W] of a label map in a PNG.

    It is read as in a data set, see `read_label_map`. Values of which some are no class's id are
    channels, if all of them can be.

    Args:
        data: the file's contents.
        classes: the checkpoint's.
        max_pixels: the most that are taken.
        name: of the file, which may state a coding, such as trainIds.

    Raises:
        UserError: no PNG of integers, too large, or values of no class.
    """
    _check_header(data, ("PNG",), "label map", max_pixels)
    pixels = decode_map(data, "The label map")
    try:
        return label_map_of(pixels, Path(name), classes.table()).channels
    except UnknownIdError:
        if pixels.values.min() >= 0 and pixels.values.max() < len(classes):
            return pixels.values.astype(np.uint8)
        raise


def read_instance_png(data: bytes, max_pixels: int = MAX_PIXELS) -> NDArray[np.int32]:
    """Return the ids int32 [H,W] of an instance map in a PNG.

    Raises:
        UserError: no PNG of integers, too large, or ids above 65535.
    """
    ids = read_integers(data, "instance map", max_pixels)
    if ids.min() < 0 or ids.max() > LARGEST_ID:
        raise UserError(f"Instance ids lie in 0..{LARGEST_ID}, got {ids.min()}..{ids.max()}.")
    return ids.astype(np.int32)


def read_photo(data: bytes, height: int, width: int) -> NDArray[np.uint8]:
    """Return a photo in a PNG or JPEG, upright and resized, uint8 [H,W,3].

    Raises:
        UserError: no such image, or too large.
    """
    _check_header(data, ("PNG", "JPEG"), "photo", MAX_PIXELS)
    image = Image.fromarray(decode_image(data, "The photo"))
    return np.array(image.resize((width, height), Image.Resampling.BICUBIC))


def check_size(width: int, height: int, max_pixels: int = MAX_PIXELS) -> None:
    """Refuse what is too large to edit.

    Raises:
        UserError: states the size and the limits.
    """
    if max(width, height) > MAX_SIDE or width * height > max_pixels or min(width, height) < 1:
        raise UserError(
            f"The picture has {width}x{height} pixels; at most {MAX_SIDE} a side and {max_pixels} "
            "in all are taken."
        )


def read_integers(data: bytes, kind: str, max_pixels: int = MAX_PIXELS) -> NDArray[Any]:
    """Return the integers [H,W] that a PNG holds, upright.

    Raises:
        UserError: no such PNG, or too large.
    """
    _check_header(data, ("PNG",), kind, max_pixels)
    values = decode_map(data, f"The {kind}").values
    if values.ndim != 2:
        raise UserError(f"The {kind} is a colour picture; it needs one channel of integers.")
    return values


def _check_header(data: bytes, formats: tuple[str, ...], kind: str, max_pixels: int) -> None:
    """Judge an image by its header, before anything is decoded."""
    try:
        with Image.open(io.BytesIO(data), formats=formats) as image:
            size = image.size
    except Image.DecompressionBombError:
        raise UserError(
            f"The {kind} is too large: at most {max_pixels} pixels are taken."
        ) from None
    except UnidentifiedImageError:
        raise UserError(f"The {kind} is no readable {' or '.join(formats)}.") from None
    except Exception as error:  # whatever a foreign file makes the decoder raise
        raise UserError(f"The {kind} is no readable {' or '.join(formats)}: {error}") from None
    check_size(*size, max_pixels)
