"""Own folders: colour maps become ids, connected regions instances."""

import json

import numpy as np
import pytest
from PIL import Image

from i2ibench.data.datasets import PairedFolder
from i2ibench.data.prepare.catalogue import prepare
from i2ibench.errors import UserError
from tests.unit.data.prepare import publishers

SKY, CAR = [70, 130, 180], [0, 0, 142]
LABEL = np.array([[0, 9, 9, 0, 9, 0], [0, 0, 0, 9, 0, 0], [0, 0, 0, 0, 0, 9]], np.uint8)


def write_folder(root, label, palette=False, **extra):
    for split in ("train", "val"):
        publishers.png(root / split / "label/a.png", label, palette)
        publishers.photo(root / split / "image/a.jpg", 6, 3)
        for kind, pixels in extra.items():
            publishers.png(root / split / kind / "a.png", pixels)
    classes = [
        {"name": "sky", "id": 0, "colour": SKY},
        {"name": "car", "id": 9, "colour": CAR, "thing": True},
    ]
    (root / "classes.json").write_text(json.dumps(classes))
    return root


def in_colour(label):
    return np.array([SKY, CAR], np.uint8)[(label == 9).astype(int)]


def read(target, **folders):
    dataset = PairedFolder(str(target), "val", **folders)
    return dataset, dataset[0]


def test_a_map_in_colour_becomes_ids(tmp_path):
    prepare("folder", write_folder(tmp_path / "s", in_colour(LABEL)), tmp_path / "t", {})
    dataset, sample = read(tmp_path / "t", instance_dir=None)
    assert np.array_equal(np.array(dataset.metainfo["ids"])[sample["label"][0]], LABEL)


@pytest.mark.parametrize("form", ["ids", "palette", "colours"])
def test_connected_regions_of_things_become_objects(tmp_path, form):
    pixels = in_colour(LABEL) if form == "colours" else LABEL
    source = write_folder(tmp_path / "s", pixels, palette=form == "palette")
    prepare("folder", source, tmp_path / "t", {"components": True})
    _, sample = read(tmp_path / "t")
    instance = sample["instance"][0].numpy()
    assert (instance[LABEL == 0] == 0).all()
    groups = [instance[0, 1], instance[0, 2], instance[0, 4], instance[1, 3], instance[2, 5]]
    assert groups == [256, 256, 256, 256, 257], "corners touch; the last car stands alone"


def test_instance_maps_that_are_there_are_kept(tmp_path):
    ids = LABEL.astype(np.uint16) * 5000
    source = write_folder(tmp_path / "s", LABEL, instance=ids)
    prepare("folder", source, tmp_path / "t", {})
    assert np.array_equal(read(tmp_path / "t")[1]["instance"][0], ids)
    with pytest.raises(UserError, match="leave components=true out"):
        prepare("folder", source, tmp_path / "u", {"components": True})


def test_a_colour_of_no_class_is_shown_with_its_place(tmp_path):
    pixels = in_colour(LABEL)
    pixels[2, 3] = [1, 2, 3]
    with pytest.raises(UserError, match=r"the colour \[1, 2, 3\] at row 2, column 3 and 1 of 18"):
        prepare("folder", write_folder(tmp_path / "s", pixels), tmp_path / "t", {})


def test_a_folder_without_things_or_splits_is_refused(tmp_path):
    source = write_folder(tmp_path / "s", LABEL)
    (source / "val").rename(source / "other")
    with pytest.raises(UserError, match="lacks train/ or val/"):
        prepare("folder", source, tmp_path / "t", {})
    (source / "classes.json").write_text('["sky", {"name": "car", "id": 9}]')
    with pytest.raises(UserError, match="marks no class"):
        prepare("folder", source, tmp_path / "t", {"components": True})


@pytest.mark.parametrize("mode", ["colours", "grey ids", "RGBA ids"])
def test_maps_with_alpha_become_ids_or_stay_ids(tmp_path, mode):
    """Image editors save colours with alpha, grey with alpha, and greys as RGBA."""
    pixels = in_colour(LABEL) if mode == "colours" else LABEL
    alpha = {"colours": "RGBA", "grey ids": "LA", "RGBA ids": "RGBA"}[mode]
    source = write_folder(tmp_path / "s", pixels)
    for path in source.rglob("label/*.png"):
        Image.open(path).convert(alpha).save(path)
    prepare("folder", source, tmp_path / "t", {"components": True})
    dataset, sample = read(tmp_path / "t")
    assert np.array_equal(np.array(dataset.metainfo["ids"])[sample["label"][0]], LABEL)
    assert sample["instance"].max() == 257


def test_a_colour_map_with_transparent_pixels_is_refused_with_their_number(tmp_path):
    source = write_folder(tmp_path / "s", in_colour(LABEL))
    for path in source.rglob("label/*.png"):
        rgba = np.array(Image.open(path).convert("RGBA"))
        rgba[0, :2, 3] = 0
        Image.fromarray(rgba).save(path)
    with pytest.raises(UserError, match="2 transparent pixels"):
        prepare("folder", source, tmp_path / "t", {})
