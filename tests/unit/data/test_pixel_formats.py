"""Images of any channels and depth are read as they are stored, or refused by name."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from i2ibench.data.datasets.paired_folder import PairedFolder
from i2ibench.data.datasets.shards import Shards, write_shards
from i2ibench.data.image_reading import image_size, read_samples
from i2ibench.data.pixel_formats import (
    PixelFormat,
    StatedFormat,
    find_format,
    format_in,
    read_image,
    verify_image,
)
from i2ibench.data.registered_readers import MAX_CHANNELS, reader_of
from i2ibench.data.transforms import Resize
from i2ibench.data.validation import require_valid_files, validate_files
from i2ibench.errors import UserError
from i2ibench.io.files import ending_for, write_image
from i2ibench.models.ops.images import pixels_of, tensor_of, to_levels, to_signed
from i2ibench.registry import READERS
from i2ibench.registry.contracts import Reader

SHAPES = [(1, 8), (1, 16), (3, 8), (3, 16), (2, 8), (5, 16)]


def samples(channels, bits, height=6, width=9):
    kind = np.uint8 if bits == 8 else np.uint16
    rng = np.random.default_rng(channels + bits)
    return rng.integers(0, 2**bits, (height, width, channels), kind, endpoint=False)


def saved(path, pixels):
    write_image(path, pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    return path


@pytest.mark.parametrize(("channels", "bits"), SHAPES)
def test_what_is_written_is_found_and_read_as_it_was(channels, bits, tmp_path):
    pixels = samples(channels, bits)
    path = saved(tmp_path / f"a{ending_for(channels)}", pixels)
    found = find_format([path], StatedFormat())
    assert found == PixelFormat(channels, bits)
    read = read_image(path, found)
    assert np.array_equal(read, pixels) and read.dtype == pixels.dtype
    assert verify_image(path, found) == image_size(path) == (6, 9)


@pytest.mark.parametrize(("channels", "bits"), SHAPES)
def test_every_level_survives_training_range_and_file(channels, bits):
    levels = torch.arange(2**bits)[None, None].expand(channels, -1, -1)
    image = levels.to(torch.uint8 if bits == 8 else torch.int32)
    signed = to_signed(image)
    assert signed.min() == -1 and signed.max() == 1
    assert torch.equal(to_levels(signed, bits), image)
    pixels = pixels_of(image)
    whole = pixels[..., None] if pixels.ndim == 2 else pixels
    assert torch.equal(tensor_of(whole), image)


def test_pages_of_a_tiff_are_channels(tmp_path):
    pixels = samples(4, 16)
    pages = [Image.fromarray(pixels[..., page]) for page in range(4)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    found = find_format([tmp_path / "a.tif"], StatedFormat())
    assert found == PixelFormat(4, 16)
    assert np.array_equal(read_image(tmp_path / "a.tif", found), pixels)
    with pytest.raises(UserError, match=r"a\.tif has 4 channels of 16 bits"):
        read_image(tmp_path / "a.tif")


def test_three_pages_of_8_bits_are_three_channels(tmp_path):
    pixels = samples(3, 8)
    pages = [Image.fromarray(pixels[..., page]) for page in range(3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    assert np.array_equal(read_image(tmp_path / "a.tif"), pixels)
    assert verify_image(tmp_path / "a.tif") == (6, 9)


def test_rgba_lies_on_white_unless_four_channels_are_stated(tmp_path):
    pixels = np.full((4, 5, 4), [10, 20, 30, 0], np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert find_format([tmp_path / "a.png"], StatedFormat()).is_rgb
    assert (read_image(tmp_path / "a.png") == 255).all()
    stated = find_format([tmp_path / "a.png"], StatedFormat(channels=4))
    assert np.array_equal(read_image(tmp_path / "a.png", stated), pixels)


def test_grey_is_rgb_where_others_are_in_colour_or_it_is_a_source(tmp_path):
    grey = saved(tmp_path / "a.png", samples(1, 8))
    colour = saved(tmp_path / "b.png", samples(3, 8))
    assert find_format([grey, colour], StatedFormat()).is_rgb
    assert find_format([grey], StatedFormat(), grey_is_rgb=True).is_rgb
    assert np.array_equal(read_image(grey), samples(1, 8).repeat(3, 2))


@pytest.mark.parametrize("other", [(1, 8), (3, 16), (2, 16)])
def test_a_mix_is_refused_with_both_files_named(other, tmp_path):
    one = saved(tmp_path / "a.png", samples(1, 16))
    two = saved(tmp_path / f"b{ending_for(other[0])}", samples(*other))
    with pytest.raises(UserError, match=f"{one.name} has .* and .*{two.name} has"):
        find_format([one, two], StatedFormat())


@pytest.mark.parametrize(
    ("own", "other"), [((1, 16), (1, 8)), ((1, 8), (1, 16)), ((3, 8), (3, 16))]
)
def test_a_file_unlike_the_others_is_refused_with_one_of_them(own, other, tmp_path):
    first = saved(tmp_path / "first.png", samples(*own))
    odd = saved(tmp_path / "odd.png", samples(*other))
    found = find_format([first], StatedFormat())
    for use in (read_image, verify_image):
        with pytest.raises(UserError, match=r"odd\.png has .*first\.png"):
            use(odd, found)


@pytest.mark.parametrize(
    "stated",
    [StatedFormat(0), StatedFormat(True), StatedFormat(MAX_CHANNELS + 1), StatedFormat(1, 12)],
)
def test_an_impossible_format_is_refused(stated):
    with pytest.raises(UserError, match="image_(channels|depth) is"):
        find_format([], stated)


def hostile_arrays():
    whole = io.BytesIO()
    np.save(whole, np.zeros((3, 4), np.uint16))
    text = whole.getvalue()
    objects = io.BytesIO()
    np.save(objects, np.array([[print]], object), allow_pickle=True)
    floats = io.BytesIO()
    np.save(floats, np.zeros((3, 4), np.float32))
    line = io.BytesIO()
    np.save(line, np.zeros(4, np.uint8))
    return {
        "cut off": text[:-1],
        "is cut off": text[:20],
        "no array": b"PK\3\4" + text,
        "holds object": objects.getvalue(),
        "holds float32 values": floats.getvalue(),
        "of shape": line.getvalue(),
        "are not as many": text.replace(b"(3, 4)", b"(9, 9)"),
        "broken or no image": text.replace(b"(3, 4)", b"9**999"),
        "89478485 pixels": text.replace(b"(3, 4), }  ", b"(0, 4), }  ")[:128],
    }


def test_an_array_of_either_byte_order_holds_the_same_numbers(tmp_path):
    levels = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000
    for order in "<>":
        np.save(tmp_path / "a.npy", levels.astype(f"{order}u2"))
        read = read_samples(tmp_path / "a.npy")
        assert read.dtype == np.uint16 and np.array_equal(read[..., 0], levels)


@pytest.mark.parametrize("message", hostile_arrays())
def test_an_array_that_is_none_is_refused_by_name(message, tmp_path):
    (tmp_path / "a.npy").write_bytes(hostile_arrays()[message])
    with pytest.raises(UserError, match=rf"a\.npy .*{message}"):
        read_samples(tmp_path / "a.npy")


def test_samples_of_16_bits_are_resized_channel_by_channel():
    ramp = np.linspace(0, 65535, 12).round().astype(np.uint16)[None].repeat(8, 0)
    arrays = {"image": np.stack([ramp, 65535 - ramp], -1), "rng": None}
    small = Resize(6, 4)(arrays)["image"]
    assert small.shape == (4, 6, 2) and small.dtype == np.uint16
    assert (np.diff(small[0, :, 0].astype(int)) > 0).all()
    assert np.abs(small.astype(int).sum(-1) - 65535).max() <= 1


@pytest.fixture
def depth_root(tmp_path):
    for split in ("train", "val"):
        for number in range(3):
            saved(tmp_path / split / "source" / f"{number}.png", samples(3, 8))
            saved(tmp_path / split / "image" / f"{number}.png", samples(1, 16))
    return tmp_path


def opened(root, **options):
    folders = {"label_dir": None, "instance_dir": None, "source_dir": "{split}/source"}
    return PairedFolder(str(root), **folders, **options)


def test_a_data_set_says_its_channels_and_depth_and_keeps_both(depth_root, tmp_path):
    data = opened(depth_root)
    assert data.metainfo["image_channels"] == 1 and data.metainfo["image_depth"] == 16
    assert format_in(data.metainfo) == PixelFormat(1, 16) and format_in({}).is_rgb
    image = data[1]["image"]
    assert image.dtype == torch.int32 and image.shape == (1, 6, 9)
    assert np.array_equal(image.permute(1, 2, 0), samples(1, 16))
    data.scenes.cache_folder = tmp_path / "cache"
    data.scenes.open_cache()
    write_shards(data, tmp_path / "shards", "train", 10**6)
    shards = Shards(str(tmp_path / "shards"), "train")
    assert shards.metainfo["image_depth"] == 16
    for other in (data, shards):
        assert torch.equal(other[1]["image"], image)
    require_valid_files(data.scenes)


def test_a_stated_depth_that_files_do_not_have_is_refused(depth_root):
    with pytest.raises(UserError, match="more than 8 bits.*image_channels= and image_depth="):
        opened(depth_root, image_channels=1, image_depth=8)[0]
    odd = saved(depth_root / "train" / "image" / "2.png", samples(1, 8))
    with pytest.raises(UserError, match=r"0\.png has 16 bits and .*2\.png has 8"):
        opened(depth_root)
    faults = validate_files(opened(depth_root, image_depth=16).scenes).faults
    assert len(faults) == 1 and str(odd) in faults[0] and "0.png" in faults[0]


@pytest.fixture
def plain_text(monkeypatch):
    class PlainText(Reader):
        suffixes = (".levels",)

        def read(self, data, place):
            return np.loadtxt(io.BytesIO(data), dtype=np.uint16, ndmin=2)

    READERS.names()
    monkeypatch.setitem(READERS.module_dict, "PlainText", PlainText)


def test_a_reader_of_a_plugin_serves_a_data_set(depth_root, plain_text):
    for split in ("train", "val"):
        for path in (depth_root / split / "image").iterdir():
            np.savetxt(path.with_suffix(".levels"), samples(1, 16)[..., 0], fmt="%d")
            path.unlink()
    data = opened(depth_root)
    assert data.metainfo["image_depth"] == 16
    assert np.array_equal(data[0]["image"][0], samples(1, 16)[..., 0])
    (depth_root / "train" / "image" / "1.levels").write_text("no numbers")
    with pytest.raises(UserError, match=r"1\.levels is broken or no image"):
        data[1]


def test_pillows_images_have_no_other_reader(tmp_path):
    assert reader_of(tmp_path / "a.PNG") is None and reader_of(tmp_path / "a.NPY") is not None
