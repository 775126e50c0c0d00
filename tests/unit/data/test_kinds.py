"""A kind of data that a plugin adds is read, transformed, cached, sharded and made a condition."""

import shutil

import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from i2ibench.data.datasets.paired_folder import PairedFolder
from i2ibench.data.datasets.shards import Shards, write_shards
from i2ibench.data.kinds import KINDS, Kind, register_kind
from i2ibench.data.maps import read_instance
from i2ibench.data.scene_search import find_inputs
from i2ibench.data.survey import survey
from i2ibench.data.validation import require_valid_files
from i2ibench.errors import UserError
from i2ibench.models.translators.conditions import ConditionPreprocessor, without_condition
from i2ibench.testing.tiny_datasets import save, write_paired_scenes

THERMAL = Kind("thermal", "thermal images", "a thermal image", "Add thermal_dir")
ROOMS = Kind(
    "rooms", "maps of rooms", "a map of rooms", "Draw it", lambda path, _: read_instance(path), True
)


@pytest.fixture
def kinds(monkeypatch):
    for kind in (THERMAL, ROOMS):
        monkeypatch.setitem(KINDS, kind.name, kind)


@pytest.fixture
def root(tmp_path, kinds):
    root = write_paired_scenes(tmp_path / "data", count=2)
    for split in ("train", "val"):
        for path in sorted((root / split / "image").iterdir()):
            (root / split / "thermal").mkdir(exist_ok=True)
            shutil.copy(path, root / split / "thermal" / path.name)
            rooms = np.repeat(np.uint16([[300, 70]]), 32, 0).repeat(32, 1)
            save(root / split / "rooms" / path.name, rooms)
    return root


def opened(root, **options):
    others = {"thermal": "{split}/thermal", "rooms": "{split}/rooms"}
    return PairedFolder(str(root), other_dirs=others, **options)


def test_a_kind_of_a_plugin_is_in_the_sample_after_the_transforms(root):
    resize = {"type": "Resize", "width": 30, "height": 20}
    sample = opened(root, transforms=[resize])[0]
    assert torch.equal(sample["thermal"], sample["image"])
    assert sample["rooms"].dtype == torch.int32 and sample["rooms"].unique().tolist() == [70, 300]
    assert sample["rooms"].shape == (1, 20, 30)


def test_a_cache_and_shards_keep_it(root, tmp_path):
    plain = opened(root)
    cached = opened(root)
    cached.scenes.cache_folder = tmp_path / "cache"
    cached.scenes.open_cache()
    write_shards(plain, tmp_path / "shards", "train", 10**6)
    for other in (cached, Shards(str(tmp_path / "shards"), "train")):
        assert plain[1].keys() == other[1].keys()
        assert all(torch.equal(plain[1][kind], other[1][kind]) for kind in ("thermal", "rooms"))


def test_checks_and_surveys_read_it(root):
    (root / "train" / "rooms" / "s1.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"rooms/s1\.png"):
        require_valid_files(opened(root).scenes)
    faults = survey(opened(root).scenes)[1].faults
    assert list(faults) == ["rooms"]


def test_a_condition_names_it(root):
    preprocessor = ConditionPreprocessor(["labels", "thermal", "rooms"], num_classes=4)
    assert preprocessor.needs == ("label", "thermal", "rooms")
    data = default_collate([opened(root)[0]])
    batch = preprocessor(data)
    assert batch["condition"].shape == (1, 4 + 3 + 1, 32, 64)
    assert torch.equal(batch["condition"][:, 4:7], batch["real"])
    assert batch["condition"][0, 7, 0].nonzero().flatten().tolist() == [31, 32]
    assert {"thermal", "rooms", "label"} <= without_condition(preprocessor, data).keys()
    with pytest.raises(UserError, match="no thermal images.*Add thermal_dir"):
        preprocessor(default_collate([PairedFolder(str(root))[0]]))
    with pytest.raises(UserError, match="No condition 'thermic'. Did you mean 'thermal'"):
        ConditionPreprocessor(["thermic"])


def test_translate_looks_for_it_in_the_folder_of_its_name(root):
    found = find_inputs(root / "val", ("thermal", "rooms"))
    assert list(found[0].paths) == ["instance", "image", "thermal", "rooms"]
    assert found[0].input.parent.name == "thermal"


@pytest.mark.parametrize("name", ["label", "condition", "edges", "../x"])
def test_a_name_that_is_taken_or_impossible_is_refused(name):
    before = dict(KINDS)
    with pytest.raises(UserError):
        register_kind(Kind(name, "others", "another", "None"))
    assert before == KINDS


def test_a_folder_of_an_unknown_kind_is_refused_with_the_near_match(root):
    with pytest.raises(UserError, match="No kind of data 'termal'.* 'thermal'"):
        PairedFolder(str(root), other_dirs={"termal": "{split}/thermal"})
