"""Reading of image files: RGB images as viewers show them, and the exact integers of maps.

The format of a file is found from its contents, not from its name. Images are rotated as their EXIF
orientation says. Transparent images are put on white. Colour profiles are not applied.
"""

import contextlib
import mmap
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from i2ibench.data.file_formats import (
    Contents,
    bits_per_sample,
    count_images,
    has_signs,
    is_inverted,
    is_lossy,
    on_white,
    open_image,
    orientation,
    ppm_maximum,
    raw_mode,
    scale_transparent_grey,
    tiff_pages,
    without_texts,
    wrap_decoder_errors,
)
from i2ibench.data.registered_readers import (
    ImageShape,
    check_shape,
    read_with,
    reader_of,
    shape_with,
    to_hwc,
)
from i2ibench.data.tar_members import place_of, read_bytes
from i2ibench.errors import UserError

_RGB_MODES = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr")
_GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L")


class DeepImageError(UserError):
    """An image has more than 8 bits per channel where 8 bits are read."""


class InexactMapError(UserError):
    """A map's file cannot hold its ids exactly: a JPEG, floats, or 8 bits for too many ids."""


@dataclass(frozen=True)
class MapPixels:
    """The pixels of a label or instance map's file.

    Attributes:
        values: the integers in the file [H,W]; colours [H,W,3] if the channels differ.
        palette: the colour of each value, uint8 [N,3]; None for a file without a palette.
        from_colour: whether the file has three colour channels, which are equal in every pixel.
        bits: bits of each sample in the file.
        white_is_zero: whether viewers show 0 as white and the largest value as black.
    """

    values: NDArray[Any]
    palette: NDArray[np.uint8] | None = None
    from_colour: bool = False
    bits: int = 8
    white_is_zero: bool = False


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """Read an image as upright RGB, uint8 [H,W,3]; grey gets equal channels, transparency white.

    Raises:
        UserError: the file is missing, broken, too large or not an image of 8 bits per channel.
    """
    return decode_image(_contents(path), str(path))


def read_map(path: Path) -> NDArray[Any]:
    """Read a map's unchanged integers: ids [H,W], or colours [H,W,3] if the channels differ.

    Raises:
        UserError: see `read_map_pixels`.
    """
    return read_map_pixels(path).values


def read_map_pixels(path: Path) -> MapPixels:
    """Read a label or instance map with its palette and depth.

    Raises:
        UserError: the file is missing, broken or too large, its format is lossy, it does not hold
            integers, or some of its pixels are transparent.
    """
    return decode_map(_contents(path), str(path))


def verify_rgb(path: Path) -> tuple[int, int]:
    """Check that `read_rgb` can read an image and return its (height, width).

    PNG files are checked by their checksums and JPEG files by their end marker, which is faster
    than decoding. All other files are decoded, also JPEG files without an end marker.

    Raises:
        UserError: see `read_rgb`.
    """
    data, place = _contents(path), str(path)
    image = open_image(data, place)
    _check_rgb(image, data, place)
    with wrap_decoder_errors(place):
        size = _upright_size(image, data)
        if image.format == "PNG":
            open_image(data, place).verify()
        elif image.format not in ("JPEG", "MPO") or b"\xff\xd9" not in data[-64:]:
            image.load()
    return size


def image_size(path: Path) -> tuple[int, int]:
    """Return the (height, width) of an image from its header, after the EXIF rotation.

    Raises:
        UserError: the file is missing or not an image.
    """
    if reader_of(path) is not None:
        return image_shape(path)[:2]
    with _header(path) as (image, data):
        return _upright_size(image, data)


def image_shape(path: Path) -> ImageShape:
    """Return the height, width, channels and bits of an image from its header, upright.

    The pages of a TIFF are counted as channels. Images with a palette or alpha are counted as RGB
    or grey. The bits are 8 or 16: more than 8 bits are counted as 16.

    Raises:
        UserError: the file is missing or not an image.
    """
    reader = reader_of(path)
    if reader is not None:
        return shape_with(reader, _contents(path), str(path))
    with _header(path) as (image, data), wrap_decoder_errors(str(path)):
        height, width = _upright_size(image, data)
        bits = 16 if bits_per_sample(image, data) > 8 else 8
        channels = (1 if image.mode in _GREY_MODES else 3) * count_images(image)
        return ImageShape(height, width, channels, bits)


def read_samples(path: Path) -> NDArray[Any]:
    """Read the unconverted samples of an image, upright, uint8 or uint16 [H,W,C].

    The pages of a TIFF become channels.

    Raises:
        UserError: the file is missing, broken or too large, has a palette, or has samples of
            neither 8 nor 16 bits.
    """
    data, place, reader = _contents(path), str(path), reader_of(path)
    if reader is not None:
        return read_with(reader, data, place)
    image = open_image(data, place, pages=True)
    if image.mode in ("P", "PA"):
        raise UserError(f"{place} has a palette; save it as grey or with all of its channels.")
    with wrap_decoder_errors(place):
        pages = count_images(image)
    samples = _samples(image, data, place) if pages == 1 else _stacked(image, place)
    if samples.dtype == np.int32 and samples.min() >= 0 and samples.max() < 2**16:
        samples = samples.astype(np.uint16)  # Pillow opens some 16-bit files as int32
    return to_hwc(samples, place)


def _stacked(image: Image.Image, place: str) -> NDArray[Any]:
    """Return the pages of a TIFF as the channels of one image."""
    with wrap_decoder_errors(place):
        size, mode, pages = image.size, image.mode, tiff_pages(image)
        check_shape(ImageShape(size[1], size[0], len(pages), 16), place)
        channels = []
        for page in pages:
            image.seek(page)
            if (image.size, image.mode) != (size, mode) or mode not in _GREY_MODES:
                raise UserError(f"{place} has pages that differ or are not grey; save it anew.")
            channels.append(np.array(image))
    return np.stack(channels, -1)


def is_lossy_file(path: Path) -> bool:
    """Return whether a file's format is lossy, see `is_lossy`; False for registered readers' files.

    Raises:
        UserError: the file is missing or not an image.
    """
    if reader_of(path) is not None:
        return False
    with _header(path) as (image, data):
        return is_lossy(image, data)


def decode_image(data: bytes, place: str) -> NDArray[np.uint8]:
    """Decode an image from a file's bytes, see `read_rgb`; `place` names it in messages.

    Raises:
        UserError: see `read_rgb`.
    """
    image = open_image(data, place)
    _check_rgb(image, data, place)
    plain = image.mode == "RGB" and "transparency" not in image.info
    if image.format == "PNG" and plain and orientation(image, data) == 1:
        return _decode_png(data, cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION, place)
    with wrap_decoder_errors(place):
        if image.format == "PNG":
            # Raises if the file is cut off, where Pillow would fill the missing pixels.
            _decode_png(data, cv2.IMREAD_UNCHANGED, place)
            scale_transparent_grey(image, data)
        return np.array(on_white(_upright(image, data)))


def decode_map(data: bytes, place: str) -> MapPixels:
    """Decode a map from a file's bytes, see `read_map_pixels`; `place` names it in messages.

    Raises:
        UserError: see `read_map_pixels`.
    """
    image = open_image(data, place)
    if is_lossy(image, data):
        raise InexactMapError(
            f"{place} is a {_name_of(image)} image, which changes ids; save label and instance "
            "maps as PNG."
        )
    with wrap_decoder_errors(place):
        bits, inverted = bits_per_sample(image, data), is_inverted(image)
    values = _samples(image, data, place)
    if values.dtype.kind not in "uib":
        raise InexactMapError(
            f"{place} holds {values.dtype} values; save ids as integers, in a PNG."
        )
    if values.ndim == 2:
        return MapPixels(values, _palette(image), bits=bits, white_is_zero=inverted)
    grey = _without_alpha(values, place)
    if grey.ndim == 2:
        return MapPixels(grey, _palette(image) if image.mode == "PA" else None)
    equal = bool((grey == grey[..., :1]).all())
    return MapPixels(grey[..., 0], None, from_colour=True) if equal else MapPixels(grey)


def _contents(path: Path) -> bytes:
    try:
        return read_bytes(path)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist.") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from None


@contextmanager
def _header(path: Path) -> Iterator[tuple[Image.Image, Contents]]:
    """Yield an image of which only the header is read, and the file's contents.

    The sizes of all files are read at every start. The contents are memory-mapped, so that pixels
    are not read from the disk. PNG files are an exception: the orientation is searched in all
    chunks. Files in tars, empty files and files that cannot be mapped are read.
    """
    with contextlib.ExitStack() as stack:
        mapped = _map(path)
        data = _contents(path) if mapped is None else stack.enter_context(mapped)
        yield open_image(data, str(path), pages=True), data


def _map(path: Path) -> mmap.mmap | None:
    """Return a file's memory-mapped contents; None for tar members and where mapping fails."""
    if place_of(path) is not None:
        return None
    try:
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):  # missing, a folder or empty: `_contents` says so
        return None


def _check_rgb(image: Image.Image, data: bytes, place: str) -> None:
    """Raise a `UserError` if 8-bit RGB cannot hold an image's depth or colours."""
    with wrap_decoder_errors(place):
        deep = bits_per_sample(image, data) > 8
    if deep or image.mode.startswith(("I", "F")):
        raise DeepImageError(f"{place} has more than 8 bits per channel; save photos with 8.")
    if image.mode not in _RGB_MODES:
        raise UserError(f"{place} has the colour space {image.mode}; save photos as RGB or grey.")


def _upright_size(image: Image.Image, data: Contents) -> tuple[int, int]:
    width, height = image.size
    turned = image.format != "TIFF" and orientation(image, data) >= 5  # Pillow turns TIFFs
    return (width, height) if turned else (height, width)


def _upright(image: Image.Image, data: bytes) -> Image.Image:
    """Load an image's pixels and return the image after its EXIF rotation."""
    image.load()
    if image.format == "TIFF" or orientation(image, data) == 1:
        return image
    return ImageOps.exif_transpose(image)


def _samples(image: Image.Image, data: bytes, place: str) -> NDArray[Any]:
    """Return the samples in an image's file, upright, not scaled or inverted for display."""
    raw, maximum = raw_mode(image), None  # before a search for EXIF decodes the image
    if image.format == "PNG":
        kind = data[25]  # colour type in IHDR: 0 grey, 2 RGB, 3 palette, 4 grey + alpha, 6 RGBA
        direct = data[24] == 16 or (data[24] == 8 and kind == 0)
        pixels = _decode_png(data, cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION, place)
        upright = orientation(image, data) == 1
        if direct and upright and (pixels.ndim == 2 or kind != 0):
            return pixels if pixels.ndim == 2 else _rgb_order(pixels)
    if image.format == "PPM" and image.mode not in ("1", "F"):
        maximum = ppm_maximum(image)
    with wrap_decoder_errors(place):
        pixels = np.array(_upright(image, data))
    if image.format == "TIFF" and pixels.dtype == np.uint8 and has_signs(image):
        return pixels.view(np.int8)  # Pillow ignores the sign of 8 bits
    return _unscaled(pixels, raw, maximum)


def _unscaled(pixels: NDArray[Any], raw: str, maximum: int | None) -> NDArray[Any]:
    """Return a file's samples from the pixels that Pillow scaled or inverted for display."""
    if maximum is not None and maximum not in (255, 65535):
        top = 255 if maximum < 255 else 65535
        return (pixels.astype(np.int64) * maximum + top // 2) // top
    match = re.fullmatch(r"(1|L)(?:;([24])?(I)?R?)?", raw)
    if match is None:
        return pixels
    kind, bits, inverted = match.groups()
    samples = pixels.astype(np.uint8)
    top = 1 if kind == "1" else 255
    samples = top - samples if inverted else samples
    return samples // (255 // (2 ** int(bits) - 1)) if bits else samples


def _without_alpha(values: NDArray[Any], place: str) -> NDArray[Any]:
    """Return a map without its alpha; raise an `InexactMapError` if a pixel is not opaque."""
    if values.shape[2] not in (2, 4):
        return values
    opaque = np.iinfo(values.dtype).max
    hidden = int((values[..., -1] != opaque).sum())
    if hidden:
        raise InexactMapError(
            f"{place} has {hidden} transparent pixels; every pixel of a map has an id. Fill them "
            "with one and save the map without alpha."
        )
    return values[..., 0] if values.shape[2] == 2 else values[..., :3]


def _palette(image: Image.Image) -> NDArray[np.uint8] | None:
    if image.mode not in ("P", "PA"):
        return None
    colours = image.getpalette("RGB") or []
    return np.array(colours, np.uint8).reshape(-1, 3)


def _rgb_order(pixels: NDArray[Any]) -> NDArray[Any]:
    """Convert BGR or BGRA, OpenCV's order, to RGB or RGBA."""
    return pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]


def _decode_png(data: bytes, flags: int, place: str) -> NDArray[Any]:
    """Decode a PNG with OpenCV, which is faster than Pillow and does not accept cut-off files."""
    with wrap_decoder_errors(place):
        pixels = cv2.imdecode(np.frombuffer(without_texts(data), np.uint8), flags)
        if pixels is None:
            open_image(data, place).load()  # Pillow's error names the damage, if it finds any
            raise OSError("its pixels are cut off")
    return pixels


def _name_of(image: Image.Image) -> str:
    names = {"MPO": "JPEG", "JPEG2000": "JPEG 2000", "WEBP": "lossy WebP", "TIFF": "JPEG-in-TIFF"}
    return names.get(str(image.format), str(image.format))
