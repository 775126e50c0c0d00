"""Use of the registered readers for image files that Pillow cannot read, such as NumPy arrays."""

import ast
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2ibench.data.file_formats import EXTENSIONS, MAX_PIXELS, Contents, wrap_decoder_errors
from i2ibench.errors import UserError
from i2ibench.registry import READERS
from i2ibench.registry.contracts import ImageShape, Reader

MAX_CHANNELS = 64
"""The most channels that an image may have."""

MAX_SAMPLES = 4 * MAX_PIXELS
"""The most samples, pixels times channels, that an image may have."""


def reader_of(path: Path) -> Reader | None:
    """Return the registered reader for a file's ending; None for Pillow's endings and unknown ones.

    The file is not opened.
    """
    suffix = path.suffix.lower()
    if suffix in EXTENSIONS:  # nearly every file
        return None
    return next((reader for reader in _readers() if suffix in reader.suffixes), None)


def suffixes() -> tuple[str, ...]:
    """Return the file endings of all registered readers in lower case, such as ".npy"."""
    return tuple(suffix for reader in _readers() for suffix in reader.suffixes)


def _readers() -> list[Reader]:
    return [READERS.build({"type": name}) for name in READERS.names()]


def read_with(reader: Reader, data: Contents, place: str) -> NDArray[Any]:
    """Read the samples of a file with a registered reader, uint8 or uint16 [H,W,C].

    Args:
        reader: the reader.
        data: the contents of the file.
        place: the file's name for messages.

    Raises:
        UserError: the file is broken or too large, or its samples have another type.
    """
    check_shape(shape_with(reader, data, place), place)
    with wrap_decoder_errors(place):
        samples = reader.read(data, place)
    return to_hwc(samples, place)


def shape_with(reader: Reader, data: Contents, place: str) -> ImageShape:
    """Return height, width, channels and bits of a file's image with a registered reader.

    Args:
        reader: the reader.
        data: the contents of the file.
        place: the file's name for messages.

    Raises:
        UserError: the file is broken.
    """
    with wrap_decoder_errors(place):
        return reader.describe(data, place)


def check_shape(shape: ImageShape, place: str) -> None:
    """Check that an image is not empty and not larger than the limits; its bits are not checked.

    The limits are `MAX_PIXELS`, `MAX_CHANNELS` and `MAX_SAMPLES`.

    Raises:
        UserError: the message names the file (`place`), its shape and the limits.
    """
    height, width, channels, _ = shape
    allowed = height * width <= MAX_PIXELS and height * width * channels <= MAX_SAMPLES
    if min(height, width, channels) < 1 or channels > MAX_CHANNELS or not allowed:
        raise UserError(
            f"{place} has {width}x{height} pixels of {channels} channels; at most {MAX_PIXELS} "
            f"pixels, {MAX_CHANNELS} channels and {MAX_SAMPLES} samples are read."
        )


def to_hwc(samples: NDArray[Any], place: str) -> NDArray[Any]:
    """Return an image's samples [H,W] or [H,W,C] as contiguous [H,W,C] in native byte order.

    Args:
        samples: the samples.
        place: the file's name for messages.

    Raises:
        UserError: the samples have another number of axes or are neither uint8 nor uint16.
    """
    if samples.ndim not in (2, 3):
        raise UserError(f"{place} has the shape {samples.shape}; images are [H,W] or [H,W,C].")
    if samples.dtype.newbyteorder("=") not in (np.uint8, np.uint16):
        raise UserError(
            f"{place} holds {samples.dtype} values; images are integers of 8 or 16 bits without "
            "sign (uint8, uint16): scale and round the values, and note the unit."
        )
    whole = samples if samples.ndim == 3 else samples[..., None]
    return np.ascontiguousarray(whole, whole.dtype.newbyteorder("="))


@READERS.register_module()
class NumPyReader(Reader):
    """A reader of `numpy.save` files: uint8 or uint16, [H,W] or [H,W,C]; nothing is unpickled."""

    suffixes = (".npy",)

    def read(self, data: Contents, place: str) -> NDArray[Any]:
        """Return the array in the bytes of a .npy file.

        Args:
            data: the contents of the file.
            place: the file's name for messages.

        Raises:
            UserError: the file is not an array of numbers with two or three axes, or is cut off.
        """
        dtype, shape, fortran, begin = self._parse(data, place)
        flat = np.frombuffer(data, dtype, math.prod(shape), begin).copy()
        return flat.reshape(shape, order="F" if fortran else "C")

    def describe(self, data: Contents, place: str) -> ImageShape:
        """Return height, width, channels and bits of the array in a .npy file from its header.

        Raises:
            UserError: see `read`.
        """
        dtype, shape, _, _ = self._parse(data, place)
        channels = shape[2] if len(shape) == 3 else 1
        return ImageShape(shape[0], shape[1], channels, 8 * dtype.itemsize)

    @staticmethod
    def _parse(data: Contents, place: str) -> tuple[np.dtype[Any], tuple[int, ...], bool, int]:
        """Return dtype, shape, whether in Fortran order, and the offset of the values in bytes."""
        if data[:6] != b"\x93NUMPY" or data[6] not in (1, 2, 3):
            raise UserError(f"{place} is no array of NumPy (.npy).")
        size = 2 if data[6] == 1 else 4
        begin = 8 + size + int.from_bytes(data[8 : 8 + size], "little")
        if begin > min(len(data), 10_000):
            raise UserError(f"{place} is cut off: its header is not whole.")
        header = ast.literal_eval(data[8 + size : begin].decode("latin1"))
        dtype, shape = np.dtype(header["descr"]), header["shape"]
        if dtype.kind not in "biuf" or len(shape) not in (2, 3):
            raise UserError(
                f"{place} holds {dtype} of shape {shape}; images are integers [H,W] or [H,W,C]."
            )
        if len(data) - begin != math.prod(shape) * dtype.itemsize:
            raise UserError(f"{place} is cut off: its values are not as many as its header says.")
        return dtype, shape, bool(header["fortran_order"]), begin
