"""COCO's instances become label and instance maps, whatever tool exports them."""

import json

import numpy as np
import pytest

from i2ibench.data.datasets import PairedFolder
from i2ibench.data.prepare.catalogue import prepare
from i2ibench.errors import UserError
from tests.unit.data.prepare.annotators import (
    CAR,
    CATEGORIES,
    HEIGHT,
    ROOF,
    WALL,
    WIDTH,
    annotation,
    coco,
    filled,
    flat,
    photo,
    roboflow,
)
from tests.unit.data.prepare.test_shapes import compress, runs

SMALL = [[12.2, 8.1], [15.8, 8.3], [15.1, 11.7]]


def prepared(root, tmp_path, split="val", **options):
    lines = []
    prepare("coco", root, tmp_path / "target", options, lines.append)
    dataset = PairedFolder(str(tmp_path / "target"), split)
    sample = dataset[0]
    values = np.array(dataset.metainfo["ids"])[sample["label"][0]]
    return values, sample["instance"][0].numpy(), lines


def test_polygons_of_one_annotation_are_one_object_and_keep_their_category_ids(tmp_path):
    house = annotation(0, 1, [flat(ROOF), flat(WALL)])
    values, instance, lines = prepared(roboflow(tmp_path / "s", [house]), tmp_path)
    assert np.array_equal(values, (filled(ROOF) | filled(WALL)).astype(int))
    assert np.array_equal(instance, np.where(values == 1, 256, 0))
    assert lines == ["used: 2 photos, 2 polygons"]


@pytest.mark.parametrize("form", ["lengths", "string"])
def test_run_lengths_of_both_forms_are_drawn(tmp_path, form):
    mask = filled(CAR) & ~filled(SMALL)  # a hole, which polygons cannot say
    counts = runs(mask) if form == "lengths" else compress(runs(mask))
    car = annotation(0, 3, {"size": [HEIGHT, WIDTH], "counts": counts})
    values, instance, lines = prepared(roboflow(tmp_path / "s", [car]), tmp_path)
    assert np.array_equal(values, np.where(mask, 3, 0)) and lines == ["used: 2 masks, 2 photos"]
    assert np.array_equal(instance, np.where(mask, 256, 0))


def test_small_objects_lie_on_large_ones_and_crowds_below_all(tmp_path):
    crowd = runs(np.ones((HEIGHT, WIDTH), bool))
    drawn = [
        annotation(0, 1, [flat(SMALL)]),
        annotation(0, 3, [flat(CAR)]),
        annotation(0, 3, {"size": [HEIGHT, WIDTH], "counts": crowd}, iscrowd=1),
    ]
    values, instance, _ = prepared(roboflow(tmp_path / "s", drawn), tmp_path)
    small, car = filled(SMALL), filled(CAR) & ~filled(SMALL)
    assert np.array_equal(values, np.where(small, 1, 3))
    assert set(instance[small]) | set(instance[car]) == {256, 257}
    assert (instance[~small & ~car] == 3).all(), "a crowd is no object"


def test_cocos_own_layout_is_read_and_other_annotations_beside_are_not(tmp_path):
    root = tmp_path / "s"
    for split in ("train2017", "val2017"):
        path = root / "annotations" / f"instances_{split}.json"
        coco(path, [annotation(0, 3, [flat(CAR)])], ("7.png",), folder=root / split)
        (root / "annotations" / f"captions_{split}.json").write_text('{"images": []}')
    photo(root / "val2017" / "8.png")
    values, _, lines = prepared(root, tmp_path)
    assert np.array_equal(values, np.where(filled(CAR), 3, 0))
    assert (tmp_path / "target/train/image/7.png").is_file()
    assert "left out: 1 photos that no annotation file lists: " in lines[1] and "8.png" in lines[1]


def test_one_file_without_splits_is_divided(tmp_path):
    drawn = [annotation(i, 3, [flat(CAR)]) for i in range(4)]
    photos = [f"{i}.png" for i in range(4)]
    root = tmp_path / "s"
    coco(root / "annotations" / "instances_default.json", drawn, photos, folder=root / "images")
    prepared(root, tmp_path, val_share=0.25)
    assert len(list((tmp_path / "target/train/label").iterdir())) == 3


def test_categories_from_zero_are_counted_from_one(tmp_path):
    """A label map's 0 is the background's."""
    categories = [{"id": 0, "name": "car"}, {"id": 1, "name": "house"}]
    root = roboflow(tmp_path / "s", [annotation(0, 0, [flat(CAR)])], categories=categories)
    assert np.array_equal(prepared(root, tmp_path)[0], filled(CAR).astype(int))


def test_a_category_that_stands_for_others_is_no_class(tmp_path):
    """Roboflow lists the project as category 0."""
    categories = [{"id": 0, "name": "street", "supercategory": "none"},
                  {"id": 1, "name": "car", "supercategory": "street"}]  # fmt: skip
    root = roboflow(tmp_path / "s", [annotation(0, 1, [flat(CAR)])], categories=categories)
    _, _, lines = prepared(root, tmp_path)
    classes = json.loads((tmp_path / "target/classes.json").read_text())
    assert [entry["name"] for entry in classes] == ["background", "car"]
    assert "1 categories that only stand for others: street" in lines[1]


def test_what_is_not_drawn_is_counted(tmp_path):
    drawn = [
        annotation(0, 3, [flat(CAR)]),
        annotation(0, 1, []),
        annotation(5, 1, [flat(ROOF)]),
    ]
    root = roboflow(tmp_path / "s", drawn, photos=("a.png", "b.png"))
    text = "\n".join(prepared(root, tmp_path)[2])
    for part in (
        "used: 2 photos, 2 polygons",
        "2 boxes without a segmentation: ",
        "2 annotations of photos that are not listed: ",
        "2 photos without a shape",
        "b.png",
    ):
        assert part in text, text


@pytest.mark.parametrize(
    ("drawn", "message"),
    [
        ([annotation(0, 9, [flat(CAR)])], "category 9"),
        ([annotation(0, 3, [[1, 2, 3]])], "no pairs of numbers"),
        ([annotation(0, 3, flat(CAR))], "no list of polygons"),
        ([annotation(0, 3, "x")], "neither polygons nor run lengths"),
        ([annotation(0, 3, {"size": [HEIGHT, WIDTH], "counts": [3]})], "do not add up"),
        ([annotation(0, 3, {"size": [WIDTH, HEIGHT], "counts": [3]})], r"a mask of \[height, w"),
        ([annotation(0, 3, {"size": [HEIGHT, WIDTH], "counts": "~"})], "malformed"),
        ([annotation([0], 3, [flat(CAR)])], "without a proper image_id"),
        ([annotation(0, None, [flat(CAR)])], "without a proper category_id"),
        ([annotation(0, 3, [])], "no shape to draw .* 2 boxes without a segmentation"),
        (["x"], "without a proper image_id"),
        ("x", "without a proper image_id"),
    ],
)
def test_a_wrong_annotation_is_named(tmp_path, drawn, message):
    root = roboflow(tmp_path / "s", drawn)
    with pytest.raises(UserError, match=message):
        prepare("coco", root, tmp_path / "target", {})
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("name", ["../../secret.png", "/etc/passwd", "C:\\a.png", "", 7])
def test_a_photo_outside_of_the_folder_is_refused(tmp_path, name):
    photo(tmp_path / "secret.png")
    root = roboflow(tmp_path / "s", [annotation(0, 3, [flat(CAR)])], file_name=name)
    with pytest.raises(UserError, match="outside of|no proper name|proper file_name"):
        prepare("coco", root, tmp_path / "target", {})


def test_a_missing_photo_a_stated_size_and_other_forms_are_refused(tmp_path):
    root = roboflow(tmp_path / "s", [annotation(0, 3, [flat(CAR)])], height=99)
    with pytest.raises(UserError, match="drawn on an image of 24x99"):
        prepare("coco", root, tmp_path / "a", {})
    root = roboflow(tmp_path / "s", [annotation(0, 3, [flat(CAR)])])
    (root / "valid" / "a.png").unlink()
    with pytest.raises(UserError, match="names the photo 'a.png', which is in none of"):
        prepare("coco", root, tmp_path / "b", {})
    (root / "valid" / "_annotations.coco.json").write_text('{"images": [], "annotations": []}')
    with pytest.raises(UserError, match="lacks images, annotations, categories"):
        prepare("coco", root, tmp_path / "c", {})


def test_files_that_differ_in_categories_are_refused(tmp_path):
    root = roboflow(tmp_path / "s", [annotation(0, 3, [flat(CAR)])])
    path = root / "valid" / "_annotations.coco.json"
    coco(path, [annotation(0, 3, [flat(CAR)])], categories=[*CATEGORIES, {"id": 9, "name": "x"}])
    with pytest.raises(UserError, match="differ in their categories"):
        prepare("coco", root, tmp_path / "target", {})


def test_a_panoptic_file_and_a_folder_without_any_are_refused(tmp_path):
    root = tmp_path / "s"
    content = {"images": [], "annotations": [{"segments_info": []}], "categories": []}
    root.mkdir()
    with pytest.raises(UserError, match="no annotations of COCO's form"):
        prepare("coco", root, tmp_path / "target", {})
    (root / "a.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="prepare_data coco_panoptic"):
        prepare("coco", root, tmp_path / "target", {})


def test_more_labels_than_classes_are_merged_as_the_message_says(tmp_path):
    categories = [{"id": i, "name": f"c{i}"} for i in range(1, 301)]
    drawn = [annotation(0, 300, [flat(CAR)]), annotation(0, 1, [flat(ROOF)])]
    root = roboflow(tmp_path / "s", drawn, categories=categories)
    with pytest.raises(UserError, match="300 labels .* more than 256 classes.* others=NAME"):
        prepare("coco", root, tmp_path / "target", {})
    (root / "classes.json").write_text('["background", "rest", {"name": "c1", "thing": true}]')
    with pytest.raises(UserError, match="'c2' is no class of .* others=NAME"):
        prepare("coco", root, tmp_path / "target", {})
    with pytest.raises(UserError, match="no class 'rests' .* Did you mean 'rest'"):
        prepare("coco", root, tmp_path / "target", {"others": "rests"})
    values, _, lines = prepared(root, tmp_path, others="rest")
    assert np.array_equal(values, np.where(filled(ROOF), 2, np.where(filled(CAR), 1, 0)))
    assert lines == ["used: 2 photos, 4 polygons, 2 shapes of other labels, drawn as 'rest'"]


def test_a_class_for_others_needs_a_class_list(tmp_path):
    root = roboflow(tmp_path / "s", [annotation(0, 3, [flat(CAR)])])
    with pytest.raises(UserError, match="there is no such file"):
        prepare("coco", root, tmp_path / "target", {"others": "rest"})
