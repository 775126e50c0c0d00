"""The released pix2pixHD's layout: folders by kind, paired by name, refused where that fails."""

import json

import numpy as np
import pytest

from i2ibench.data.datasets.pix2pixhd_folder import Pix2PixHDFolder
from i2ibench.data.loaders import build_dataset
from i2ibench.data.scene_search import find_inputs
from i2ibench.errors import UserError
from i2ibench.testing.tiny_datasets import save
from tests.official_files import name_classes, write_scenes

NAMES = ["aachen_000000_000019", "bochum_000001_000313"]


@pytest.fixture
def root(tmp_path):
    return write_scenes(tmp_path / "data")


def names(scenes):
    return [scene.name for scene in scenes]


def test_cityscapes_files_are_paired_without_their_endings(root):
    dataset = build_dataset({"dataset": {"type": "Pix2PixHDFolder"}}, str(root))
    assert names(dataset.scenes.files) == NAMES
    sample = dataset[1]
    assert sample["label"].shape == (1, 32, 64) and sample["image"].shape == (3, 32, 64)
    assert sample["label"].unique().tolist() == [7, 23, 26]
    assert sample["instance"].unique().tolist() == [7, 23, 26001]
    assert dataset.metainfo["classes"][26] == "car" and len(dataset.metainfo["classes"]) == 35


def test_files_of_equal_names_are_paired_too(tmp_path):
    for part, value in (("label", 1), ("inst", 1000)):
        save(tmp_path / f"train_{part}" / "a.png", np.full((4, 6), value, np.uint16))
    save(tmp_path / "train_img" / "a.jpg", np.zeros((4, 6, 3), np.uint8))
    dataset = Pix2PixHDFolder(str(tmp_path), label_nc=3)
    assert names(dataset.scenes.files) == ["a"]
    assert dataset.metainfo["classes"] == ["class 0", "class 1", "class 2"]


def test_scenes_are_never_paired_by_their_order(root):
    """The released code would give the second label map the photo of the first scene."""
    (root / "train_img" / f"{NAMES[0]}_leftImg8bit.png").unlink()
    with pytest.raises(UserError, match=r"same name in .*train_img for .*000019_gtFine"):
        Pix2PixHDFolder(str(root))
    assert len(Pix2PixHDFolder(str(root), photos=False)) == 2
    photo = root / "train_img" / f"{NAMES[1]}_leftImg8bit.png"
    photo.rename(photo.with_name("other_leftImg8bit.png"))
    with pytest.raises(UserError, match="pairs them by their order"):
        Pix2PixHDFolder(str(root))


def test_two_files_of_one_scene_are_refused(root):
    folder = root / "train_label"
    (folder / f"{NAMES[0]}.png").write_bytes(
        (folder / f"{NAMES[0]}_gtFine_labelIds.png").read_bytes()
    )
    with pytest.raises(UserError, match="would be the same scene"):
        Pix2PixHDFolder(str(root))


def test_the_coding_that_a_files_name_states_is_read(root):
    """Train id 13 is the car, whose label id is 26."""
    for path in list((root / "train_label").iterdir()):
        save(path, np.full((32, 64), 13, np.uint8))
        path.rename(path.with_name(path.name.replace("labelIds", "labelTrainIds")))
    assert Pix2PixHDFolder(str(root))[0]["label"].unique().tolist() == [26]


def test_maps_in_colour_are_refused_by_their_names(root):
    for path in list((root / "train_label").iterdir()):
        path.rename(path.with_name(path.name.replace("labelIds", "color")))
    with pytest.raises(UserError, match="holds colours, as its name says"):
        Pix2PixHDFolder(str(root))


def test_instance_ids_that_count_objects_are_told(root):
    """Object 26 of such a map is a car of its own, not what belongs to no single car."""
    for path in (root / "train_inst").iterdir():
        save(path, np.where(np.arange(64) < 32, 1, 26).astype(np.uint16)[None].repeat(32, 0))
        save(root / "train_label" / path.name.replace("instance", "label"),
             np.full((32, 64), 26, np.uint8))  # fmt: skip
    found = Pix2PixHDFolder(str(root))[0]["instance"].unique().tolist()
    assert len(found) == 2 and 26 not in found
    plain = Pix2PixHDFolder(str(root), instance_ids="classes")[0]["instance"]
    assert plain.unique().tolist() == [1, 26]


def test_grey_photos_are_told(root):
    for path in (root / "train_img").iterdir():
        save(path, np.full((32, 64), 99, np.uint8))
    assert Pix2PixHDFolder(str(root)).metainfo["image_channels"] == 1
    assert Pix2PixHDFolder(str(root), image_channels=3).metainfo["image_channels"] == 3


def test_data_without_instances_or_labels(root):
    for path in (root / "train_inst").iterdir():
        path.unlink()
    (root / "train_inst").rmdir()
    with pytest.raises(UserError, match=r"train_inst does not exist.*instances=False"):
        Pix2PixHDFolder(str(root))
    assert "instance" not in Pix2PixHDFolder(str(root), instances=False)[0]
    images = Pix2PixHDFolder(str(root), label_nc=0)
    assert images[0].keys() >= {"source", "image"} and "label" not in images[0]


def test_a_class_list_names_the_labels_in_the_order_of_their_ids(root):
    name_classes(root, 30)
    dataset = Pix2PixHDFolder(str(root))
    assert len(dataset.metainfo["classes"]) == 30 and dataset.metainfo["thing_ids"] == {"1": 1}
    with pytest.raises(UserError, match=r"has 31 labels, whose ids are 0 to 30"):
        Pix2PixHDFolder(str(root), label_nc=31)
    gaps = [{"name": "a", "id": 7}, {"name": "b", "id": 23}, {"name": "c", "id": 26}]
    (root / "classes.json").write_text(json.dumps(gaps))
    with pytest.raises(UserError, match="a file's value is the label's channel"):
        Pix2PixHDFolder(str(root))


def test_a_label_beyond_label_nc_is_refused(root):
    dataset = Pix2PixHDFolder(str(root), label_nc=10)
    with pytest.raises(UserError, match="the value 23"):
        dataset[0]


def test_translate_finds_the_test_scenes(root, capsys):
    found = find_inputs(root, ["label", "instance"])
    assert names(found) == NAMES
    assert all("test_" in str(f.label) and f.instance and f.image for f in found)
    assert "test is taken" in capsys.readouterr().err
    found = find_inputs(root / "train_label", ["label", "instance"])
    assert all("train_inst" in str(f.instance) for f in found)
    sources = find_inputs(root, ["source"])
    assert all("test_A" in str(f.paths["source"]) and "test_B" in str(f.image) for f in sources)


def test_translate_asks_which_split_is_meant_where_none_is_called_test(root):
    for part in ("label", "inst", "img"):
        (root / f"test_{part}").rename(root / f"val_{part}")
    with pytest.raises(UserError, match=r"several splits; name one of .*train_label, .*val_label"):
        find_inputs(root, ["label"])


def test_precomputed_features_are_not_read_and_that_is_said(root, capsys):
    (root / "train_feat").mkdir()
    Pix2PixHDFolder(str(root))
    assert "train_feat is not read" in " ".join(capsys.readouterr().err.split())
