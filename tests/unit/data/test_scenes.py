"""Reading scenes: exact ids, clear errors."""

import contextlib
import json

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from i2ibench.data.classes import CITYSCAPES_CLASSES, FIELDS, VOID, class_table
from i2ibench.data.image_reading import read_map, read_rgb
from i2ibench.data.maps import read_instance, read_label
from i2ibench.data.scenes import SceneFiles, Scenes
from i2ibench.data.validation import validate_files
from i2ibench.errors import UserError
from i2ibench.testing.tiny_datasets import save

TABLE = class_table(["sky", "road"])


def test_sixteen_bit_instances_are_read_exactly(tmp_path):
    ids = np.array([[0, 255, 256], [24001, 33002, 65535]], np.uint16)
    save(tmp_path / "i.png", ids)
    read = read_instance(tmp_path / "i.png")
    assert read.dtype == np.int32 and np.array_equal(read, ids)


def test_eight_bit_instances_are_read_exactly(tmp_path):
    ids = np.array([[0, 1, 254]], np.uint8)
    save(tmp_path / "i.png", ids)
    assert np.array_equal(read_instance(tmp_path / "i.png"), ids)


def test_an_eight_bit_instance_map_that_ran_out_of_ids_is_refused(tmp_path):
    save(tmp_path / "i.png", np.arange(256, dtype=np.uint8).reshape(16, 16))
    with pytest.raises(UserError, match="16-bit PNG"):
        read_instance(tmp_path / "i.png")


def test_a_label_out_of_range_names_file_value_count_and_range(tmp_path):
    save(tmp_path / "l.png", np.array([[0, 1, 7, 7]], np.uint8))
    with pytest.raises(UserError, match=r"l\.png has the value 7 at 2 of 4 pixels.* ids 0\.\.1"):
        read_label(tmp_path / "l.png", TABLE)


def test_a_label_above_255_is_out_of_range_too(tmp_path):
    save(tmp_path / "l.png", np.array([[0, 256]], np.uint16))
    with pytest.raises(UserError, match="value 256"):
        read_label(tmp_path / "l.png", TABLE)


def test_a_colour_label_map_is_refused(tmp_path):
    save(tmp_path / "l.png", np.full((2, 2, 3), (0, 0, 1), np.uint8))
    with pytest.raises(UserError, match="colour image"):
        read_label(tmp_path / "l.png", TABLE)


def test_a_palette_png_is_read_by_its_indices(tmp_path):
    image = Image.fromarray(np.array([[0, 1]], np.uint8)).convert("P")
    image.putdata([0, 1])
    image.putpalette([9, 9, 9, 200, 200, 200])
    image.save(tmp_path / "l.png")
    assert read_label(tmp_path / "l.png", TABLE).tolist() == [[0, 1]]


def test_file_values_become_channels(tmp_path):
    table = class_table([{"name": "a", "id": 0}, {"name": "b", "id": 255}])
    save(tmp_path / "l.png", np.array([[0, 255]], np.uint8))
    assert read_label(tmp_path / "l.png", table).tolist() == [[0, 1]]


@pytest.mark.parametrize(
    ("read", "dtype", "shape"),
    [(read_rgb, np.uint8, (64, 64, 3)), (read_map, np.uint8, (64, 64)),
     (read_map, np.uint16, (64, 64))],
)  # fmt: skip
def test_a_png_is_read_exactly_and_named_when_truncated_or_damaged(tmp_path, read, dtype, shape):
    path = tmp_path / "p.png"
    pixels = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype)
    save(path, pixels)
    assert np.array_equal(read(path), pixels)
    whole = bytearray(path.read_bytes())
    path.write_bytes(whole[:2000])
    with pytest.raises(UserError, match=r"p\.png is broken"):
        read(path)
    whole[len(whole) // 2] ^= 255
    path.write_bytes(whole)
    with pytest.raises(UserError, match=r"p\.png is broken"):
        read(path)


def test_files_of_different_size_are_refused(tmp_path):
    save(tmp_path / "l.png", np.zeros((4, 4), np.uint8))
    save(tmp_path / "p.png", np.zeros((4, 6, 3), np.uint8))
    files = [SceneFiles("s", {"label": tmp_path / "l.png", "image": tmp_path / "p.png"})]
    with pytest.raises(UserError, match="label 4x4, image 6x4"):
        Scenes(files, TABLE).read(0)


def test_all_faults_are_found_in_one_pass(tmp_path):
    save(tmp_path / "good.png", np.zeros((2, 2), np.uint8))
    save(tmp_path / "bad.png", np.full((2, 2), 9, np.uint8))
    names = ("good", "bad", "missing")
    scenes = Scenes([SceneFiles(n, {"label": tmp_path / f"{n}.png"}) for n in names], TABLE)
    faults = validate_files(scenes).faults
    assert len(faults) == 2 and "bad.png" in faults[0] and "missing.png" in faults[1]


def test_cityscapes_scores_its_nineteen_classes_in_train_id_order():
    info = CITYSCAPES_CLASSES.metainfo("Cityscapes")
    assert len(info["classes"]) == 35 and len(info["scored_classes"]) == 19
    ids = {7: 0, 8: 1, 11: 2, 12: 3, 13: 4, 17: 5, 19: 6, 20: 7, 21: 8, 22: 9, 23: 10, 24: 11}
    ids |= {25: 12, 26: 13, 27: 14, 28: 15, 31: 16, 32: 17, 33: 18}
    assert info["scored_ids"] == [ids.get(i, VOID) for i in range(35)]


def test_the_entries_of_classes_make_the_same_table_also_through_json():
    entries = json.loads(json.dumps([c.entry() for c in CITYSCAPES_CLASSES.classes]))
    assert class_table(entries) == CITYSCAPES_CLASSES
    assert list(entries[0]) == list(FIELDS)


def test_duplicate_classes_are_refused():
    with pytest.raises(UserError, match="distinct"):
        class_table(["a", "a"])
    with pytest.raises(UserError, match="distinct"):
        class_table([{"name": "a", "id": 1}, "b"])


@pytest.mark.parametrize(
    "extra", [{}, {"gamma": 0.2}, {"icc_profile": b"profile"}, {"dpi": (9, 9)}]
)
def test_a_png_is_read_upright_with_the_pixels_that_pil_reads(tmp_path, extra):
    pixels = np.random.default_rng(0).integers(0, 256, (30, 41, 3), np.uint8)
    about = PngInfo()
    if gamma := extra.pop("gamma", None):
        about.add(b"gAMA", int(gamma * 1e5).to_bytes(4, "big"))
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side, its top at the right
    Image.fromarray(pixels).save(tmp_path / "p.png", pnginfo=about, exif=exif, **extra)
    assert np.array_equal(read_rgb(tmp_path / "p.png"), np.rot90(pixels, -1))


def test_a_png_is_refused_wherever_a_bit_is_wrong_that_pil_refuses(tmp_path):
    path = tmp_path / "p.png"
    save(path, np.random.default_rng(0).integers(0, 255, (16, 16, 3), np.uint8))
    whole = path.read_bytes()
    for place in range(8, len(whole), 11):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        try:
            expected = np.array(Image.open(path).convert("RGB"))
        except Exception:
            with pytest.raises(UserError):
                read_rgb(path)
        else:  # OpenCV checks more; what it lets through are the right pixels
            with contextlib.suppress(UserError):
                assert np.array_equal(read_rgb(path), expected)
