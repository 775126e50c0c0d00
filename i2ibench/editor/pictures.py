"""Label maps, instance maps and photos from elsewhere, read from memory."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from i2ibench.editor.classes import Classes
from i2ibench.editor.ids import LARGEST_ID
from i2ibench.errors import UserError

MAX_SIDE = 4096
MAX_PIXELS = 2048 * 4096


def read_label_png(data: bytes, classes: Classes) -> NDArray[np.uint8]:
    """The channels uint8 [H,W] of a label map in a PNG.

    Its values are the data set's, if all of them are such; otherwise channels.

    Raises:
        UserError: no PNG of integers, too large, or values that are neither.
    """
    values = read_integers(data, "label map")
    present = np.unique(values)
    if np.isin(present, classes.ids).all():
        table = np.zeros(max(classes.ids) + 1, np.uint8)
        table[list(classes.ids)] = np.arange(len(classes))
        return table[values]
    if present.max() < len(classes):
        return values.astype(np.uint8)
    unknown = [int(v) for v in present if v not in classes.ids]
    raise UserError(
        f"The label map has the values {', '.join(map(str, unknown[:5]))}, which no class has: "
        f"the {len(classes)} classes have the ids {min(classes.ids)}..{max(classes.ids)}."
    )


def read_instance_png(data: bytes) -> NDArray[np.int32]:
    """The ids int32 [H,W] of an instance map in a PNG.

    Raises:
        UserError: no PNG of integers, too large, or ids above 65535.
    """
    ids = read_integers(data, "instance map").astype(np.int64)
    if ids.min() < 0 or ids.max() > LARGEST_ID:
        raise UserError(f"Instance ids lie in 0..{LARGEST_ID}, got {ids.min()}..{ids.max()}.")
    return ids.astype(np.int32)


def read_photo(data: bytes, height: int, width: int) -> NDArray[np.uint8]:
    """A photo in a PNG or JPEG, resized, uint8 [H,W,3].

    Raises:
        UserError: no such picture, or too large.
    """
    picture = _opened(data, ("PNG", "JPEG"), "photo")
    if picture.mode.startswith(("I", "F")):
        raise UserError("The photo has more than 8 bits per channel; save it with 8.")
    resized = picture.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
    return np.array(resized)


def check_size(width: int, height: int) -> None:
    """Refuse what is too large to edit.

    Raises:
        UserError: states the size and the limits.
    """
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS or min(width, height) < 1:
        raise UserError(
            f"The picture has {width}x{height} pixels; at most {MAX_SIDE} a side and {MAX_PIXELS} "
            "in all can be edited."
        )


def read_integers(data: bytes, kind: str) -> NDArray[Any]:
    """The values [H,W] of a PNG with one channel.

    Raises:
        UserError: no such PNG, or too large.
    """
    picture = _opened(data, ("PNG",), kind)
    if picture.mode not in ("1", "L", "P", "I;16", "I"):
        raise UserError(f"The {kind} is a colour picture; it needs one channel of integers.")
    return np.array(picture).astype(np.int64 if picture.mode == "I" else np.uint16)


def _opened(data: bytes, formats: tuple[str, ...], kind: str) -> Image.Image:
    """The decoded picture, whose header was judged before anything was decoded."""
    try:
        picture = Image.open(io.BytesIO(data), formats=formats)
        check_size(*picture.size)
        picture.load()
    except UserError:
        raise
    except UnidentifiedImageError:
        raise UserError(f"The {kind} is no readable {' or '.join(formats)}.") from None
    except Exception as error:  # whatever a foreign file makes the decoder raise
        raise UserError(f"The {kind} is no readable {' or '.join(formats)}: {error}") from None
    return picture
