"""Read uploaded label maps, instance maps and photos from memory."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from i2ibench.apps.editor.classes import Classes
from i2ibench.apps.editor.instances import LARGEST_ID
from i2ibench.data.image_reading import decode_image, decode_map
from i2ibench.data.maps import UnknownIdError, label_map_of
from i2ibench.errors import UserError

MAX_SIDE = 4096
MAX_PIXELS = 2048 * 4096
"""The largest area of a scene of the data and of a photo."""
MAX_UPLOAD_PIXELS = 1024 * 2048
"""The largest area of an uploaded scene or map, unless `edit --max-pixels` gives another. Images
are rendered whole, and small networks need 0.5 to 2 GB for so many pixels."""


def read_label_png(
    data: bytes, classes: Classes, max_pixels: int = MAX_PIXELS, name: str = "label map"
) -> NDArray[np.uint8]:
    """Decode a label map from the content of a PNG into class numbers, uint8 [H,W].

    The values are read as in a data set, see `label_map_of`. If some value is no class id and all
    values are class numbers (0..N-1 for N classes), they are taken as class numbers.

    Args:
        data: the content of the file.
        classes: the classes of the checkpoint.
        max_pixels: the largest allowed area in pixels; a side has at most MAX_SIDE.
        name: the name of the file, which may state a coding such as trainIds.

    Raises:
        UserError: the data is no PNG of integers, is too large, or has values of no class.
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
    """Decode an instance map from the content of a PNG into ids, int32 [H,W].

    Args:
        data: the content of the file.
        max_pixels: the largest allowed area in pixels; a side has at most MAX_SIDE.

    Raises:
        UserError: the data is no PNG of integers, is in colour or too large, or has ids outside
            0..65535.
    """
    ids = read_integers(data, "instance map", max_pixels)
    if ids.min() < 0 or ids.max() > LARGEST_ID:
        raise UserError(f"Instance ids lie in 0..{LARGEST_ID}, got {ids.min()}..{ids.max()}.")
    return ids.astype(np.int32)


def read_photo(data: bytes, height: int, width: int) -> NDArray[np.uint8]:
    """Decode a photo from the content of a PNG or JPEG, and resize it to uint8 [H,W,3].

    It is turned upright as its EXIF data says. Its proportions are not kept.

    Args:
        data: the content of the file; the photo has at most MAX_PIXELS, and MAX_SIDE a side.
        height, width: the size of the result.

    Raises:
        UserError: the data is no such image, or is too large.
    """
    _check_header(data, ("PNG", "JPEG"), "photo", MAX_PIXELS)
    image = Image.fromarray(decode_image(data, "The photo"))
    return np.array(image.resize((width, height), Image.Resampling.BICUBIC))


def check_size(width: int, height: int, max_pixels: int = MAX_PIXELS) -> None:
    """Check that an image has one to `max_pixels` pixels, and at most MAX_SIDE along a side.

    Raises:
        UserError: the image is empty or too large; the message states size and limits.
    """
    if max(width, height) > MAX_SIDE or width * height > max_pixels or min(width, height) < 1:
        raise UserError(
            f"The picture has {width}x{height} pixels; at most {MAX_SIDE} a side and {max_pixels} "
            "in all are taken."
        )


def read_integers(data: bytes, kind: str, max_pixels: int = MAX_PIXELS) -> NDArray[Any]:
    """Decode a map from the content of a PNG into its integers [H,W], upright.

    Args:
        data: the content of the file.
        kind: the name of the map in error messages, such as "label map".
        max_pixels: the largest allowed area in pixels; a side has at most MAX_SIDE.

    Raises:
        UserError: the data is no PNG of integers, is in colour, or is too large.
    """
    _check_header(data, ("PNG",), kind, max_pixels)
    values = decode_map(data, f"The {kind}").values
    if values.ndim != 2:
        raise UserError(f"The {kind} is a colour picture; it needs one channel of integers.")
    return values


def _check_header(data: bytes, formats: tuple[str, ...], kind: str, max_pixels: int) -> None:
    """Check format and size of an image by its header, before anything is decoded."""
    try:
        with Image.open(io.BytesIO(data), formats=formats) as image:
            size = image.size
    except Image.DecompressionBombError:
        raise UserError(
            f"The {kind} is too large: at most {max_pixels} pixels are taken."
        ) from None
    except UnidentifiedImageError:
        raise UserError(f"The {kind} is no readable {' or '.join(formats)}.") from None
    except Exception as error:  # decoders raise many kinds of errors
        raise UserError(f"The {kind} is no readable {' or '.join(formats)}: {error}") from None
    check_size(*size, max_pixels)
