"""Image files: photos as people see them, and the integers of label and instance maps.

One reader serves every place. The contents decide what a file is, whatever its name ends in.
Images are turned as their EXIF orientation says. Transparent photos lie on white. Colour
profiles are not applied.
"""

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
from i2ibench.data.readers import ImageShape, check_shape, read_with, reader_of, shape_with, to_hwc
from i2ibench.data.tar_members import place_of, read_bytes
from i2ibench.errors import UserError

_PHOTO_MODES = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr")


_GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L")


class DeepImageError(UserError):
    """A photo has more than 8 bits per channel where 8 are read."""


class InexactMapError(UserError):
    """A map in a kind of file that does not hold its ids: a JPEG, floats, 8 bits for too many."""


@dataclass(frozen=True)
class MapPixels:
    """The contents of a map's file.

    Attributes:
        values: the file's own integers [H,W]; colours [H,W,3] where its channels differ.
        palette: uint8 [N,3], the colours that the values of a palette file stand for, if it is one.
        from_colour: whether `values` is the one value that three colour channels agree on.
        bits: of each sample in the file.
        white_is_zero: whether viewers show 0 as white and the largest value as black.
    """

    values: NDArray[Any]
    palette: NDArray[np.uint8] | None = None
    from_colour: bool = False
    bits: int = 8
    white_is_zero: bool = False


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """Read a photo as RGB, uint8 [H,W,3], upright; grey ones get three equal channels.

    Raises:
        UserError: the file is missing, broken, too large or no photo with 8 bits per channel.
    """
    return decode_image(_contents(path), str(path))


def read_map(path: Path) -> NDArray[Any]:
    """Read the integers of a label or instance map as the file holds them, [H,W] or [H,W,3].

    Raises:
        UserError: see `read_map_pixels`.
    """
    return read_map_pixels(path).values


def read_map_pixels(path: Path) -> MapPixels:
    """Read a label or instance map.

    Raises:
        UserError: the file is missing, broken or too large, its format is lossy, it holds no
            integers, or some of its pixels are transparent.
    """
    return decode_map(_contents(path), str(path))


def verify_rgb(path: Path) -> tuple[int, int]:
    """Return the (height, width) of a photo that `read_rgb` can read.

    PNG files are checked by their checksums and JPEG files by their end, which is faster than
    decoding them; all other formats are decoded.

    Raises:
        UserError: see `read_rgb`.
    """
    data, place = _contents(path), str(path)
    image = open_image(data, place)
    _refuse_as_photo(image, data, place)
    with wrap_decoder_errors(place):
        size = _upright_size(image, data)
        if image.format == "PNG":
            open_image(data, place).verify()
        elif image.format not in ("JPEG", "MPO") or b"\xff\xd9" not in data[-64:]:
            image.load()
    return size


def image_size(path: Path) -> tuple[int, int]:
    """Return the (height, width) that an image's header states, as viewers show it.

    Raises:
        UserError: the file is missing or no image.
    """
    if reader_of(path) is not None:
        return image_shape(path)[:2]
    with _header(path) as (image, data):
        return _upright_size(image, data)


def image_shape(path: Path) -> ImageShape:
    """Return the size of an image as its header states it, its channels and its bits.

    The pages of a TIFF count as channels. Palettes and what has alpha count as RGB or grey. More
    than 8 bits count as 16.

    Raises:
        UserError: the file is missing or no image.
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
    """Read an image's own samples, upright, uint8 or uint16 [H,W,C]; nothing is converted.

    The pages of a TIFF are its channels.

    Raises:
        UserError: the file is missing, broken or too large, has a palette, or has samples that are
            neither of 8 nor of 16 bits.
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
        samples = samples.astype(np.uint16)  # which Pillow makes of some files of 16 bits
    return to_hwc(samples, place)


def _stacked(image: Image.Image, place: str) -> NDArray[Any]:
    """Return the pages of a TIFF as the channels of one image.

    Raises:
        UserError: they differ in size or have channels themselves, or are too many.
    """
    with wrap_decoder_errors(place):
        size, mode, pages = image.size, image.mode, tiff_pages(image)
        check_shape(ImageShape(size[1], size[0], len(pages), 16), place)
        found = []
        for page in pages:
            image.seek(page)
            if (image.size, image.mode) != (size, mode) or mode not in _GREY_MODES:
                raise UserError(f"{place} has pages that differ or are not grey; save it anew.")
            found.append(np.array(image))
    return np.stack(found, -1)


def is_lossy_file(path: Path) -> bool:
    """Return whether an image is stored in a format that changes its pixels.

    Raises:
        UserError: the file is missing or no image.
    """
    if reader_of(path) is not None:
        return False
    with _header(path) as (image, data):
        return is_lossy(image, data)


def decode_image(data: bytes, place: str) -> NDArray[np.uint8]:
    """Decode a photo in a file's bytes, see `read_rgb`; `place` names it in messages.

    Raises:
        UserError: see `read_rgb`.
    """
    image = open_image(data, place)
    _refuse_as_photo(image, data, place)
    plain = image.mode == "RGB" and "transparency" not in image.info
    if image.format == "PNG" and plain and orientation(image, data) == 1:
        return _decode_png(data, cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION, place)
    with wrap_decoder_errors(place):
        if image.format == "PNG":
            _decode_png(data, cv2.IMREAD_UNCHANGED, place)  # Pillow fills up what is cut off
            scale_transparent_grey(image, data)
        return np.array(on_white(_upright(image, data)))


def decode_map(data: bytes, place: str) -> MapPixels:
    """Decode a map in a file's bytes, see `read_map_pixels`; `place` names it in messages.

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

    Every start asks for the size of every file: the contents are mapped, so that pixels stay on the
    disk, but for the PNGs whose chunks are walked for their orientation. Files in tars, empty ones
    and what cannot be mapped are read.

    Raises:
        UserError: the file is missing or no image.
    """
    mapped = _map(path)
    if mapped is None:
        data = _contents(path)
        yield open_image(data, str(path), pages=True), data
        return
    with mapped:
        yield open_image(mapped, str(path), pages=True), mapped


def _map(path: Path) -> mmap.mmap | None:
    """Return a file's contents, mapped; None for what cannot be."""
    if place_of(path) is not None:
        return None
    try:
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):  # missing, a folder, empty: reading it says what it is
        return None


def _refuse_as_photo(image: Image.Image, data: bytes, place: str) -> None:
    """Refuse an image whose depth or colour space would be lost in three channels of 8 bits."""
    with wrap_decoder_errors(place):
        deep = bits_per_sample(image, data) > 8
    if deep or image.mode.startswith(("I", "F")):
        raise DeepImageError(f"{place} has more than 8 bits per channel; save photos with 8.")
    if image.mode not in _PHOTO_MODES:
        raise UserError(f"{place} has the colour space {image.mode}; save photos as RGB or grey.")


def _upright_size(image: Image.Image, data: Contents) -> tuple[int, int]:
    width, height = image.size
    turned = image.format != "TIFF" and orientation(image, data) >= 5  # Pillow turns TIFFs
    return (width, height) if turned else (height, width)


def _upright(image: Image.Image, data: bytes) -> Image.Image:
    """Return the image as viewers show it."""
    image.load()
    if image.format == "TIFF" or orientation(image, data) == 1:
        return image
    return ImageOps.exif_transpose(image)


def _samples(image: Image.Image, data: bytes, place: str) -> NDArray[Any]:
    """Return the file's own samples, upright: never scaled or inverted for display."""
    raw, maximum = raw_mode(image), None  # before a search for EXIF decodes the image
    if image.format == "PNG":
        kind = data[25]  # of colour in IHDR: 0 grey, 2 RGB, 3 palette, 4 grey + alpha, 6 RGBA
        direct = data[24] == 16 or (data[24] == 8 and kind == 0)
        pixels = _decode_png(data, cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION, place)
        upright = orientation(image, data) == 1
        if direct and upright and (pixels.ndim == 2 or kind != 0):
            return pixels if pixels.ndim == 2 else _rgb_order(pixels)
    if image.format == "PPM" and image.mode not in ("1", "F"):
        maximum = ppm_maximum(image)
    with wrap_decoder_errors(place):
        shown = np.array(_upright(image, data))
    if image.format == "TIFF" and shown.dtype == np.uint8 and has_signs(image):
        return shown.view(np.int8)  # Pillow ignores the sign of 8 bits
    return _unscaled(shown, raw, maximum)


def _unscaled(shown: NDArray[Any], raw: str, maximum: int | None) -> NDArray[Any]:
    """Return a file's samples from the pixels that Pillow made of them for display.

    Args:
        shown: Pillow's pixels.
        raw: how the file holds them, see `raw_mode`: `L;4I` are inverted samples of 4 bits.
        maximum: a PGM's declared largest value, which Pillow scales to 255 or 65535.
    """
    if maximum is not None and maximum not in (255, 65535):
        top = 255 if maximum < 255 else 65535
        return (shown.astype(np.int64) * maximum + top // 2) // top
    found = re.fullmatch(r"(1|L)(?:;([24])?(I)?R?)?", raw)
    if found is None:
        return shown
    kind, bits, inverted = found.groups()
    samples = shown.astype(np.uint8)
    top = 1 if kind == "1" else 255
    samples = top - samples if inverted else samples
    return samples // (255 // (2 ** int(bits) - 1)) if bits else samples


def _without_alpha(values: NDArray[Any], place: str) -> NDArray[Any]:
    """Return a map of 2 or 4 channels without its alpha, which must be opaque everywhere."""
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
    """Return OpenCV's blue, green, red (and alpha) as red, green, blue (and alpha)."""
    order = [2, 1, 0, 3][: pixels.shape[2]]
    return pixels[..., order]


def _decode_png(data: bytes, flags: int, place: str) -> NDArray[Any]:
    """Decode a PNG by OpenCV: the pixels that Pillow gives, in less time, and all of them."""
    with wrap_decoder_errors(place):
        pixels = cv2.imdecode(np.frombuffer(without_texts(data), np.uint8), flags)
        if pixels is None:
            open_image(data, place).load()  # Pillow says what is wrong, if it finds it
            raise OSError("its pixels are cut off")
    return pixels


def _name_of(image: Image.Image) -> str:
    names = {"MPO": "JPEG", "JPEG2000": "JPEG 2000", "WEBP": "lossy WebP", "TIFF": "JPEG-in-TIFF"}
    return names.get(str(image.format), str(image.format))
