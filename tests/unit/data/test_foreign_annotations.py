"""Where annotations of other programs lie, messages name the command that reads them."""

import re
import shlex

import pytest

from i2ibench.cli.main import main
from i2ibench.data.datasets import PairedFolder
from i2ibench.data.foreign_annotations import annotation_advice
from i2ibench.data.prepare.catalogue import prepare
from i2ibench.errors import UserError
from i2ibench.testing.tiny_datasets import write_paired_scenes
from tests.unit.data.prepare import annotators, publishers


def labelme(root):
    annotators.labelme_folder(root, [annotators.shape("car", annotators.CAR)])


def coco(root):
    car = annotators.flat(annotators.CAR)
    annotators.roboflow(root, [annotators.annotation(0, 3, [car])])


def cocos_own(root):
    for split in ("train2017", "val2017"):
        path = root / "annotations" / f"instances_{split}.json"
        car = annotators.annotation(0, 3, [annotators.flat(annotators.CAR)])
        annotators.coco(path, [car], folder=root / split)


def cvat(root):
    box = '<box label="car" xtl="2" ytl="3" xbr="9" ybr="7"/>'
    for split in ("train", "val"):
        annotators.cvat(root / split / "annotations.xml", box)


@pytest.mark.parametrize("write", [labelme, coco, cocos_own, cvat, publishers.coco_panoptic])
def test_the_command_that_a_message_names_makes_data_that_is_read(tmp_path, write):
    root = tmp_path / "my photos"
    write(root)
    for refused in (
        lambda: prepare("folder", root, tmp_path / "other", {}),
        lambda: PairedFolder(str(root)),
        lambda: PairedFolder(str(root), classes=["background", "car"]),
    ):
        with pytest.raises(UserError, match="annotations") as caught:
            refused()
    (command,) = re.findall(r"`i2ibench (.+?)`", str(caught.value))
    main(arguments=shlex.split(command.replace("TARGET", str(tmp_path / "target"))))
    assert len(PairedFolder(str(tmp_path / "target"), "val")) == 1


def test_a_folder_without_annotations_gets_no_advice(tmp_path):
    root = write_paired_scenes(tmp_path / "paired", count=1)
    (root / "notes.json").write_text('{"a": 1}')
    (root / "page.xml").write_text("<page/>")
    assert annotation_advice(root) == "" and annotation_advice(tmp_path / "nowhere") == ""
