"""Channels and depth of a data set's images: finding them, and reading images with them."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2ibench.data.file_formats import SeveralImagesError
from i2ibench.data.image_reading import (
    DeepImageError,
    image_shape,
    read_rgb,
    read_samples,
    verify_rgb,
)
from i2ibench.data.registered_readers import MAX_CHANNELS, reader_of
from i2ibench.errors import UserError

MAX_HEADERS_READ = 16
"""The number of files, spread over a data set, whose headers are read to find the format."""

_OPTIONS = "image_channels= and image_depth="
"""The source of a format that the config states, for messages."""


class ColourError(UserError):
    """An image is in colour where the data set's images are grey."""


class MixedImagesError(UserError):
    """The images of a data set differ in channels or depth."""


@dataclass(frozen=True)
class PixelFormat:
    """A number of channels and bits per sample; the default is 8-bit RGB.

    Attributes:
        channels: the number of channels, at least 1.
        bits: 8 or 16.
        source: the file or option from which the format is known, for messages.
    """

    channels: int = 3
    bits: int = 8
    source: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.channels} channel{'s' * (self.channels > 1)} of {self.bits} bits"

    @property
    def is_rgb(self) -> bool:
        """Return whether the images are 8-bit RGB."""
        return (self.channels, self.bits) == (3, 8)

    @property
    def shows_as_rgb(self) -> bool:
        """Return whether the images are 8-bit RGB or 8-bit grey, RGB with equal channels."""
        return self.bits == 8 and self.channels in (1, 3)


RGB = PixelFormat()


def format_in(metainfo: Mapping[str, Any], kind: str = "image") -> PixelFormat:
    """Return the format of a kind of image from a data set's metainfo; 8-bit RGB by default."""
    if kind == "image":
        channels, bits = metainfo.get("image_channels", 3), metainfo.get("image_depth", 8)
    else:
        channels, bits = metainfo.get("formats", {}).get(kind, (3, 8))
    return PixelFormat(channels, bits, f"as the data {metainfo.get('dataset', '')} says")


def formats_in(metainfo: Mapping[str, Any]) -> dict[str, PixelFormat]:
    """Return the format of each kind of image from a data set's metainfo."""
    return {kind: format_in(metainfo, kind) for kind in ("image", *metainfo.get("formats", {}))}


def metainfo_entries(formats: Mapping[str, PixelFormat]) -> dict[str, Any]:
    """Return the metainfo entries that `format_in` reads; kinds of 8-bit RGB are left out."""
    image = formats.get("image", RGB)
    others = {
        kind: [one.channels, one.bits]
        for kind, one in formats.items()
        if kind != "image" and not one.is_rgb
    }
    return {
        "image_channels": image.channels,
        **({"image_depth": image.bits} if image.bits != 8 else {}),
        **({"formats": others} if others else {}),
    }


def check_format(kind: str, entry: Any, place: str) -> None:
    """Check that the format of a kind of image in a file is [channels, bits].

    Raises:
        UserError: the entry is something else; the message names the place.
    """
    numbers = entry if isinstance(entry, list | tuple) else ()
    whole = isinstance(kind, str) and len(numbers) == 2 and all(type(n) is int for n in numbers)
    if not (whole and 0 < entry[0] <= MAX_CHANNELS and entry[1] in (8, 16)):
        raise UserError(
            f"{place} is {entry!r}, not the channels (1 to {MAX_CHANNELS}) and the bits (8, 16)."
        )


def read_image(path: Path, wanted: PixelFormat = RGB) -> NDArray[Any]:
    """Read an image upright, uint8 or uint16 [H,W,C], in a wanted format.

    Where 8-bit RGB is wanted, a grey image gets three equal channels and a transparent image is put
    on white. Nothing else is converted.

    Raises:
        UserError: the file is missing, broken or too large, or has another format; the message
            names the file or option that states the wanted format.
    """
    if wanted.shows_as_rgb and reader_of(path) is None:
        with contextlib.suppress(SeveralImagesError):  # pages may be the channels
            with _naming_source(wanted):
                pixels = read_rgb(path)
            return pixels if wanted.channels == 3 else _grey(pixels, path, wanted)
    samples = read_samples(path)
    found = PixelFormat(samples.shape[2], 8 * samples.dtype.itemsize)
    if found == wanted:
        return samples
    if wanted.is_rgb and found == PixelFormat(1, 8):
        return samples.repeat(3, 2)
    raise UserError(
        f"{path} has {found}, and the data set has {wanted} ({wanted.source}): save the file "
        "like the others, or state image_channels= and image_depth= in the data set's config."
    )


def verify_image(path: Path, wanted: PixelFormat = RGB) -> tuple[int, int]:
    """Check that `read_image` can read an image and return its (height, width).

    8-bit RGB is checked by `verify_rgb`, which is faster than decoding.

    Raises:
        UserError: see `read_image`.
    """
    if wanted.is_rgb and reader_of(path) is None:
        with contextlib.suppress(SeveralImagesError), _naming_source(wanted):
            return verify_rgb(path)
    height, width = read_image(path, wanted).shape[:2]
    return height, width


def read_alone(path: Path) -> NDArray[Any]:
    """Read an image in its own format, uint8 or uint16 [H,W,C]; 8-bit grey becomes RGB.

    Raises:
        UserError: see `read_image`.
    """
    return read_image(path, find_format([path], StatedFormat(), grey_is_rgb=True))


def verify_alone(path: Path) -> tuple[int, int]:
    """Check that `read_alone` can read an image and return its (height, width).

    Raises:
        UserError: see `read_image`.
    """
    return verify_image(path, find_format([path], StatedFormat(), grey_is_rgb=True))


@contextlib.contextmanager
def _naming_source(wanted: PixelFormat) -> Iterator[None]:
    """Add the source of the wanted format to the error for an image of more than 8 bits."""
    try:
        yield
    except DeepImageError as error:
        source = f" as the others have ({wanted.source})" if wanted.source else ""
        raise DeepImageError(f"{str(error).rstrip('.')}{source}.") from None


def _grey(pixels: NDArray[np.uint8], path: Path, wanted: PixelFormat) -> NDArray[np.uint8]:
    """Return the one channel [H,W,1] of a grey image; raise a `ColourError` for other images."""
    if (pixels[..., :1] != pixels[..., 1:]).any():
        raise ColourError(
            f"{path} is in colour, and other photos of the data set are grey ({wanted.source}): "
            "say that they are all to be made in colour by image_channels=3 in the data set's "
            "config, or save this one as grey."
        )
    return np.ascontiguousarray(pixels[..., :1])


@dataclass(frozen=True)
class StatedFormat:
    """The format of a kind of image in a config; None for a value to find from the files.

    Attributes:
        channels: see `PixelFormat`.
        bits: see `PixelFormat`.
    """

    channels: int | None = None
    bits: int | None = None


def find_format(
    paths: Sequence[Path], stated: StatedFormat, grey_is_rgb: bool = False
) -> PixelFormat:
    """Return the format of a data set's images from the config or from some files' headers.

    8-bit images are grey if all files that are looked at are grey, and RGB otherwise.

    Args:
        paths: the files of all images.
        stated: the format in the config.
        grey_is_rgb: give 8-bit grey images three channels unless the config states one.

    Raises:
        UserError: the config states an impossible format, or files differ (two are named).
    """
    _check_stated(stated)
    if stated.channels is not None and stated.bits is not None:
        return PixelFormat(stated.channels, stated.bits, _OPTIONS)
    examples: dict[tuple[int, int], Path] = {}
    for path in paths[:: max(len(paths) // MAX_HEADERS_READ, 1)]:
        try:
            examples.setdefault(image_shape(path)[2:], path)
        except UserError:  # the check of all files reports it in full
            return PixelFormat(stated.channels or 3, stated.bits or 8, _OPTIONS)
    examples = {k: path for k, path in examples.items() if stated.bits in (None, k[1])} or examples
    bits = stated.bits or _only_value({k[1]: path for k, path in examples.items()}, "bits", 8)
    by_channels = {k[0]: path for k, path in examples.items()}
    if stated.channels is None and bits == 8 and by_channels.keys() == {1, 3}:
        channels = 3
    else:
        channels = stated.channels or _only_value(by_channels, "channels", 3)
    if grey_is_rgb and stated.channels is None and (channels, bits) == (1, 8):
        channels = 3
    example = examples.get((channels, bits), _OPTIONS)
    return PixelFormat(channels, bits, str(example))


def _only_value(examples: Mapping[int, Path], noun: str, default: int) -> int:
    """Return the number of channels or bits of all files; raise if two files differ."""
    if len(examples) < 2:
        return next(iter(examples), default)
    (one, first), (other, second) = list(examples.items())[:2]
    raise MixedImagesError(
        f"{first} has {one} {noun} and {second} has {other}: the images of a data set have the "
        "same channels and depth. Save them alike, or put them into two data sets."
    )


def _check_stated(stated: StatedFormat) -> None:
    channels, bits = stated.channels, stated.bits
    if channels is not None and (type(channels) is not int or not 0 < channels <= MAX_CHANNELS):
        raise UserError(f"image_channels is 1 to {MAX_CHANNELS} or None, not {channels!r}.")
    if bits is not None and (type(bits) is not int or bits not in (8, 16)):
        raise UserError(f"image_depth is 8, 16 or None, not {bits!r}.")


def to_display_rgb(samples: NDArray[Any]) -> NDArray[np.uint8]:
    """Convert an image, uint8 or uint16 [H,W,C], to uint8 [H,W,3] for display.

    The upper 8 of 16 bits are kept. An image of one or two channels becomes grey by its first
    channel. Of more than three channels the first three are kept.
    """
    levels = samples if samples.dtype == np.uint8 else (samples >> 8).astype(np.uint8)
    return np.ascontiguousarray(
        levels[..., :3] if levels.shape[2] >= 3 else levels[..., :1].repeat(3, 2)
    )
