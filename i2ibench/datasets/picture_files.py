"""Picture files: reading photos and maps, and telling what is wrong with them."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from i2ibench.datasets.map_errors import InexactMapError
from i2ibench.datasets.tar_members import place_of, read_bytes
from i2ibench.errors import UserError

LOSSY = (".jpg", ".jpeg")


def read_image(path: Path) -> NDArray[np.uint8]:
    """The photo as RGB, uint8 [H,W,3]; grey pictures get three equal channels.

    Raises:
        UserError: the file is broken.
    """
    return _read(path, mode="RGB")


def read_map(path: Path) -> NDArray[Any]:
    """The integers of a label or instance map, any shape.

    Raises:
        UserError: the file is broken, a JPEG, or holds no integers.
    """
    if path.suffix.lower() in LOSSY:
        raise InexactMapError(
            f"{path} is a JPEG, which changes ids; save label and instance maps as PNG."
        )
    values = _read(path)
    if values.dtype.kind not in "uib":
        raise InexactMapError(
            f"{path} holds {values.dtype} values; save ids as integers, in a PNG."
        )
    return values


def _read(path: Path, mode: str | None = None) -> NDArray[Any]:
    with _opened(path) as picture:
        if mode and (picture.mode.startswith(("I", "F")) or _raw_mode(picture).endswith("16B")):
            raise UserError(f"{path} has more than 8 bits per channel; save photos with 8.")
        if mode and picture.format == "PNG" and picture.mode == "RGB":
            pixels = _decode_png(path, cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
            if pixels is not None:
                return pixels
        if mode is None and picture.format == "PNG" and _raw_mode(picture) in ("L", "I;16B"):
            pixels = _decode_png(path, cv2.IMREAD_UNCHANGED)
            if pixels is not None and pixels.ndim == 2:
                return pixels
        return np.array(picture.convert(mode) if mode else picture)


def _decode_png(path: Path, flags: int) -> NDArray[Any] | None:
    """The pixels that PIL would give, sooner; None for PIL to say what is wrong."""
    return cv2.imdecode(np.frombuffer(read_bytes(path), np.uint8), flags)


def verify_image(path: Path) -> tuple[int, int]:
    """The (height, width) of a photo whose checksums (PNG) and end (PNG, JPEG) are right.

    Raises:
        UserError: the file is broken.
    """
    with _opened(path) as picture:
        width, height = picture.size
        picture.verify()
        if path.suffix.lower() in LOSSY and not _ends_as_jpeg(path):
            raise OSError("the picture is truncated")
    return height, width


def picture_size(path: Path) -> tuple[int, int]:
    """The (height, width) that a picture's header states.

    Raises:
        UserError: the file is missing or no picture.
    """
    with _opened(path) as picture:
        return picture.height, picture.width


def _raw_mode(picture: Image.Image) -> str:
    """How the file holds its pixels: Pillow reads 16-bit RGB as if it had 8."""
    tiles: Any = getattr(picture, "tile", None)
    arguments = tiles[0][3] if tiles else ""
    return str(arguments[0] if isinstance(arguments, tuple) and arguments else arguments)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The picture in a file; what PIL finds wrong with it, also later on, names the file."""
    try:
        source = path if place_of(path) is None else io.BytesIO(read_bytes(path))
        with Image.open(source) as picture:
            yield picture
    except FileNotFoundError:
        raise UserError(f"{path} does not exist.") from None
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise UserError(f"{path} is broken or no picture: {error}") from None


def _ends_as_jpeg(path: Path) -> bool:
    if place_of(path) is not None:
        return b"\xff\xd9" in read_bytes(path)[-64:]
    with path.open("rb") as file:
        file.seek(-min(path.stat().st_size, 64), os.SEEK_END)
        return b"\xff\xd9" in file.read()
