"""Pairs and photos of 16 bits are prepared and read back without loss."""

import numpy as np
import pytest

from i2ibench.data.datasets.paired_folder import PairedFolder
from i2ibench.data.pixel_formats import format_in
from i2ibench.data.prepare.catalogue import prepare
from i2ibench.io.files import write_image


def image(seed, channels, width=16):
    shape = (8, width) if channels == 1 else (8, width, channels)
    return np.random.default_rng(seed).integers(300, 65536, shape, np.uint16)


def opened(target, split):
    return PairedFolder(
        str(target), split, label_dir=None, instance_dir=None, source_dir="{split}/source"
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_halves_of_16_bits_stay_so(channels, tmp_path):
    whole = {split: image(n, channels, 32) for n, split in enumerate(("train", "val"))}
    for split, pixels in whole.items():
        write_image(tmp_path / "source" / split / "a.png", pixels)
    prepare("pairs", tmp_path / "source", tmp_path / "target", {})
    for split, pixels in whole.items():
        data = opened(tmp_path / "target", split)
        assert (format_in(data.metainfo).channels, format_in(data.metainfo).bits) == (channels, 16)
        sample = data[0]
        both = np.concatenate([sample["source"], sample["image"]], 2).transpose(1, 2, 0)
        assert np.array_equal(both, pixels.reshape(8, 32, channels))


def test_edges_of_photos_of_16_bits_are_found_and_the_photos_linked(tmp_path):
    for split in ("train", "val"):
        write_image(tmp_path / "source" / split / "a.png", image(0, 1))
    prepare("edges", tmp_path / "source", tmp_path / "target", {})
    sample = opened(tmp_path / "target", "train")[0]
    assert np.array_equal(sample["image"][0], image(0, 1))
    assert sample["source"].shape == (3, 8, 16) and sample["source"].unique().numel() > 1
