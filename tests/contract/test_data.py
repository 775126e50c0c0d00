"""Every registered data set, transform and preprocessor keeps its promises."""

import json

import numpy as np
import pytest
import torch

from i2ibench.errors import UserError
from i2ibench.registry import DATASETS, PREPROCESSORS, TRANSFORMS
from tests.conftest import save
from tests.contract.cases import config
from tests.unit.datasets.test_datasets import make_cityscapes


@pytest.fixture(scope="module")
def toystreet_root(tmp_path_factory):
    return tmp_path_factory.mktemp("toystreet")


def make_camvid(root):
    for split in ("train", "val"):
        save(root / split / "0001TP.png", np.zeros((6, 8, 3), np.uint8))
        save(root / f"{split}annot" / "0001TP.png", np.full((6, 8), 11, np.uint8))
    return root


@pytest.fixture
def built(request, tmp_path, paired_root, toystreet_root):
    sources = {
        "PairedFolder": dict(root=str(paired_root)),
        "Cityscapes": dict(root=str(make_cityscapes(tmp_path / "cs"))),
        "CamVid": dict(root=str(make_camvid(tmp_path / "camvid"))),
        "ToyStreet": dict(root=str(toystreet_root), num_scenes=2, width=64, height=32),
    }
    return DATASETS.build({"type": request.param, **sources[request.param]})


@pytest.mark.parametrize("built", DATASETS.names(), indirect=True)
def test_a_data_set_yields_compact_integers_of_one_size(built):
    sample = built[0]
    size = sample["label"].shape[-2:]
    assert sample["label"].dtype == torch.uint8 and sample["label"].shape == (1, *size)
    if "instance" in sample:
        assert sample["instance"].dtype == torch.int32 and sample["instance"].shape == (1, *size)
    assert sample["image"].dtype == torch.uint8 and sample["image"].shape == (3, *size)
    assert sample["label"].max() < len(built.metainfo["classes"])
    with pytest.raises(IndexError):
        built[len(built)]


@pytest.mark.parametrize("built", DATASETS.names(), indirect=True)
def test_a_data_set_gives_the_same_from_a_cache(built, tmp_path):
    before = built[0]
    built.scenes.cache_folder = tmp_path / "cache"
    built.scenes.open_cache()
    after = built[0]
    assert before.keys() == after.keys() and before.pop("name") == after.pop("name")
    assert all(torch.equal(before[kind], after[kind]) for kind in before)
    assert len(list((tmp_path / "cache").glob("*.scenes"))) == 1


@pytest.mark.parametrize("built", DATASETS.names(), indirect=True)
def test_a_data_set_tells_its_classes_in_plain_json(built):
    info = json.loads(json.dumps(built.metainfo))
    count = len(info["classes"])
    assert len(info["palette"]) == len(info["ids"]) == len(info["scored_ids"]) == count
    rows = [row for row in info["scored_ids"] if row != 255]
    assert sorted(rows) == list(range(len(info["scored_classes"])))


@pytest.mark.parametrize("name", TRANSFORMS.names())
def test_a_transform_treats_label_instance_and_photo_alike(name):
    label = np.kron(np.arange(40, dtype=np.uint8).reshape(5, 8), np.ones((8, 8), np.uint8))
    arrays = {
        "label": label,
        "instance": label.astype(np.int32) + 70000,
        "image": np.repeat(label[..., None], 3, 2),
        "source": np.repeat(label[..., None], 3, 2),
        "rng": np.random.default_rng(0),
    }
    after = TRANSFORMS.build(config(name))(dict(arrays))
    assert np.array_equal(after["instance"], after["label"].astype(np.int32) + 70000)
    assert np.array_equal(after["image"], after["source"])
    assert after["image"].shape == (*after["label"].shape, 3)
    # Bicubic photos agree with nearest labels except next to an edge between two blocks.
    near = np.abs(after["image"][..., 0].astype(int) - after["label"]) <= 1
    assert near.mean() > 0.5


@pytest.mark.parametrize("name", PREPROCESSORS.names())
def test_a_preprocessor_gives_as_many_channels_as_it_says(name):
    facts = {"num_classes": 5, "palette": [[10 * c] * 3 for c in range(5)]}
    preprocessor = PREPROCESSORS.build_for(config(name), facts)
    label = torch.randint(0, 5, (2, 1, 8, 9), dtype=torch.uint8)
    image = torch.randint(0, 255, (2, 3, 8, 9), dtype=torch.uint8)
    data = {"name": ["a", "b"], "label": label, "instance": label.int(), "image": image}
    data["source"] = image
    batch = preprocessor(data)
    for kind in preprocessor.needs:
        with pytest.raises(UserError, match="The data has no"):
            preprocessor({k: v for k, v in data.items() if k != kind})
    assert batch["condition"].shape == (2, preprocessor.condition_channels, 8, 9)
    assert batch["condition"].dtype == torch.float32
    assert batch["real"].min() >= -1 and batch["real"].max() <= 1
    assert batch["names"] == ["a", "b"]
