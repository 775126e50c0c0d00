import io
import json
import struct
import warnings
import zipfile
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from i2ibench.apps.editor.classes import read_classes
from i2ibench.apps.editor.scene import DRAWS, Mode, Scene, Vector, randomise_styles, set_styles
from i2ibench.apps.editor.scene_files import new_scene, read_scene_zip, scene_zip
from i2ibench.apps.editor.uploaded_images import (
    MAX_SIDE,
    read_instance_png,
    read_label_png,
    read_photo,
)
from i2ibench.data.classes import CITYSCAPES_CLASSES
from i2ibench.errors import UserError
from tests.unit.apps.editor.conftest import CLASSES, street


def png(pixels, format="PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(pixels)).save(buffer, format=format)
    return buffer.getvalue()


def rewritten(data: bytes, method=zipfile.ZIP_STORED, **changes) -> bytes:
    """The zip with entries replaced, or left out for None; __ stands for the dot."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w", method) as new:
        entries = {name: old.read(name) for name in old.namelist()}
        entries.update({name.replace("__", "."): content for name, content in changes.items()})
        for name, content in entries.items():
            if content is not None:
                new.writestr(name, content)
    return buffer.getvalue()


def test_a_scene_and_its_beginning_come_back_exactly(scene):
    edited = set_styles(
        randomise_styles(scene, 7), {26000: Mode(3), 23: Vector((0.1, -1 / 3), "a photo")}
    )
    saved = read_scene_zip(scene_zip(edited, CLASSES, scene), CLASSES)
    assert not saved.notes
    for got, expected in ((saved.scene, edited), (saved.opened, scene)):
        np.testing.assert_array_equal(got.label, expected.label)
        np.testing.assert_array_equal(got.instance, expected.instance)
        assert (got.name, got.draw, dict(got.styles)) == (
            expected.name, expected.draw, dict(expected.styles),
        )  # fmt: skip


def test_the_files_in_the_zip_are_what_other_tools_read(scene, classes):
    with zipfile.ZipFile(io.BytesIO(scene_zip(scene, classes))) as archive:
        label = Image.open(io.BytesIO(archive.read("label.png")))
        instance = Image.open(io.BytesIO(archive.read("instance.png")))
        assert sorted(archive.namelist()) == ["instance.png", "label.png", "styles.json"]
    assert label.mode == "L" and instance.mode.startswith("I")
    np.testing.assert_array_equal(np.array(label), np.array(classes.ids)[scene.label])
    np.testing.assert_array_equal(np.array(instance), scene.instance)


def test_ids_up_to_65535_survive(classes):
    label = np.zeros((2, 2), np.uint8)
    scene = Scene("x", label, np.array([[0, 255], [256, 65535]], np.int32))
    back = read_scene_zip(scene_zip(scene, classes), classes).scene
    np.testing.assert_array_equal(back.instance, scene.instance)


COLOURS = np.tile(np.array([1, 2, 3], np.uint8), (24, 40, 1))
ABOUT = {"format": 1, "name": "x", "draw": 0, "classes": list(CLASSES.names), "styles": {}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"label__png": None}, "no label.png"),
        ({"instance__png": None}, "no instance.png"),
        ({"styles__json": None}, "no zip of a scene"),
        ({"styles__json": "{"}, "no zip of a scene"),
        ({"styles__json": "[" * 100_000}, "no zip of a scene"),
        ({"styles__json": "[]"}, "format"),
        ({"styles__json": json.dumps({**ABOUT, "format": 2})}, "format"),
        ({"styles__json": json.dumps({**ABOUT, "classes": ["a"]})}, "other classes"),
        ({"styles__json": json.dumps({**ABOUT, "name": 3})}, "names no scene"),
        ({"styles__json": json.dumps({**ABOUT, "name": "\ud800"})}, "names no scene"),
        ({"styles__json": json.dumps({**ABOUT, "draw": -1})}, "malformed"),
        ({"styles__json": json.dumps({**ABOUT, "styles": []})}, "malformed"),
        ({"styles__json": json.dumps({**ABOUT, "styles": {"7": {"kind": "mode"}}})}, "style"),
        (
            {"styles__json": json.dumps(
                {**ABOUT, "styles": {"7": {"kind": "vector", "values": [float("nan")]}}}
            )},
            "style",
        ),
        ({"label__png": b"\x89PNG"}, "The label map is no readable PNG.$"),
        ({"label__png": png(np.full((24, 40), 99, np.uint8))}, "value 99"),
        ({"instance__png": png(np.zeros((4, 4), np.uint8))}, "4x4"),
        ({"label__png": png(COLOURS)}, "colour"),
    ],
)  # fmt: skip
def test_a_damaged_zip_is_refused_with_its_reason(changes, said):
    with pytest.raises(UserError, match=said):
        read_scene_zip(rewritten(scene_zip(street(), CLASSES), **changes), CLASSES)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zips_that_unpack_without_a_limit_are_refused(scene, method):
    with pytest.raises(UserError, match="the usual method"):
        read_scene_zip(rewritten(scene_zip(scene, CLASSES), method), CLASSES)


def test_compressed_zips_are_read_and_damage_in_them_is_told(scene):
    data = scene_zip(scene, CLASSES)
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name))
        at = new.NameToInfo["styles.json"].header_offset + len("styles.json") + 30
    packed = buffer.getvalue()
    assert read_scene_zip(packed, CLASSES).scene.name == scene.name
    with pytest.raises(UserError, match="no zip of a scene"):
        read_scene_zip(packed[: at + 12] + b"\xff" * 40 + packed[at + 52 :], CLASSES)


def test_after_the_last_random_draw_comes_the_first(scene):
    last = randomise_styles(scene, DRAWS - 1)
    assert read_scene_zip(scene_zip(last, CLASSES), CLASSES).scene.draw == DRAWS - 1
    after = randomise_styles(last, last.draw + 1)
    assert read_scene_zip(scene_zip(after, CLASSES), CLASSES).scene.draw == 0


@given(st.binary(max_size=200), st.integers(0, 4000), st.integers(0, 255))
def test_broken_bytes_are_refused_or_read(noise, at, value):
    whole = bytearray(scene_zip(street(), CLASSES))
    whole[at % len(whole)] = value
    for data in (noise, bytes(whole), bytes(whole[: at % len(whole)])):
        for read in (
            lambda d: read_scene_zip(d, CLASSES),
            lambda d: read_label_png(d, CLASSES),
            read_instance_png,
            lambda d: read_photo(d, 4, 4),
        ):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # Pillow's, about damaged files
                    read(data)
            except UserError as error:
                assert str(error)


def test_a_huge_entry_is_refused_before_it_fills_the_memory(scene, monkeypatch):
    monkeypatch.setattr("i2ibench.apps.editor.scene_files.MAX_STYLES_BYTES", 1000)
    with pytest.raises(UserError, match="larger than"):
        read_scene_zip(rewritten(scene_zip(scene, CLASSES), styles__json=" " * 2000), CLASSES)


def test_a_huge_image_is_refused_by_its_header():
    def chunk(kind, content):
        crc = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + crc

    for width, height in ((MAX_SIDE + 1, 1), (100_000, 100_000), (4096, 4096)):
        header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
        bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(
            b"IEND", b""
        )  # fmt: skip
        with pytest.raises(UserError):
            read_label_png(bomb, CLASSES)


def test_label_maps_hold_ids_or_channels():
    channels = np.array([[0, 1], [2, 3]], np.uint8)
    ids = np.array(CLASSES.ids, np.uint8)[channels]
    np.testing.assert_array_equal(read_label_png(png(ids), CLASSES), channels)
    np.testing.assert_array_equal(read_label_png(png(channels), CLASSES), channels)
    with pytest.raises(UserError, match="the value 3 at 1 of 2 pixels"):
        read_label_png(png(np.array([[23, 3]], np.uint8)), CLASSES)
    swapped = replace(CLASSES, ids=(1, 0, 3, 2))  # both would fit: ids win
    assert read_label_png(png(channels), swapped).tolist() == [[1, 0], [3, 2]]


def test_uploaded_label_maps_are_read_as_in_data_sets():
    """Masks of one bit, greys in three channels, palettes in the classes' colours, train ids."""
    two = replace(CLASSES, names=("a", "b"), ids=(0, 255), colours=((9, 8, 7), (1, 2, 3)),
                  things=(False, False))  # fmt: skip
    assert read_label_png(png(np.array([[True, False]])), two).tolist() == [[1, 0]]
    grey = np.full((1, 1, 3), CLASSES.ids[2], np.uint8)
    assert read_label_png(png(grey), CLASSES).tolist() == [[2]]
    image = Image.fromarray(np.array([[0, 1]], np.uint8))
    image.putpalette([1, 2, 3, 9, 8, 7])
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    away = replace(two, ids=(10, 20))
    assert read_label_png(buffer.getvalue(), away).tolist() == [[1, 0]]
    streets = read_classes(CITYSCAPES_CLASSES.metainfo("Cityscapes"))
    train_ids = png(np.array([[10, 13]], np.uint8))
    assert read_label_png(train_ids, streets, name="a_labelTrainIds.png").tolist() == [[23, 26]]


def test_instance_maps_have_8_or_16_bits():
    for ids in (np.array([[0, 200]], np.uint8), np.array([[300, 65535]], np.uint16)):
        np.testing.assert_array_equal(read_instance_png(png(ids)), ids)
    with pytest.raises(UserError, match="colour"):
        read_instance_png(png(COLOURS))
    with pytest.raises(UserError, match="readable PNG"):
        read_instance_png(png(np.zeros((8, 8), np.uint8), "JPEG"))


def test_photos_are_resized_to_the_scene():
    for format in ("PNG", "JPEG"):
        photo = read_photo(png(np.full((9, 12, 3), 90, np.uint8), format), 4, 6)
        assert photo.shape == (4, 6, 3) and photo.dtype == np.uint8 and abs(photo - 90.0).max() < 3
    with pytest.raises(UserError, match="8 bits"):
        read_photo(png(np.zeros((4, 4), np.uint16)), 4, 4)
    with pytest.raises(UserError, match="readable PNG or JPEG"):
        read_photo(png(np.zeros((4, 4, 3), np.uint8), "BMP"), 4, 4)


def test_foreign_maps_become_scenes_that_keep_the_promise(classes):
    label = street().label
    scene, notes = new_scene("x", label, np.where(label == 1, 9, 5).astype(np.int32), classes)
    assert "several classes" in notes[0]
    for i in np.unique(scene.instance):
        assert len(np.unique(label[scene.instance == i])) == 1
    with pytest.raises(UserError, match="3x3"):
        new_scene("x", label, np.zeros((3, 3), np.int32), classes)
    with pytest.raises(UserError, match="pixels"):
        new_scene("x", np.zeros((1, MAX_SIDE + 1), np.uint8), None, classes)


def test_uploads_are_turned_as_their_orientation_says():
    upside_down = Image.Exif()
    upside_down[0x0112] = 3
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:4] = 255
    for format in ("PNG", "JPEG"):
        buffer = io.BytesIO()
        Image.fromarray(pixels[::-1, ::-1]).save(buffer, format=format, exif=upside_down)
        shown = read_photo(buffer.getvalue(), 8, 16)
        assert abs(shown.astype(int) - pixels).mean() < 8
    label = np.array([[0, 1], [2, 3]], np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(label[::-1, ::-1]).save(buffer, format="PNG", exif=upside_down)
    np.testing.assert_array_equal(read_label_png(buffer.getvalue(), CLASSES), label)


def test_transparent_photos_lie_on_white():
    hidden = np.zeros((4, 4, 4), np.uint8)
    assert (read_photo(png(hidden), 4, 4) == 255).all()


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_label_maps_of_few_bits_hold_what_is_in_the_file(bits):
    def chunk(kind, content):
        crc = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)

    values = np.array([[0, 1, 1, 0, 1, 0, 0, 1]], np.uint8) * min(2**bits - 1, 3)
    packed = np.zeros(bits, np.uint8)
    for n, value in enumerate(values[0].tolist()):
        packed[n * bits // 8] |= value << (8 - bits - n * bits % 8)
    head = struct.pack(">IIBBBBB", 8, 1, bits, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
    data += chunk(b"IDAT", zlib.compress(b"\0" + packed.tobytes())) + chunk(b"IEND", b"")
    np.testing.assert_array_equal(read_label_png(data, CLASSES), values)
