"""Two towns with files of equal names are two scenes everywhere: the path is the identity."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from PIL import Image

from i2ibench.data.classes import CITYSCAPES_CLASSES
from i2ibench.data.datasets.cityscapes import Cityscapes
from i2ibench.data.datasets.paired_folder import PairedFolder
from i2ibench.data.datasets.shards import Shards, write_shards
from i2ibench.data.scene_search import find_inputs
from i2ibench.evaluation.image_sources import pair_images
from i2ibench.inference.checkpoints import open_checkpoint
from i2ibench.inference.translation import translate
from i2ibench.models.translators.build import build_translator
from i2ibench.testing.tiny_datasets import save

TOWNS = {"aachen": 7, "bonn": 23}


def write_official(root: Path) -> Path:
    for town, value in TOWNS.items():
        label = np.full((32, 64), value, np.uint8)
        place = root / "gtFine/val" / town
        save(place / "x_gtFine_labelIds.png", label)
        save(place / "x_gtFine_instanceIds.png", label.astype(np.uint16))
        photo = np.full((32, 64, 3), 9 * value, np.uint8)
        save(root / "leftImg8bit/val" / town / "x_leftImg8bit.png", photo)
    return root


def write_own(root: Path) -> Path:
    for town, value in TOWNS.items():
        save(root / "val/label" / town / "x.png", np.full((32, 64), value % 2, np.uint8))
        save(root / "val/image" / town / "x.png", np.full((32, 64, 3), 9 * value, np.uint8))
    (root / "classes.json").write_text(json.dumps(["sky", "road"]))
    return root


@pytest.fixture(params=["official", "own"])
def dataset(request, tmp_path):
    if request.param == "official":
        return Cityscapes(str(write_official(tmp_path / "data")), "val")
    return PairedFolder(str(write_own(tmp_path / "data")), "val", instance_dir=None)


def test_a_data_set_has_both_and_shards_keep_them(dataset, tmp_path):
    assert [files.name for files in dataset.scenes.files] == ["aachen/x", "bonn/x"]
    (tmp_path / "shards").mkdir()
    write_shards(dataset, tmp_path / "shards", "val", 10_000)
    again = Shards(str(tmp_path / "shards"), "val")
    for index in range(2):
        assert again[index]["name"] == dataset[index]["name"]
        assert torch.equal(again[index]["image"], dataset[index]["image"])


def test_each_image_belongs_to_its_own_town(dataset):
    names = [files.name for files in dataset.scenes.files]
    folder = {f"{town}/x": Path(f"{town}/x.png") for town in TOWNS}
    assert pair_images(names, folder) == {n: [folder[n]] for n in names}
    assert pair_images(names, {"bonn/x": Path("b")}) == {"bonn/x": [Path("b")]}
    assert pair_images(names, {"x": Path("x")}) == {}, "it could be of either town"


def test_a_towns_image_is_not_taken_for_another_towns_scene():
    names = ["aachen/x", "bonn/y"]
    assert pair_images(names, {"bonn/x": Path("b")}) == {}
    assert pair_images(names, {"images/x": Path("i")}) == {"aachen/x": [Path("i")]}


def test_translate_paints_both(tmp_path):
    root = write_official(tmp_path / "data")
    generator = {"type": "CoarseToFineGenerator", "base_channels": 4, "num_downsamplings": 1,
                 "num_blocks": 1, "num_enhancers": 0}  # fmt: skip
    config = ConfigDict(
        model={"type": "PairedTranslator", "generator": generator},
        data_preprocessor={"type": "LabelPreprocessor"},
    )
    info = CITYSCAPES_CLASSES.metainfo("Cityscapes")
    meta = {"dataset_meta": info, "epoch": 1}
    state = build_translator(config, info).state_dict()
    saved = {"config": json.dumps(config.to_dict()), "meta": meta, "state_dict": state}
    torch.save(saved, tmp_path / "c.pth")
    inputs = root / "gtFine/val"
    assert [files.name for files in find_inputs(inputs)] == ["aachen/x", "bonn/x"]
    paths = translate(open_checkpoint(tmp_path / "c.pth"), inputs, tmp_path / "out")
    assert [path.relative_to(tmp_path / "out").as_posix() for path in paths] == [
        "aachen/x.png",
        "bonn/x.png",
    ]
    one, two = (np.array(Image.open(path)) for path in paths)
    assert not np.array_equal(one, two)
