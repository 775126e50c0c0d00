"""Cityscapes: the official layout, and errors that name what is missing."""

import json

import pytest

from i2ibench.data.datasets import Cityscapes
from i2ibench.errors import UserError
from i2ibench.testing.tiny_datasets import write_cityscapes


def test_cityscapes_reads_the_official_layout(tmp_path):
    dataset = Cityscapes(str(write_cityscapes(tmp_path)))
    assert [f.name for f in dataset.scenes.files] == [
        "aachen_000000_000019", "bochum_000000_000313"
    ]  # fmt: skip
    sample = dataset[1]
    assert sample["label"].unique().tolist() == [26]
    assert sample["instance"].unique().tolist() == [26001]
    assert len(dataset.metainfo["classes"]) == 35
    json.dumps(dataset.metainfo)


def test_missing_cityscapes_says_what_to_download_where(tmp_path):
    with pytest.raises(UserError, match=r"leftImg8bit_trainvaltest\.zip.*CITYSCAPES_ROOT"):
        Cityscapes(str(tmp_path / "cs"))


def test_a_missing_instance_map_is_named(tmp_path):
    root = write_cityscapes(tmp_path)
    next(root.rglob("aachen*_instanceIds.png")).unlink()
    with pytest.raises(UserError, match="aachen_000000_000019_gtFine_instanceIds.png"):
        Cityscapes(str(root))
