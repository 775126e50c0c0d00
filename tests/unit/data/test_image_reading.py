"""Reading images: what a viewer shows of photos, and the file's own integers of maps."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from i2ibench.data.file_formats import EXTENSIONS, MAX_PIXELS, SUFFIXES, formats
from i2ibench.data.image_reading import (
    InexactMapError,
    decode_image,
    decode_map,
    image_size,
    is_lossy_file,
    read_map,
    read_rgb,
    verify_rgb,
)
from i2ibench.errors import UserError

RNG = np.random.default_rng(0)
PHOTO = RNG.integers(0, 256, (24, 40, 3), np.uint8)


def chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def png(rows: list[bytes], width: int, bits: int, colour: int, extra: bytes = b"") -> bytes:
    """A PNG written by hand from packed rows."""
    header = struct.pack(">IIBBBBB", width, len(rows), bits, colour, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + chunk(b"IHDR", header) + extra + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def packed(values: np.ndarray, bits: int) -> list[bytes]:
    """Rows of samples of 1, 2 or 4 bits, the first in the highest bits."""
    digits = (values[..., None] >> np.arange(bits - 1, -1, -1)) & 1
    return [np.packbits(row.reshape(-1)).tobytes() for row in digits.astype(np.uint8)]


def tiff(samples: np.ndarray, order: str = "<", photometric: int | None = None, **tags) -> bytes:
    """An uncompressed TIFF of one strip, written by hand."""
    samples = samples if samples.ndim == 3 else samples[..., None]
    height, width, channels = samples.shape
    bits = 8 * samples.dtype.itemsize
    body = samples.astype(samples.dtype.newbyteorder(order)).tobytes()
    plain = 2 if channels >= 3 else 1
    entries = {256: width, 257: height, 259: 1, 262: plain if photometric is None else photometric}
    entries |= {277: channels, 278: height, 279: len(body), 284: 1, **tags.get("tags", {})}
    count = len(entries) + 2
    base = 8 + 2 + 12 * count + 4
    short = struct.Struct(order + "HHIHH")
    long = struct.Struct(order + "HHII")
    listed = [(number, long.pack(number, 4, 1, value)) for number, value in entries.items()]
    wide = base if channels > 2 else None
    if wide is None:
        listed.append((258, short.pack(258, 3, channels, bits, bits if channels == 2 else 0)))
    else:
        listed.append((258, long.pack(258, 3, channels, wide)))
    start = base + (2 * channels if wide else 0)
    listed.append((273, long.pack(273, 4, 1, start)))
    mark = b"II" if order == "<" else b"MM"
    head = mark + struct.pack(order + "HI", 42, 8) + struct.pack(order + "H", count)
    head += b"".join(entry for _, entry in sorted(listed)) + struct.pack(order + "I", 0)
    return head + (struct.pack(order + f"{channels}H", *[bits] * channels) if wide else b"") + body


def encoded(pixels: np.ndarray, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_photos_are_read_upright_whatever_their_exif_says(tmp_path, kind, turn):
    exif = Image.Exif()
    exif[0x0112] = turn
    lossless = {"lossless": True} if kind == "WEBP" else {}
    path = tmp_path / "p.bin"
    path.write_bytes(encoded(PHOTO, kind, exif=exif, **lossless))
    stored = Image.fromarray(np.array(Image.open(io.BytesIO(encoded(PHOTO, kind, **lossless)))))
    stored.getexif()[0x0112] = turn
    shown = np.array(ImageOps.exif_transpose(stored))
    got = read_rgb(path)
    assert np.array_equal(got, shown)
    assert image_size(path) == verify_rgb(path) == got.shape[:2]


def test_an_orientation_in_xmp_after_the_pixels_counts(tmp_path):
    about = b'XML:com.adobe.xmp\0\0\0\0\0<x tiff:Orientation="3"/>'
    data = encoded(PHOTO, "PNG")
    end = data.index(b"IEND") - 4
    (tmp_path / "p.png").write_bytes(data[:end] + chunk(b"iTXt", about) + data[end:])
    assert np.array_equal(read_rgb(tmp_path / "p.png"), np.rot90(PHOTO, 2))


def test_texts_that_tell_no_orientation_cost_no_decoding(monkeypatch):
    """ImageMagick writes dates into every PNG: Cityscapes' photos took twice as long for them."""
    about = PngInfo()
    for name in ("date:create", "Software", "Comment"):
        about.add_text(name, "2015-12-02T13:52:09+01:00")
    data = encoded(PHOTO, "PNG", pnginfo=about)
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", None)
    assert np.array_equal(decode_image(data, "p"), PHOTO)


def test_maps_are_turned_as_their_photos_are(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    for values in (PHOTO[..., 0], PHOTO[..., 0].astype(np.uint16) * 200):
        (tmp_path / "m.png").write_bytes(encoded(values, "PNG", exif=exif))
        assert np.array_equal(read_map(tmp_path / "m.png"), np.rot90(values, -1))


def transparent_photos():
    """By name images with hidden colours, and the alpha of each."""
    alpha = np.zeros((24, 40), np.uint8)
    alpha[4:20, 8:30] = 255
    yield "RGBA", Image.fromarray(np.dstack([PHOTO, alpha])), {}, alpha
    grey = Image.merge("LA", [Image.fromarray(PHOTO[..., 0]), Image.fromarray(alpha)])
    yield "LA", grey, {}, alpha
    palette = Image.fromarray((alpha > 0).astype(np.uint8))
    palette.putpalette([13, 200, 77, 200, 30, 30])
    yield "P", palette, {"transparency": 0}, alpha
    key = PHOTO.copy()
    key[alpha == 0] = (1, 2, 3)
    yield "RGB", Image.fromarray(key), {"transparency": (1, 2, 3)}, alpha


@pytest.mark.parametrize("case", list(transparent_photos()), ids=lambda case: case[0])
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_transparent_pixels_are_white_in_every_kind_of_file(tmp_path, case, kind):
    mode, image, options, alpha = case
    if kind != "PNG" and mode != "RGBA":
        pytest.skip("only PNG holds it so")
    options = {**options, "lossless": True, "exact": True} if kind == "WEBP" else options
    image.save(tmp_path / "p.x", kind, **options)
    got = read_rgb(tmp_path / "p.x")
    assert (got[alpha == 0] == 255).all()
    shown = np.array(image.convert("RGB"))
    assert np.array_equal(got[alpha == 255], shown[alpha == 255])


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_the_grey_that_is_transparent_is_white(bits):
    values = np.arange(2**bits, dtype=np.uint8)[None].repeat(2, 0)
    rows = packed(values, bits)
    data = png(rows, 2**bits, bits, 0, chunk(b"tRNS", struct.pack(">H", 1)))
    shown = values * (255 // (2**bits - 1))
    assert np.array_equal(decode_image(data, "p")[..., 0], np.where(values == 1, 255, shown))


def test_half_transparent_pixels_are_mixed_with_white():
    pixels = np.dstack([np.full((4, 4, 3), 100, np.uint8), np.full((4, 4), 128, np.uint8)])
    mixed = decode_image(encoded(pixels, "PNG"), "p")
    assert abs(int(mixed[0, 0, 0]) - round(100 * 128 / 255 + 255 * 127 / 255)) <= 1


DEEP = {
    "RGB TIFF, little": tiff(PHOTO.astype(np.uint16) * 16),
    "RGB TIFF, big": tiff(PHOTO.astype(np.uint16) * 16, ">"),
    "grey TIFF": tiff(PHOTO[..., 0].astype(np.uint16)),
    "RGB PNG": cv2.imencode(".png", PHOTO.astype(np.uint16))[1].tobytes(),
    "grey PNG": cv2.imencode(".png", PHOTO[..., 0].astype(np.uint16))[1].tobytes(),
    "RGBA PNG": cv2.imencode(".png", np.dstack([PHOTO, PHOTO[..., 0]]).astype(np.uint16))[1]
    .tobytes(),
    "PPM": b"P6 2 1 4095\n" + struct.pack(">6H", 1, 2, 3, 4, 5, 4095),
    "PGM": b"P5 2 1 1000\n" + struct.pack(">2H", 1, 2),
    "float TIFF": encoded(np.ones((4, 4), np.float32), "TIFF"),
    "JPEG 2000": cv2.imencode(".jp2", np.full((64, 64, 3), 999, np.uint16))[1].tobytes(),
}  # fmt: skip


@pytest.mark.parametrize("name", DEEP)
def test_photos_of_more_than_8_bits_are_refused_when_checked_and_when_read(tmp_path, name):
    (tmp_path / "p.png").write_bytes(DEEP[name])
    for read in (read_rgb, verify_rgb):
        with pytest.raises(UserError, match=r"p\.png has more than 8 bits per channel"):
            read(tmp_path / "p.png")


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("colour", [0, 3], ids=["grey", "palette"])
@pytest.mark.parametrize("text", [b"", chunk(b"tEXt", b"Software\0any")], ids=["plain", "text"])
def test_the_samples_of_maps_of_few_bits_are_the_ids(bits, colour, text):
    values = RNG.integers(0, 2**bits, (9, 16))
    palette = RNG.integers(0, 256, (2**bits, 3), np.uint8).tobytes()
    extra = chunk(b"PLTE", palette) if colour == 3 else b""
    data = png(packed(values, bits), 16, bits, colour, extra + text)
    assert np.array_equal(decode_map(data, "m").values, values)


def test_deep_maps_hold_their_ids():
    values = RNG.integers(0, 65536, (9, 16)).astype(np.uint16)
    for data in (encoded(values, "PNG"), tiff(values), tiff(values, ">"), encoded(values, "TIFF")):
        assert np.array_equal(decode_map(data, "m").values, values)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32])
def test_negative_samples_keep_their_sign(dtype):
    values = np.arange(-8, 8, dtype=dtype).reshape(2, 8)
    assert np.array_equal(decode_map(tiff(values, tags={339: 2}), "m").values, values)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_inverted_tiffs_and_pgms_of_any_maximum_give_their_samples(dtype):
    values = RNG.integers(0, 8, (9, 16)).astype(dtype)
    assert np.array_equal(decode_map(tiff(values, photometric=0), "m").values, values)
    for maximum in (7, 20, 255, 300, 1000, 65535):
        body = values.astype(np.uint8 if maximum < 256 else ">u2").tobytes()
        data = b"P5 16 9 %d\n" % maximum + body
        assert np.array_equal(decode_map(data, "m").values, values), maximum


def test_a_pgm_of_floats_is_refused():
    with pytest.raises(InexactMapError, match="holds float32 values"):
        decode_map(b"Pf\n2 1\n-1.0\n" + np.float32([[1, 2]]).tobytes(), "m")


def test_every_value_of_a_pgm_with_an_odd_maximum_is_exact():
    for maximum in (2, 3, 19, 100, 254):
        values = np.arange(maximum + 1, dtype=np.uint8)[None]
        data = b"P5 %d 1 %d\n" % (maximum + 1, maximum) + values.tobytes()
        assert np.array_equal(decode_map(data, "m").values, values)
    values = np.arange(4096, dtype=np.uint16)[None]
    data = b"P5 4096 1 4095\n" + values.astype(">u2").tobytes()
    assert np.array_equal(decode_map(data, "m").values, values)


def test_a_bitmap_gives_its_bits_in_every_format():
    values = RNG.integers(0, 2, (9, 16)).astype(np.uint8)
    rows = b"".join(packed(values, 1))
    assert np.array_equal(decode_map(b"P4 16 9\n" + rows, "m").values, values)
    for kind in ("PNG", "TIFF", "BMP"):
        data = encoded(values.astype(bool), kind)
        assert np.array_equal(decode_map(data, "m").values, values), kind


@pytest.mark.parametrize("mode", ["LA", "RGB", "RGBA"])
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_a_grey_map_saved_in_more_channels_has_the_same_ids(mode, kind):
    values = RNG.integers(0, 30, (9, 16)).astype(np.uint8)
    buffer = io.BytesIO()
    options = {"lossless": True} if kind == "WEBP" else {}
    Image.fromarray(values).convert(mode).save(buffer, kind, **options)
    assert np.array_equal(decode_map(buffer.getvalue(), "m").values, values)


def test_sixteen_bit_maps_with_alpha_or_in_colour_keep_their_depth():
    values = RNG.integers(0, 65536, (9, 16)).astype(np.uint16)
    opaque = np.full_like(values, 65535)
    rows = [
        np.stack([v, a], 1).astype(">u2").tobytes() for v, a in zip(values, opaque, strict=True)
    ]
    assert np.array_equal(decode_map(png(rows, 16, 16, 4), "m").values, values)
    rgb = [np.repeat(v[:, None], 3, 1).astype(">u2").tobytes() for v in values]
    assert np.array_equal(decode_map(png(rgb, 16, 16, 2), "m").values, values)
    colours = RNG.integers(0, 65536, (9, 16, 3)).astype(np.uint16)
    data = png([row.astype(">u2").tobytes() for row in colours], 16, 16, 2)
    assert np.array_equal(decode_map(data, "m").values, colours)


def test_transparent_pixels_of_a_map_are_refused():
    values = np.dstack([np.zeros((4, 4), np.uint8), np.full((4, 4), 255, np.uint8)])
    values[0, :3, 1] = 0
    with pytest.raises(InexactMapError, match="3 transparent pixels"):
        decode_map(encoded(values, "PNG"), "m")


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF", "JPEG2000"])
def test_lossy_maps_are_refused_whatever_their_name(tmp_path, kind):
    path = tmp_path / "m.png"
    path.write_bytes(encoded(PHOTO[..., 0] if kind in ("JPEG", "JPEG2000") else PHOTO, kind))
    with pytest.raises(InexactMapError, match="changes ids"):
        read_map(path)
    assert is_lossy_file(path)


def test_a_png_called_jpg_is_a_good_map(tmp_path):
    (tmp_path / "m.jpg").write_bytes(encoded(PHOTO[..., 0], "PNG"))
    assert np.array_equal(read_map(tmp_path / "m.jpg"), PHOTO[..., 0])
    assert not is_lossy_file(tmp_path / "m.jpg")


def test_a_jpeg_inside_a_tiff_is_lossy():
    data = encoded(PHOTO[..., 0], "TIFF", compression="jpeg")
    with pytest.raises(InexactMapError, match="changes ids"):
        decode_map(data, "m")


def test_cut_off_pixels_are_noticed_in_every_kind_of_png():
    """Pillow fills what is missing with zeros where the checksums are right."""
    for rows, bits, colour, extra in (
        ([bytes(8)] * 9, 8, 0, b""),
        ([bytes(24)] * 9, 8, 2, b""),
        ([bytes(8)] * 9, 8, 3, chunk(b"PLTE", bytes(6))),
        ([bytes(16)] * 9, 8, 4, b""),
        ([bytes(1)] * 9, 1, 0, b""),
    ):
        whole = png(rows, 8, bits, colour, extra)
        decode_image(whole, "p")
        header = struct.pack(">IIBBBBB", 8, 30, bits, colour, 0, 0, 0)
        cut = whole.replace(whole[8:33], chunk(b"IHDR", header))
        for decode in (decode_image, decode_map):
            with pytest.raises(UserError, match="p is broken"):
                decode(cut, "p")


def test_several_images_in_one_file_are_refused():
    frames = [Image.fromarray(PHOTO), Image.fromarray(255 - PHOTO)]
    for kind in ("GIF", "TIFF", "PNG", "WEBP"):
        buffer = io.BytesIO()
        frames[0].save(buffer, kind, save_all=True, append_images=frames[1:])
        with pytest.raises(UserError, match="holds 2 images"):
            decode_image(buffer.getvalue(), "p")


def huge(width: int, height: int) -> bytes:
    compressor = zlib.compressobj(1)
    row = bytes(1 + width // 8)
    body = b"".join(compressor.compress(row) for _ in range(height)) + compressor.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", body), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("size", [(12000, 8000), (16000, 12000), (60000, 60000)])
def test_too_large_images_are_refused_with_the_limit(tmp_path, size):
    header = struct.pack(">IIBBBBB", *size, 1, 0, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", b""), chunk(b"IEND", b""))
    (tmp_path / "p.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    for read in (read_rgb, read_map, verify_rgb, image_size):
        with pytest.raises(UserError, match=rf"p\.png has .* pixels.*; at most {MAX_PIXELS}"):
            read(tmp_path / "p.png")


def test_huge_texts_in_a_png_are_refused_with_the_file(tmp_path):
    about = PngInfo()
    about.add_text("comment", "x" * 70_000_000, zip=True)
    Image.fromarray(PHOTO).save(tmp_path / "p.png", pnginfo=about)
    with pytest.raises(UserError, match=r"p\.png is broken"):
        read_rgb(tmp_path / "p.png")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is a EPS file"),
        (b"\x93NUMPY\x01\x00v\x00{}", "is a numpy file"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"nothing of the kind" * 9, "no image in a format that is read"),
        (tiff(np.dstack([PHOTO, PHOTO[..., 0]]), photometric=1), "TIFF of 4 channels with 8 bits"),
    ],
)
def test_what_is_no_image_is_named(tmp_path, data, reason):
    (tmp_path / "p.png").write_bytes(data)
    for read in (read_rgb, read_map, verify_rgb, image_size):
        with pytest.raises(UserError, match=reason):
            read(tmp_path / "p.png")


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        read_rgb(tmp_path / "none.png")
    with pytest.raises(UserError, match="cannot be read"):
        read_rgb(tmp_path)


@pytest.mark.parametrize("kind", formats())
def test_every_format_is_read_whole_or_refused_however_it_is_damaged(kind):
    """Seeded damage: cut off, bytes changed; never another exception, never an image half read."""
    if kind == "MPO":
        pytest.skip("a JPEG to Pillow's writer")
    data = encoded(PHOTO, kind, **({"lossless": True} if kind == "WEBP" else {}))
    whole = decode_image(data, "p")
    rng = np.random.default_rng(1)
    for _ in range(60):
        damaged = bytearray(data)
        for place in rng.integers(0, len(data), 3):
            damaged[place] = rng.integers(256)
        for content in (bytes(damaged), data[: rng.integers(len(data))]):
            for decode in (decode_image, decode_map):
                try:
                    decode(content, "p")
                except UserError as error:
                    assert str(error).startswith("p ")
    assert np.array_equal(whole, decode_image(data, "p"))


def test_every_format_has_an_ending_and_every_ending_one_format():
    assert len(EXTENSIONS) == len(set(EXTENSIONS))
    assert set(formats()) <= SUFFIXES.keys()


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 3)])
@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
def test_texts_in_a_png_are_not_unpacked(shape, kind, monkeypatch):
    pixels = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    plain = buffer.getvalue()
    text = chunk(kind, b"k\0\0" + zlib.compress(b"a" * 7_900_000, 9))
    given = []
    imdecode = cv2.imdecode

    def watched(data, flags):
        given.append(data.tobytes())
        return imdecode(data, flags)

    monkeypatch.setattr(cv2, "imdecode", watched)
    for data in (plain, plain[:-12] + text * 9 + plain[-12:]):  # after the pixels
        read = decode_map(data, "x").values if len(shape) == 2 else decode_image(data, "x")
        np.testing.assert_array_equal(read, pixels)
    assert given and set(given) == {plain}
