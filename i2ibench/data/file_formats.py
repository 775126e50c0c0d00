"""Image file formats: opening of files, and properties that are known before decoding."""

import io
import mmap
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from i2ibench.errors import UserError

SUFFIXES = {
    "PNG": (".png", ".apng"),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "MPO": (".mpo",),
    "BMP": (".bmp", ".dib"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "JPEG2000": (".jp2", ".j2k", ".jpf", ".jpx"),
    "AVIF": (".avif",),
}
"""The file endings of each readable format, by Pillow's names. The format of a file is found from
its contents. The ending only tells whether a file in a folder is an image."""

EXTENSIONS = tuple(suffix for suffixes in SUFFIXES.values() for suffix in suffixes)

MAX_PIXELS = 89_478_485
"""The most pixels that an image may have, about 9459 x 9459: Pillow warns of larger images."""

Contents = bytes | mmap.mmap
"""The contents of a file, read or memory-mapped."""

_MARKS = (
    (b"%!PS", "EPS"), (b"\xc5\xd0\xd3\xc6", "EPS"), (b"%PDF", "PDF"), (b"8BPS", "Photoshop"),
    (b"v/1\x01", "OpenEXR"), (b"\x93NUMPY", "numpy"), (b"SIMPLE  =", "FITS"),
    (b"\x89HDF", "HDF5"), (b"PK\x03\x04", "zip"), (b"<?xml", "XML or SVG"), (b"<svg", "SVG"),
)  # fmt: skip
_TIFF_MARKS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


class SeveralImagesError(UserError):
    """A file holds several images where one image is read."""


def open_image(data: Contents, place: str, pages: bool = False) -> Image.Image:
    """Open the one image in a file's bytes with Pillow; only the header is read, not the pixels.

    Args:
        data: the contents of the file.
        place: the file's name for messages.
        pages: whether a TIFF may have several pages; the first page is returned.

    Raises:
        SeveralImagesError: the file holds several images; it is a `UserError`.
        UserError: the bytes are not an image in a readable format, or the image has more than
            `MAX_PIXELS` pixels.
    """
    try:
        with wrap_decoder_errors(place):
            stream: Any = io.BytesIO(data) if isinstance(data, bytes) else data
            image = Image.open(stream, formats=formats())
    except UnidentifiedImageError:
        raise UserError(f"{place} {_why_unknown(data)}.") from None
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise UserError(_too_large(place, f"{width}x{height} pixels"))
    with wrap_decoder_errors(place):
        count = count_images(image)
    if count > 1 and not (pages and image.format == "TIFF"):
        raise SeveralImagesError(
            f"{place} holds {count} images (frames or pages); save one in each file."
        )
    return image


@cache
def formats() -> tuple[str, ...]:
    """Return the formats of `SUFFIXES`, by Pillow's names, that the installed Pillow can read."""
    Image.init()
    return tuple(name for name in SUFFIXES if name in Image.OPEN)


@contextmanager
def wrap_decoder_errors(place: str) -> Iterator[None]:
    """Turn every exception of a decoder in the block into a `UserError` that names the file.

    Args:
        place: the file's name for messages.

    Raises:
        UserError: the decoder raised an exception.
        UnidentifiedImageError: no decoder recognises the bytes; it is passed on unchanged.
    """
    try:
        yield
    except (UserError, UnidentifiedImageError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UserError(_too_large(place, f"more than {MAX_PIXELS} pixels")) from None
    except MemoryError:
        raise UserError(f"{place} needs more memory than there is.") from None
    except Exception as error:  # decoders raise anything on damaged or hostile bytes
        raise UserError(f"{place} is broken or no image: {error}") from None


def _too_large(place: str, size: str) -> str:
    return (
        f"{place} has {size}; at most {MAX_PIXELS} ({MAX_PIXELS / 1e6:.0f} million) are read. "
        "Cut it into tiles or resize it."
    )


def count_images(image: Image.Image) -> int:
    """Return the number of images in an opened file, without previews, masks and smaller copies.

    These are the frames of an animation or the pages of a TIFF. An MPO file counts as one photo.
    """
    count = getattr(image, "n_frames", 1)  # only formats that can hold several have the attribute
    if count == 1 or image.format == "MPO":  # the first image of an MPO is the photo
        return 1
    return len(tiff_pages(image)) if image.format == "TIFF" else int(count)


def tiff_pages(image: Any) -> list[int]:
    """Return the indices of an opened TIFF's pages, without masks and smaller copies.

    The image is left at its first page.
    """
    pages = []
    for page in range(getattr(image, "n_frames", 1)):
        image.seek(page)
        if not int(image.tag_v2.get(254, 0)) & 5:  # NewSubfileType: 1 is a smaller copy, 4 a mask
            pages.append(page)
    image.seek(0)
    return pages


def _tiff_tag(image: Any, number: int) -> tuple[int, ...]:
    """Return the values of a tag of an opened TIFF, (1,) if the tag is absent."""
    stated = image.tag_v2.get(number, 1)
    return stated if isinstance(stated, tuple) else (stated,)


def has_signs(image: Image.Image) -> bool:
    """Return whether an opened TIFF declares signed integer samples in any channel."""
    return 2 in _tiff_tag(image, 339)  # SampleFormat


def is_inverted(image: Image.Image) -> bool:
    """Return whether viewers show 0 as white in an opened image that is not yet decoded.

    That is so in PBM files and some TIFF files of one channel.
    """
    inverted = re.fullmatch(r"(1|L);[24]?IR?", raw_mode(image))
    return image.mode in ("1", "L") and inverted is not None


def bits_per_sample(image: Image.Image, data: Contents) -> int:
    """Return the bits of each channel in an image's file, before Pillow scales the samples.

    The number is exact for PNG, TIFF, PPM and JPEG 2000; of several depths the largest counts.
    Other formats give 1 for a black-and-white image, else 8.

    Args:
        image: the opened image, which is not yet decoded.
        data: the contents of the file.
    """
    if image.format == "PNG":
        return data[24]  # IHDR is the first chunk
    if image.format == "TIFF":
        return int(max(_tiff_tag(image, 258)))  # BitsPerSample
    if image.format == "PPM":
        return max(ppm_maximum(image), 1).bit_length()
    if image.format == "JPEG2000":
        return _jpeg2000_bits(data)
    return 1 if image.mode == "1" else 8


def ppm_maximum(image: Image.Image) -> int:
    """Return the largest sample value that an opened PPM or PGM file declares; 1 for a PBM file."""
    arguments = _tile_arguments(image)
    if isinstance(arguments, tuple) and len(arguments) > 1:
        return int(arguments[1])
    if "16" in raw_mode(image):
        return 65535
    return 1 if image.mode == "1" else 255


def raw_mode(image: Image.Image) -> str:
    """Return the storage of an opened image's samples in Pillow's notation, as `L;4` or `RGB;16B`.

    The result is "" after the image's pixels are loaded.
    """
    arguments = _tile_arguments(image)
    return str(arguments[0] if isinstance(arguments, tuple) and arguments else arguments)


def _tile_arguments(image: Any) -> Any:
    """Return the decoder's arguments of an opened image, "" after the image's pixels are loaded.

    These are the raw mode, or a tuple that begins with the raw mode.
    """
    return image.tile[0][3] if image.tile else ""


def _jpeg2000_bits(data: Contents) -> int:
    start = data.find(b"\xff\x4f\xff\x51") + 2  # the codestream and its SIZ segment (ISO 15444-1)
    channels = int.from_bytes(data[start + 38 : start + 40], "big")
    return max((data[start + 40 + 3 * k] & 127) + 1 for k in range(max(channels, 1)))


def is_lossy(image: Image.Image, data: Contents) -> bool:
    """Return whether a file's format may change pixel values, so that it cannot hold ids.

    JPEG, AVIF and JPEG 2000 files always count as lossy, also where they are lossless. WebP and
    TIFF files count by their compression. All other formats are lossless.

    Args:
        image: the opened image.
        data: the contents of the file.
    """
    if image.format == "WEBP":
        return _has_webp_chunk(data, b"VP8 ")
    if image.format == "TIFF":
        compression = str(image.info.get("compression", ""))
        return any(kind in compression for kind in ("jpeg", "webp", "jpeg2000"))
    return image.format in ("JPEG", "MPO", "AVIF", "JPEG2000")


def _has_webp_chunk(data: Contents, name: bytes) -> bool:
    """Return whether a WebP file has a chunk with a name, such as b"VP8 ", at its top level."""
    position = 12
    while position + 8 <= len(data):
        if data[position : position + 4] == name:
            return True
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        position += 8 + size + size % 2
    return False


_PNG_TEXTS = (b"eXIf", b"iTXt", b"tEXt", b"zTXt")
"""The chunks of a PNG that hold texts and EXIF."""

_EXIF_TEXTS = (b"XML:com.adobe.xmp", b"Raw profile type ")
"""Beginnings of the PNG texts that can hold an orientation."""


def orientation(image: Image.Image, data: Contents) -> int:
    """Return the EXIF orientation, 1 to 8, that viewers apply to an image; 1 is upright.

    The result is 1 if the orientation is missing, impossible or damaged.

    Args:
        image: the opened image; PNG files with EXIF or texts may be decoded.
        data: the contents of the file.
    """
    if image.format == "PNG" and not _may_be_rotated(data):
        return 1  # Pillow would decode the image to find its EXIF
    try:
        stated = image.getexif().get(0x0112, 1)
    except Exception:  # viewers ignore damaged EXIF
        return 1
    return stated if stated in range(1, 9) else 1


def _may_be_rotated(data: Contents) -> bool:
    """Return whether a PNG has EXIF, or a text that can hold EXIF."""
    return any(
        name == b"eXIf"
        or (name in _PNG_TEXTS and data[at.start + 8 : at.start + 32].startswith(_EXIF_TEXTS))
        for name, at in _png_chunks(data)
    )


def _png_chunks(data: Contents) -> Iterator[tuple[bytes, slice]]:
    """Yield the name and the byte range of each chunk of a PNG, from length to checksum."""
    position = 8
    while position + 8 <= len(data):
        end = position + 12 + int.from_bytes(data[position : position + 4], "big")
        yield data[position + 4 : position + 8], slice(position, end)
        position = end


def without_texts(data: bytes) -> bytes:
    """Return a PNG's bytes without its texts, EXIF and colour profiles.

    libpng would unpack up to a thousand of them, each up to 8 MB, from a file of a few megabytes.
    """
    packed = [at for name, at in _png_chunks(data) if name in (*_PNG_TEXTS, b"iCCP")]
    if not packed:
        return data
    kept, begin = [], 0
    for at in packed:
        kept.append(data[begin : at.start])
        begin = at.stop
    return b"".join([*kept, data[begin:]])


def scale_transparent_grey(image: Image.Image, data: bytes) -> None:
    """Scale an opened PNG's transparent grey value in place, as Pillow scales samples below 8 bits.

    Nothing changes for other depths, for colour and for a PNG without such a value.

    Args:
        image: the opened PNG.
        data: the contents of the file.
    """
    bits, grey = data[24], image.info.get("transparency")
    if image.mode == "L" and bits < 8 and isinstance(grey, int):
        image.info["transparency"] = grey * (255 // (2**bits - 1))


def on_white(image: Image.Image) -> Image.Image:
    """Return an image as RGB, with white behind transparent pixels."""
    premultiplied = {"La": "LA", "RGBa": "RGBA"}.get(image.mode)
    image = image.convert(premultiplied) if premultiplied else image
    if image.mode not in ("LA", "PA", "RGBA") and "transparency" not in image.info:
        return image.convert("RGB")
    rgba = image.convert("RGBA")
    white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, rgba).convert("RGB")


def _why_unknown(data: Contents) -> str:
    """Return why bytes are not a readable image, such as "is empty": a sentence without subject."""
    if not data:
        return "is empty"
    if data[:4] in _TIFF_MARKS:
        return _describe_tiff(data)
    if data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"hevc"):
        return "is a HEIC image, which is not read; save it as PNG or JPEG"
    known = next((name for mark, name in _MARKS if data[:16].startswith(mark)), None)
    if known is not None:
        return f"is a {known} file, which is not read as an image; save it as PNG"
    return f"is broken or no image in a format that is read ({', '.join(formats())})"


def _describe_tiff(data: Contents) -> str:
    try:
        tags = ImageFileDirectory_v2(data[:8])
        stream = io.BytesIO(data[:])
        stream.seek(tags.next)
        tags.load(stream)
        channels, bits = tags.get(277, 1), tags.get(258, (1,))
        listed = sorted(set(bits if isinstance(bits, tuple) else (bits,)))
    except Exception:  # the header is damaged
        return "is a broken TIFF"
    return (
        f"is a TIFF of {channels} channels with {', '.join(map(str, listed))} bits per channel, "
        "a kind that is not read: save it as a PNG, or as a TIFF of 1 channel with 8 or 16 bits, "
        "of 3, or of 4 of which one is marked as alpha"
    )
