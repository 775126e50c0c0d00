"""Every reader reads its publisher's format, and PairedFolder reads the prepared data."""

import json
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from i2ibench.data.datasets import PairedFolder
from i2ibench.data.prepare.catalogue import READERS, prepare
from i2ibench.data.prepare.write import count_photos
from i2ibench.data.validation import validate_files
from i2ibench.errors import UserError
from tests.unit.data.prepare import publishers


def prepared(tmp_path, name, split="val", **options):
    """Return the data set after `prepare_data NAME source target`."""
    target = tmp_path / "target"
    assert prepare(name, tmp_path / "source", target, options)
    labels = (target / "classes.json").is_file()
    instances = (target / split / "instance").is_dir()
    dataset = PairedFolder(
        str(target),
        split,
        label_dir="{split}/label" if labels else None,
        instance_dir="{split}/instance" if instances else None,
        source_dir=None if labels else "{split}/source",
    )
    assert not validate_files(dataset.scenes).faults and dataset.metainfo["dataset"] == name
    return dataset


def values(sample, dataset):
    """Return a sample's label map as class ids."""
    return np.array(dataset.metainfo["ids"])[sample["label"][0].numpy()]


def pairs_equal(instance, keys):
    """Return whether two maps tell the same objects apart."""
    both = {(int(a), int(b)) for a, b in zip(instance.ravel(), keys.ravel(), strict=True)}
    return len(both) == len({a for a, _ in both}) == len({b for _, b in both})


def test_nyuv2_has_the_official_split_the_40_classes_and_matlabs_axes(tmp_path):
    pytest.importorskip("h5py")
    images, labels, instances = publishers.nyuv2(tmp_path / "source")
    dataset = prepared(tmp_path, "nyuv2", "test", crop=False)
    assert [f.name for f in dataset.scenes.files] == ["0001", "0004"]
    sample = dataset[1]
    assert np.array_equal(sample["image"].permute(1, 2, 0).numpy(), images[..., 3])
    expected = np.array([0, *publishers.NYU_MAP])[labels[..., 3]]
    assert np.array_equal(values(sample, dataset), expected)
    info = dataset.metainfo
    assert info["classes"] == ["unlabeled", *publishers.NYU_40]
    assert info["scored_classes"] == publishers.NYU_40
    assert sorted(info["thing_ids"].values()) == [3, 4, 6], "walls, floors, ceilings are stuff"
    thing = np.isin(expected, [3, 4, 6]) & (instances[..., 3] > 0)
    instance = sample["instance"][0].numpy()
    assert np.array_equal(instance[~thing], expected[~thing])
    keys = labels[..., 3].astype(int) * 10 + instances[..., 3]
    assert instance[thing].min() == 256
    assert pairs_equal(instance[thing], keys[thing]), "both kinds of chair keep their objects"


def test_nyuv2_is_cut_to_where_the_depth_camera_sees(tmp_path):
    pytest.importorskip("h5py")
    images, *_ = publishers.nyuv2(tmp_path / "source")
    dataset = prepared(tmp_path, "nyuv2", "train")
    assert [f.name for f in dataset.scenes.files] == ["0002", "0003", "0005"]
    photo = dataset[0]["image"].permute(1, 2, 0).numpy()
    # MATLAB's images(45:471, 41:601, :, 2)
    assert photo.shape == (427, 561, 3) and np.array_equal(photo, images[44:471, 40:601, :, 1])


def test_ade20k_keeps_the_publishers_label_files_and_photos(tmp_path):
    label, jpeg = publishers.ade20k(tmp_path / "source")
    dataset = prepared(tmp_path, "ade20k")
    sample = dataset[0]
    assert np.array_equal(values(sample, dataset), label)
    assert dataset.metainfo["classes"] == ["other", "wall", "building", "bed", "flag"]
    assert dataset.metainfo["ids"] == [0, 1, 2, 8, 150]
    assert "other" not in dataset.metainfo["scored_classes"]
    photo = tmp_path / "target/val/image/ADE_val_00000001.jpg"
    assert photo.read_bytes() == jpeg and count_photos(tmp_path / "target") == (2, 0)


def test_the_full_ade20k_has_the_150_classes_and_instances(tmp_path):
    index, numbers = publishers.ade20k_full(tmp_path / "source")
    dataset = prepared(tmp_path, "ade20k_full")
    assert [f.name for f in dataset.scenes.files] == ["ADE_val_1"]
    sample = dataset[0]
    expected = np.select([index == 2978, index == 312, index == 165], [1, 2, 8])
    assert np.array_equal(values(sample, dataset), expected)
    instance, beds = sample["instance"][0].numpy(), expected == 8
    assert np.array_equal(instance[~beds], expected[~beds])
    assert instance[beds].min() == 256 and pairs_equal(instance[beds], numbers[beds])
    assert list(dataset.metainfo["thing_ids"].values()) == [8]


def test_helens_soft_masks_become_the_most_probable_part(tmp_path):
    masks = publishers.helen(tmp_path / "source")
    dataset = prepared(tmp_path, "helen", "test")
    assert len(dataset.metainfo["classes"]) == 11 and dataset.metainfo["classes"][10] == "hair"
    assert np.array_equal(values(dataset[0], dataset), masks.argmax(0))
    train = PairedFolder(str(tmp_path / "target"), "train", instance_dir=None)
    assert [f.name for f in train.scenes.files] == ["100032540_1", "232194_1"]


def test_coco_panoptic_ids_become_classes_and_instances(tmp_path):
    publishers.coco_panoptic(tmp_path / "source")
    dataset = prepared(tmp_path, "coco_panoptic")
    sample = dataset[0]
    assert values(sample, dataset)[0, ::2].tolist() == [1, 1, 1, 200, 0, 0]
    person, other, crowd, rug, void, _ = sample["instance"][0, 0, ::2].tolist()
    assert {person, other} == {256, 257} and (crowd, rug, void) == (1, 200, 0)
    assert dataset.metainfo["palette"][1] == [220, 20, 60]
    assert dataset.metainfo["thing_ids"] == {"1": 1}


def test_coco_stuffs_palette_pngs_keep_their_values(tmp_path):
    label = publishers.coco_stuff(tmp_path / "source")
    dataset = prepared(tmp_path, "coco_stuff")
    assert np.array_equal(values(dataset[0], dataset), label)
    by_id = dict(zip(dataset.metainfo["ids"], dataset.metainfo["classes"], strict=True))
    assert by_id == {255: "unlabeled", 0: "person", 91: "banner", 181: "wood"}
    assert "unlabeled" not in dataset.metainfo["scored_classes"]


@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
def test_pairs_side_by_side_are_taken_apart(tmp_path, direction):
    publishers.pairs(tmp_path / "source")
    sample = prepared(tmp_path, "pairs", "train", direction=direction)[1]
    whole = np.array(Image.open(tmp_path / "source/train/2_AB.jpg").convert("RGB"))
    left, right = torch.tensor(whole[:, :16]), torch.tensor(whole[:, 16:])
    source, image = (left, right) if direction == "AtoB" else (right, left)
    assert torch.equal(sample["source"], source.permute(2, 0, 1))
    assert torch.equal(sample["image"], image.permute(2, 0, 1))


MISSING = {
    "nyuv2": ("classMapping40.mat", "nyuv2-meta-data"),
    "ade20k": ("ADEChallengeData2016/objectInfo150.txt", "967 MB"),
    "ade20k_full": ("mapFromADE.txt", "convertFromADE"),
    "helen": ("SmithCVPR2013_dataset_resized/images/7_2.jpg", "face-parsing"),
    "coco_panoptic": ("annotations/panoptic_val2017.json", "821 MB"),
    "coco_stuff": ("labels.txt", "659 MB"),
}


@pytest.mark.parametrize("name", MISSING)
def test_a_missing_file_is_named_with_where_to_get_it(tmp_path, name):
    if name == "nyuv2":
        pytest.importorskip("h5py")
    getattr(publishers, name)(tmp_path / "source")
    missing, where = MISSING[name]
    (tmp_path / "source" / missing).unlink()
    with pytest.raises(UserError) as caught:
        prepare(name, tmp_path / "source", tmp_path / "target", {})
    assert missing.rpartition("/")[2] in str(caught.value) and where in str(caught.value)
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("name", READERS)
def test_an_empty_folder_is_answered_with_what_to_download(tmp_path, name):
    (tmp_path / "source").mkdir()
    with pytest.raises(UserError):
        prepare(name, tmp_path / "source", tmp_path / "target", {})


def test_other_files_of_the_right_name_are_refused(tmp_path):
    pytest.importorskip("h5py")
    source, target = tmp_path / "source", tmp_path / "target"
    publishers.nyuv2(source)
    mat, mapping = source / "nyu_depth_v2_labeled.mat", source / "classMapping40.mat"
    whole = mat.read_bytes()
    mat.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="not downloaded to its end"):
        prepare("nyuv2", source, target, {})
    mat.write_bytes((source / "splits.mat").read_bytes())
    with pytest.raises(UserError, match=r"no MATLAB file of version 7\.3"):
        prepare("nyuv2", source, target, {})
    mat.write_bytes(whole)
    mapping.write_bytes((source / "splits.mat").read_bytes())
    with pytest.raises(UserError, match="has no mapClass and className, but trainNdxs"):
        prepare("nyuv2", source, target, {})


def test_without_h5py_nyuv2_says_what_to_install(tmp_path, monkeypatch):
    source = tmp_path / "source"
    source.mkdir()
    (source / "nyu_depth_v2_labeled.mat").write_bytes(b"")
    publishers.nyu_mapping(source / "classMapping40.mat")
    publishers.nyu_splits(source / "splits.mat")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(UserError, match=r'pip install "i2ibench\[data\]"'):
        prepare("nyuv2", source, tmp_path / "target", {})


def test_a_segment_that_the_json_does_not_know_is_named(tmp_path):
    publishers.coco_panoptic(tmp_path / "source")
    path = tmp_path / "source/annotations/panoptic_train2017.json"
    content = json.loads(path.read_text())
    del content["annotations"][0]["segments_info"][1]
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match="has the segment 65537"):
        prepare("coco_panoptic", tmp_path / "source", tmp_path / "target", {})


def test_wrong_options_are_named(tmp_path):
    with pytest.raises(UserError, match="Did you mean 'direction'"):
        prepare("pairs", tmp_path, tmp_path / "t", {"directions": "BtoA"})
    with pytest.raises(UserError, match="'AtoB', not 3"):
        prepare("pairs", tmp_path, tmp_path / "t", {"direction": 3})
    publishers.pairs(tmp_path / "source")
    with pytest.raises(UserError, match="AtoB or BtoA, not 'ab'"):
        prepare("pairs", tmp_path / "source", tmp_path / "t", {"direction": "ab"})


@pytest.mark.parametrize("entry", ["annotations", "images"])
@pytest.mark.parametrize("name", ["../../secret.png", "/etc/passwd", "C:\\x.png", "", 3])
def test_a_file_name_in_cocos_json_that_leaves_its_folder_is_refused(entry, name, tmp_path):
    publishers.coco_panoptic(tmp_path / "source")
    path = tmp_path / "source/annotations/panoptic_train2017.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content[entry][0]["file_name"] = name
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(UserError, match=r"panoptic_train2017\.json: "):
        prepare("coco_panoptic", tmp_path / "source", tmp_path / "target", {})
    assert not (tmp_path / "target").exists()


def test_a_name_in_helens_lists_that_leaves_its_folder_is_refused(tmp_path):
    publishers.helen(tmp_path / "source")
    path = next((tmp_path / "source").rglob("exemplars.txt"))
    path.write_text("1 , ../../secret\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"exemplars\.txt: '../../secret'"):
        prepare("helen", tmp_path / "source", tmp_path / "target", {})
