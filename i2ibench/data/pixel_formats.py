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
        """Return whether the format is three channels of 8 bits."""
        return (self.channels, self.bits) == (3, 8)

    @property
    def shows_as_rgb(self) -> bool:
        """Return whether the format is 8-bit RGB or 8-bit grey, which is shown as RGB."""
        return self.bits == 8 and self.channels in (1, 3)


RGB = PixelFormat()


def format_in(metainfo: Mapping[str, Any], kind: str = "image") -> PixelFormat:
    """Return the format of a kind of image from a data set's metainfo; 8-bit RGB if none is there.

    Args:
        metainfo: the data set's metainfo, see `ClassTable.metainfo`.
        kind: the kind of image; "image" is the photo.
    """
    if kind == "image":
        channels, bits = metainfo.get("image_channels", 3), metainfo.get("image_depth", 8)
    else:
        channels, bits = metainfo.get("formats", {}).get(kind, (3, 8))
    return PixelFormat(channels, bits, f"as the data {metainfo.get('dataset', '')} says")


def formats_in(metainfo: Mapping[str, Any]) -> dict[str, PixelFormat]:
    """Return the formats in a data set's metainfo by kind of image.

    The keys are "image", which is always there, and the kinds in `formats`, which are not 8-bit
    RGB.
    """
    return {kind: format_in(metainfo, kind) for kind in ("image", *metainfo.get("formats", {}))}


def metainfo_entries(formats: Mapping[str, PixelFormat]) -> dict[str, Any]:
    """Return the entries of a data set's metainfo that `format_in` reads, for formats by kind.

    `image_channels` is always there, `image_depth` if the photos do not have 8 bits. `formats` maps
    other kinds that are not 8-bit RGB to [channels, bits]; it is left out if there are none.
    """
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
    """Check that the format of a kind of image in a file that others wrote is [channels, bits].

    Args:
        kind: the key of the entry, which must be a string.
        entry: the value from the file.
        place: the file and the entry, for the error message.

    Raises:
        UserError: the entry is not 1 to `MAX_CHANNELS` channels and 8 or 16 bits.
    """
    numbers = entry if isinstance(entry, list | tuple) else ()
    whole = isinstance(kind, str) and len(numbers) == 2 and all(type(n) is int for n in numbers)
    if not (whole and 0 < entry[0] <= MAX_CHANNELS and entry[1] in (8, 16)):
        raise UserError(
            f"{place} is {entry!r}, not the channels (1 to {MAX_CHANNELS}) and the bits (8, 16)."
        )


def read_image(path: Path, wanted: PixelFormat = RGB) -> NDArray[Any]:
    """Read an image upright, uint8 or uint16 [H,W,C], and check that it has a wanted format.

    Where 8-bit RGB is wanted, a grey image gets three equal channels. Where 8-bit grey is wanted,
    an RGB image with equal channels gives one channel. In both cases transparent images are put on
    white. Nothing else is converted.

    Args:
        path: the file.
        wanted: the format of the data set's images.

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

    Images are decoded, except that 8-bit RGB is checked by the faster `verify_rgb`.

    Args:
        path: the file.
        wanted: the format of the data set's images.

    Raises:
        UserError: see `read_image`.
    """
    if wanted.is_rgb and reader_of(path) is None:
        with contextlib.suppress(SeveralImagesError), _naming_source(wanted):
            return verify_rgb(path)
    height, width = read_image(path, wanted).shape[:2]
    return height, width


def read_alone(path: Path) -> NDArray[Any]:
    """Read an image that belongs to no data set in its own format, uint8 or uint16 [H,W,C].

    8-bit grey becomes RGB.

    Raises:
        UserError: see `read_image`.
    """
    return read_image(path, find_format([path], StatedFormat(), grey_is_rgb=True))


def verify_alone(path: Path) -> tuple[int, int]:
    """Check that `read_alone` can read an image and return the image's (height, width).

    Raises:
        UserError: see `read_image`.
    """
    return verify_image(path, find_format([path], StatedFormat(), grey_is_rgb=True))


@contextlib.contextmanager
def _naming_source(wanted: PixelFormat) -> Iterator[None]:
    """Add the source of the wanted format to a `DeepImageError` that is raised in the block."""
    try:
        yield
    except DeepImageError as error:
        source = f" as the others have ({wanted.source})" if wanted.source else ""
        raise DeepImageError(f"{str(error).rstrip('.')}{source}.") from None


def _grey(pixels: NDArray[np.uint8], path: Path, wanted: PixelFormat) -> NDArray[np.uint8]:
    """Return the first channel [H,W,1] of an RGB image whose channels are equal."""
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

    What the config states is taken; if it states channels and bits, no file is read. Otherwise the
    headers of 16 to 31 files, spread over the data set, are read (of fewer files, all headers). In
    what the config leaves open, they must agree, but grey and RGB files of 8 bits may be mixed and
    count as RGB. If the config states the bits, files of another depth are not counted, unless all
    have another. Without files, or if a header cannot be read, 3 channels and 8 bits fill what is
    open.

    Args:
        paths: the files of all images.
        stated: the format in the config.
        grey_is_rgb: give 8-bit grey images three channels unless the config states the channels.

    Raises:
        MixedImagesError: files differ in channels or depth (two are named); it is a `UserError`.
        UserError: the config states an impossible format.
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
    """Return the number of channels or bits of all files, or `default` without files."""
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
