"""Images in the channels and the depth that a data set has, and how these are found."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2ibench.data.file_formats import SeveralImagesError
from i2ibench.data.image_files import (
    DeepImageError,
    image_shape,
    read_rgb,
    read_samples,
    verify_rgb,
)
from i2ibench.data.readers import MAX_CHANNELS, reader_of
from i2ibench.errors import UserError

FILES_LOOKED_AT = 16
"""Files spread over a data set whose headers say what its images are."""


class ColourError(UserError):
    """A photo is in colour where the data set's photos are grey."""


class MixedImagesError(UserError):
    """The images of a data set differ in channels or depth."""


@dataclass(frozen=True)
class PixelFormat:
    """The channels of a data set's images, and the bits of each sample.

    Attributes:
        channels: from 1 on.
        bits: 8 or 16.
        shown_by: a file or an option that says so, for messages.
    """

    channels: int = 3
    bits: int = 8
    shown_by: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.channels} channel{'s' * (self.channels > 1)} of {self.bits} bits"

    @property
    def is_rgb(self) -> bool:
        """Return whether any code that takes photos takes these."""
        return (self.channels, self.bits) == (3, 8)

    @property
    def shows_as_rgb(self) -> bool:
        """Return whether 8-bit images are RGB, or grey, which is RGB with equal channels."""
        return self.bits == 8 and self.channels in (1, 3)


RGB = PixelFormat()


def format_in(metainfo: Mapping[str, Any], kind: str = "image") -> PixelFormat:
    """Return the format of a kind of image that a data set's metainfo states; RGB by default."""
    if kind == "image":
        channels, bits = metainfo.get("image_channels", 3), metainfo.get("image_depth", 8)
    else:
        channels, bits = metainfo.get("formats", {}).get(kind, (3, 8))
    return PixelFormat(channels, bits, f"as the data {metainfo.get('dataset', '')} says")


def formats_in(metainfo: Mapping[str, Any]) -> dict[str, PixelFormat]:
    """Return the formats of every kind of image that a data set's metainfo states."""
    return {kind: format_in(metainfo, kind) for kind in ("image", *metainfo.get("formats", {}))}


def metainfo_entries(formats: Mapping[str, PixelFormat]) -> dict[str, Any]:
    """Return the entries of a data set's metainfo that `format_in` reads; RGB is left out."""
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
    """Refuse the format of a kind of image in a file that is no [channels, bits].

    Raises:
        UserError: names the place.
    """
    numbers = entry if isinstance(entry, list | tuple) else ()
    whole = isinstance(kind, str) and len(numbers) == 2 and all(type(n) is int for n in numbers)
    if not (whole and 0 < entry[0] <= MAX_CHANNELS and entry[1] in (8, 16)):
        raise UserError(
            f"{place} is {entry!r}, not the channels (1 to {MAX_CHANNELS}) and the bits (8, 16)."
        )


def read_image(path: Path, wanted: PixelFormat = RGB) -> NDArray[Any]:
    """Read an image upright, uint8 or uint16 [H,W,C] in the channels and depth that are wanted.

    Where RGB of 8 bits is wanted, grey gets three equal channels and transparency lies on white.
    Nothing else is converted.

    Raises:
        UserError: the file is missing, broken or too large, or has other channels or bits; the
            message names what shows that the data set has others.
    """
    if wanted.bits == 8 and wanted.channels in (1, 3) and reader_of(path) is None:
        with contextlib.suppress(SeveralImagesError):  # pages, which may be the channels
            return _read_photo(path, wanted)
    samples = read_samples(path)
    found = PixelFormat(samples.shape[2], 8 * samples.dtype.itemsize)
    if found == wanted:
        return samples
    if wanted.is_rgb and found == PixelFormat(1, 8):
        return samples.repeat(3, 2)
    raise UserError(
        f"{path} has {found}, and the data set has {wanted} ({wanted.shown_by}): save the file "
        "like the others, or state image_channels= and image_depth= in the data set's config."
    )


def verify_image(path: Path, wanted: PixelFormat = RGB) -> tuple[int, int]:
    """Return the (height, width) of an image that `read_image` can read.

    RGB of 8 bits is checked by `verify_rgb`, which is faster than decoding.

    Raises:
        UserError: see `read_image`.
    """
    if wanted.is_rgb and reader_of(path) is None:
        with contextlib.suppress(SeveralImagesError), _compared(wanted):
            return verify_rgb(path)
    height, width = read_image(path, wanted).shape[:2]
    return height, width


def read_alone(path: Path) -> NDArray[Any]:
    """Read an image as it is, uint8 or uint16 [H,W,C], whatever others are; 8 bits are RGB.

    Raises:
        UserError: see `read_image`.
    """
    return read_image(path, find_format([path], StatedFormat(), grey_is_rgb=True))


def verify_alone(path: Path) -> tuple[int, int]:
    """Return the (height, width) of an image that `read_alone` can read.

    Raises:
        UserError: see `read_image`.
    """
    return verify_image(path, find_format([path], StatedFormat(), grey_is_rgb=True))


def _read_photo(path: Path, wanted: PixelFormat) -> NDArray[np.uint8]:
    """Return a photo of 8 bits in three channels, or in the one of grey."""
    with _compared(wanted):
        pixels = read_rgb(path)
    return pixels if wanted.channels == 3 else _grey(pixels, path, wanted)


@contextlib.contextmanager
def _compared(wanted: PixelFormat) -> Iterator[None]:
    """Add to the refusal of a deep image what shows that the others have 8 bits."""
    try:
        yield
    except DeepImageError as error:
        beside = f" as the others have ({wanted.shown_by})" if wanted.shown_by else ""
        raise DeepImageError(f"{str(error).rstrip('.')}{beside}.") from None


def _grey(pixels: NDArray[np.uint8], path: Path, wanted: PixelFormat) -> NDArray[np.uint8]:
    """Return the one channel [H,W,1] of a grey photo.

    Raises:
        UserError: the photo is in colour; the message names how to say that photos are.
    """
    if (pixels[..., :1] != pixels[..., 1:]).any():
        raise ColourError(
            f"{path} is in colour, and other photos of the data set are grey ({wanted.shown_by}): "
            "say that they are all to be made in colour by image_channels=3 in the data set's "
            "config, or save this one as grey."
        )
    return np.ascontiguousarray(pixels[..., :1])


@dataclass(frozen=True)
class StatedFormat:
    """The statements of a config on a kind of picture; None for what is found from its files.

    Attributes:
        channels: see `PixelFormat`.
        bits: see `PixelFormat`.
        option: the config's words for both, for messages.
    """

    channels: int | None = None
    bits: int | None = None
    option: str = "image_channels= and image_depth="


def find_format(
    paths: Sequence[Path], stated: StatedFormat, grey_is_rgb: bool = False
) -> PixelFormat:
    """Return the format of a data set's images, by the config or by some files' headers.

    Of 8 bits, images are grey where all that are looked at are, and RGB where some are not.

    Args:
        paths: of all the images.
        stated: what the config says.
        grey_is_rgb: whether grey of 8 bits gets three channels, unless the config says otherwise.

    Raises:
        UserError: the config states what cannot be, or files differ; two are named.
    """
    _check_stated(stated)
    if stated.channels is not None and stated.bits is not None:
        return PixelFormat(stated.channels, stated.bits, stated.option)
    seen: dict[tuple[int, int], Path] = {}
    for path in paths[:: max(len(paths) // FILES_LOOKED_AT, 1)]:
        try:
            seen.setdefault(image_shape(path)[2:], path)
        except UserError:  # which checking the files tells in full
            return PixelFormat(stated.channels or 3, stated.bits or 8, stated.option)
    seen = {k: path for k, path in seen.items() if stated.bits in (None, k[1])} or seen
    bits = stated.bits or _agreed({k[1]: path for k, path in seen.items()}, "bits", 8)
    channels = stated.channels or _channels({k[0]: path for k, path in seen.items()}, bits)
    if grey_is_rgb and stated.channels is None and (channels, bits) == (1, 8):
        channels = 3
    example = next((str(path) for k, path in seen.items() if k == (channels, bits)), stated.option)
    return PixelFormat(channels, bits, example)


def _channels(seen: Mapping[int, Path], bits: int) -> int:
    if bits == 8 and seen.keys() == {1, 3}:
        return 3
    return _agreed(seen, "channels", 3)


def _agreed(seen: Mapping[int, Path], what: str, default: int) -> int:
    """Return the one number of channels or bits that files have.

    Raises:
        UserError: two files differ.
    """
    if len(seen) < 2:
        return next(iter(seen), default)
    (one, first), (other, second) = list(seen.items())[:2]
    raise MixedImagesError(
        f"{first} has {one} {what} and {second} has {other}: the images of a data set have the "
        "same channels and depth. Save them alike, or put them into two data sets."
    )


def _check_stated(stated: StatedFormat) -> None:
    channels, bits = stated.channels, stated.bits
    if channels is not None and (type(channels) is not int or not 0 < channels <= MAX_CHANNELS):
        raise UserError(f"image_channels is 1 to {MAX_CHANNELS} or None, not {channels!r}.")
    if bits is not None and (type(bits) is not int or bits not in (8, 16)):
        raise UserError(f"image_depth is 8, 16 or None, not {bits!r}.")


def to_display_rgb(samples: NDArray[Any]) -> NDArray[np.uint8]:
    """Return an image uint8 or uint16 [H,W,C] as uint8 [H,W,3] for people to look at.

    Of 16 bits the upper 8 are shown; of two channels the first, of more than three the first three.
    """
    levels = samples if samples.dtype == np.uint8 else (samples >> 8).astype(np.uint8)
    return np.ascontiguousarray(
        levels[..., :3] if levels.shape[2] >= 3 else levels[..., :1].repeat(3, 2)
    )
