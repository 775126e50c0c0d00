"""Transforms act alike on label map, instance map and photo, and resample as PIL does."""

import numpy as np
import pytest
from PIL import Image

from i2ibench.data.transforms import (
    RandomCrop,
    RandomFlip,
    Resize,
    RoundToMultiple,
    ScaleWidth,
    resize_nearest,
)
from i2ibench.errors import UserError


def arrays(height=20, width=30, seed=0):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 200, (height, width), np.uint8)
    return {
        "label": label,
        "instance": label.astype(np.int32) * 1000,
        "image": np.repeat(label[..., None], 3, 2),
        "rng": rng,
    }


@pytest.mark.parametrize("size", [(7, 5), (30, 20), (45, 33), (61, 11)])
def test_maps_are_resized_as_pil_does_nearest(size):
    label = arrays()["label"]
    expected = np.array(Image.fromarray(label).resize(size, Image.Resampling.NEAREST))
    assert np.array_equal(resize_nearest(label, *size), expected)


def test_photos_are_resized_as_pil_does_bicubic():
    before = arrays()
    after = Resize(17, 9)(dict(before))
    image = Image.fromarray(before["image"]).resize((17, 9), Image.Resampling.BICUBIC)
    assert np.array_equal(after["image"], np.array(image))
    assert after["label"].shape == after["instance"].shape == (9, 17)


@pytest.mark.parametrize("transform", [RandomCrop(11, 7), RandomFlip(0.5), RandomFlip(1.0)])
@pytest.mark.parametrize("seed", range(4))
def test_crops_and_flips_treat_the_three_alike(transform, seed):
    after = transform(arrays(seed=seed))
    assert np.array_equal(after["instance"], after["label"].astype(np.int32) * 1000)
    assert np.array_equal(after["image"][..., 1], after["label"])


def test_scale_width_keeps_the_aspect_and_rounds_the_height_down():
    assert ScaleWidth(16)(arrays())["label"].shape == (int(16 * 20 / 30), 16)


def test_round_to_multiple_takes_the_nearest_multiple():
    assert RoundToMultiple(16)(arrays())["label"].shape == (16, 32)


def test_a_crop_larger_than_the_image_is_refused():
    with pytest.raises(UserError, match="40x7 from an image of 30x20"):
        RandomCrop(40, 7)(arrays())


def test_a_crop_with_a_fill_reaches_outside_as_pil_does():
    before = arrays()  # 30 wide, 20 high
    after = RandomCrop(12, 26, fill=0)(dict(before))
    assert after["label"].shape == after["instance"].shape == (26, 12)
    assert not after["label"][20:].any() and after["label"][:20].any()
    whole = RandomCrop(30, 20, fill=0)(dict(before))
    assert np.array_equal(whole["image"], before["image"])
