"""PairedFolder: pairing by name, class lists, and errors that name what is missing."""

import json
import shutil

import pytest
import torch

from i2ibench.data.datasets import PairedFolder
from i2ibench.errors import UserError


def test_paired_folder_yields_compact_integers(paired_root):
    dataset = PairedFolder(str(paired_root))
    sample = dataset[0]
    assert len(dataset) == 6 and sample["name"] == "s0"
    assert sample["label"].dtype == torch.uint8 and sample["label"].shape == (1, 32, 64)
    assert sample["instance"].dtype == torch.int32 and sample["instance"].max() == 2000
    assert sample["image"].dtype == torch.uint8 and sample["image"].shape == (3, 32, 64)


def test_files_without_a_partner_are_named(paired_root):
    (paired_root / "train" / "image" / "s3.png").unlink()
    with pytest.raises(UserError, match=r"No file of the same name in .*image for .*label.s3\.png"):
        PairedFolder(str(paired_root))


def test_pairing_goes_by_name_not_by_position(paired_root):
    folder = paired_root / "train" / "image"
    for path in sorted(folder.glob("*.png")):
        path.rename(path.with_suffix(".jpg.png"))
    with pytest.raises(UserError, match="No file of the same name"):
        PairedFolder(str(paired_root))


def test_an_empty_or_missing_folder_is_named(tmp_path, paired_root):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no image"):
        PairedFolder(str(tmp_path), label_dir="empty", classes=["a"])
    with pytest.raises(UserError, match="does not exist"):
        PairedFolder(str(tmp_path), label_dir="nowhere", classes=["a"])
    with pytest.raises(UserError, match=r"nowhere does not exist.*i2ibench prepare_data NAME"):
        PairedFolder(str(tmp_path / "nowhere"))


def test_a_missing_class_list_says_what_it_should_hold(paired_root):
    (paired_root / "classes.json").unlink()
    with pytest.raises(UserError, match=r"classes\.json does not exist"):
        PairedFolder(str(paired_root))


def test_a_new_epoch_draws_new_transforms_and_the_same_epoch_the_same(paired_root):
    flip = [{"type": "RandomFlip"}]
    dataset = PairedFolder(str(paired_root), transforms=flip, seed=1)
    first = [torch.equal(dataset[0, e]["label"], dataset[0, 0]["label"]) for e in range(12)]
    again = [torch.equal(dataset[0, e]["label"], dataset[0, 0]["label"]) for e in range(12)]
    assert first == again and len(set(first)) == 2


@pytest.mark.parametrize(
    ("name", "reason"), [("ro\ud800ad", "half a character"), ("a\x1b[2J", "control character")]
)
def test_a_class_name_that_cannot_be_written_or_shown_is_refused(name, reason, paired_root):
    path = paired_root / "classes.json"
    classes = json.loads(path.read_text(encoding="utf-8"))
    classes[0] = {**classes[0], "name": name} if isinstance(classes[0], dict) else name
    path.write_text(json.dumps(classes), encoding="utf-8")
    with pytest.raises(UserError, match=reason):
        PairedFolder(str(paired_root))


def test_data_without_instance_maps_is_told_how_to_do_without(paired_root):
    shutil.rmtree(paired_root / "train/instance")
    with pytest.raises(UserError, match="instance_dir=None in both data sets, and boundaries=F"):
        PairedFolder(str(paired_root), "train")
    assert len(PairedFolder(str(paired_root), "train", instance_dir=None)) == 6
