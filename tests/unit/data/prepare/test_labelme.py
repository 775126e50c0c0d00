"""labelme's shapes become label and instance maps; the shapes left out are counted."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from i2ibench.data.datasets import PairedFolder
from i2ibench.data.datasets.paired_folder import read_classes
from i2ibench.data.prepare import annotated_photos
from i2ibench.data.prepare.catalogue import prepare
from i2ibench.errors import UserError
from tests.unit.data.prepare.annotators import (
    CAR,
    HEIGHT,
    ROOF,
    WALL,
    WIDTH,
    filled,
    labelme,
    labelme_folder,
    photo,
    shape,
)


def prepared(root, tmp_path, **options):
    """Return the data set, its validation scene and the lines of the report."""
    lines = []
    prepare("labelme", root, tmp_path / "target", options, lines.append)
    dataset = PairedFolder(str(tmp_path / "target"), "val")
    return dataset, dataset[0], lines


def ids(sample):
    return sample["label"][0].numpy(), sample["instance"][0].numpy()


def test_shapes_are_drawn_in_the_order_of_the_file_and_each_is_an_object(tmp_path):
    shapes = [shape("house", ROOF), shape("house", WALL), shape("car", CAR)]
    dataset, sample, lines = prepared(labelme_folder(tmp_path / "s", shapes), tmp_path)
    assert dataset.metainfo["classes"] == ["background", "car", "house"]
    assert dataset.metainfo["ids"] == [0, 1, 2] and dataset.metainfo["scored_ids"] == [255, 0, 1]
    roof, wall, car = filled(ROOF), filled(WALL), filled(CAR)
    expected = np.where(car, 1, np.where(roof | wall, 2, 0))
    label, instance = ids(sample)
    assert np.array_equal(label, expected)
    parts = [car, roof & ~car, wall & ~roof & ~car]
    numbers = [np.unique(instance[part]).tolist() for part in parts]
    assert [len(found) for found in numbers] == [1, 1, 1] and len(set(map(str, numbers))) == 3
    assert np.array_equal(instance >= 256, expected > 0) and (instance[expected == 0] == 0).all()
    assert lines == ["used: 2 photos, 6 polygons"]


def test_shapes_of_one_group_are_one_object(tmp_path):
    shapes = [shape("house", ROOF, group=7), shape("house", WALL, group=7)]
    label, instance = ids(prepared(labelme_folder(tmp_path / "s", shapes), tmp_path)[1])
    assert np.unique(instance[label == 1]).tolist() == [256]


def test_a_later_shape_of_the_background_cuts_a_hole(tmp_path):
    shapes = [shape("car", CAR), shape("_background_", [[14, 8], [18, 8], [18, 11], [14, 11]])]
    label, instance = ids(prepared(labelme_folder(tmp_path / "s", shapes), tmp_path)[1])
    hole = np.zeros((HEIGHT, WIDTH), bool)
    hole[8:11, 14:18] = True
    assert np.array_equal(label == 1, filled(CAR) & ~hole) and (instance[hole] == 0).all()


def test_rectangles_circles_and_masks_are_drawn(tmp_path):
    mask = np.array([[1, 0, 1], [0, 1, 0]], np.uint8) * 255
    file = io.BytesIO()
    Image.fromarray(mask).save(file, "PNG")
    shapes = [
        shape("box", [[9.0, 7.0], [2.0, 3.0]], "rectangle"),
        shape("disk", [[16.0, 8.0], [19.0, 8.0]], "circle"),
        shape(
            "dots", [[20, 12], [22, 13]], "mask", mask=base64.b64encode(file.getvalue()).decode()
        ),
    ]
    label, _ = ids(prepared(labelme_folder(tmp_path / "s", shapes), tmp_path)[1])
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    expected = np.zeros((HEIGHT, WIDTH), int)
    expected[3:7, 2:9] = 1
    expected[(x - 16) ** 2 + (y - 8) ** 2 <= 9] = 2
    expected[12:14, 20:23][mask > 0] = 3
    assert np.array_equal(label, expected)


def test_what_has_no_area_or_no_pixel_is_counted_and_named(tmp_path):
    shapes = [
        shape("car", CAR),
        shape("car", [[1, 1], [2, 2]], "line"),
        shape("car", [[1, 1]], "point"),
        shape("speck", [[5.1, 5.1], [5.3, 5.1], [5.2, 5.3]]),
        shape("hidden", [[14, 8], [16, 8], [16, 10]]),
        shape("car", [[12, 7], [18, 7], [18, 12], [12, 12]]),
    ]
    root = labelme_folder(tmp_path / "s", shapes)
    photo(root / "val" / "alone.png")
    (root / "val" / "notes.json").write_text('{"a": 1}')
    _, _, lines = prepared(root, tmp_path)
    text = "\n".join(lines)
    assert lines[0] == "used: 2 photos, 8 polygons"
    for part in (
        "2 shapes of type 'line', which is not drawn: ",
        "2 shapes of type 'point'",
        "2 polygons that cover no pixel's centre: ",
        "2 polygons that other shapes cover: ",
        "1 photos without a shape (keep_unannotated=true keeps): ",
        "alone.png",
        "1 JSON files that are not labelme's: ",
        "notes.json",
    ):
        assert part in text, text


def test_photos_without_shapes_are_background_by_choice(tmp_path):
    root = labelme_folder(tmp_path / "s", [shape("car", CAR)])
    photo(root / "train" / "alone.png")
    labelme(root / "train" / "empty.json", [])
    prepared(root, tmp_path, keep_unannotated=True)
    train = PairedFolder(str(tmp_path / "target"), "train")
    found = {sample["name"]: int(sample["label"].max()) for sample in train}
    assert found == {"a": 1, "alone": 0, "empty": 0}


def test_classes_json_gives_ids_things_and_the_background(tmp_path):
    root = labelme_folder(tmp_path / "s", [shape("car", CAR), shape("house", ROOF)])
    classes = [
        {"name": "ground", "id": 9},
        {"name": "car", "id": 40, "thing": True, "colour": [0, 0, 142]},
        {"name": "house", "id": 12},
    ]
    (root / "classes.json").write_text(json.dumps(classes))
    with pytest.raises(UserError, match="no class 'background'.*background=NAME") as caught:
        prepare("labelme", root, tmp_path / "target", {})
    entry = re.search(r"Add (\{.*?\})", str(caught.value))[1]
    (root / "classes.json").write_text(json.dumps([*classes, json.loads(entry)]))
    prepare("labelme", root, tmp_path / "as advised", {})
    (root / "classes.json").write_text(json.dumps(classes))
    dataset, sample, _ = prepared(root, tmp_path, background="ground")
    label, instance = ids(sample)
    values = np.array(dataset.metainfo["ids"])[label]
    expected = np.where(filled(ROOF), 12, np.where(filled(CAR), 40, 9))
    assert np.array_equal(values, expected)
    assert np.array_equal(instance, np.where(values == 40, 256, values))


def test_a_label_that_classes_json_lacks_is_refused(tmp_path):
    root = labelme_folder(tmp_path / "s", [shape("caar", CAR)])
    (root / "classes.json").write_text('["background", "car"]')
    with pytest.raises(UserError, match="'caar' is no class of .*Did you mean 'car'"):
        prepare("labelme", root, tmp_path / "target", {})


@pytest.mark.parametrize("other", ["Car", "car ", "CAR"])
def test_labels_that_are_one_word_to_people_are_refused_unless_both_are_listed(tmp_path, other):
    root = labelme_folder(tmp_path / "s", [shape("car", CAR), shape(other, ROOF)])
    with pytest.raises(UserError, match="differ in capitals, spaces or the form"):
        prepare("labelme", root, tmp_path / "target", {})
    (root / "classes.json").write_text(json.dumps(["background", "car", other]))
    prepare("labelme", root, tmp_path / "target", {})
    assert len(read_classes(tmp_path / "target")) == 3


def test_an_interrupted_preparation_goes_on_and_says_what_was_there(tmp_path, monkeypatch):
    for number in range(6):
        labelme(tmp_path / "s" / f"{number}.json", [shape("car", CAR)])
    real, drawn = annotated_photos.draw_shapes, []

    def draw_shapes(*arguments):
        drawn.append(arguments)
        if len(drawn) == 4:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(annotated_photos, "draw_shapes", draw_shapes)
    with pytest.raises(KeyboardInterrupt):
        prepare("labelme", tmp_path / "s", tmp_path / "target", {})
    assert not (tmp_path / "target").exists()
    _, _, lines = prepared(tmp_path / "s", tmp_path)
    assert re.fullmatch(r"[1-5] photos were drawn before an interruption", lines[-1])
    assert len(list((tmp_path / "target").glob("*/label/*.png"))) == 6


def test_stuff_has_no_objects_and_a_wrong_name_is_refused(tmp_path):
    root = labelme_folder(tmp_path / "s", [shape("car", CAR), shape("house", ROOF)])
    with pytest.raises(UserError, match="stuff names 'hous', .* Did you mean 'house'"):
        prepare("labelme", root, tmp_path / "target", {"stuff": "hous"})
    label, instance = ids(prepared(root, tmp_path, stuff=["house"], score_background=True)[1])
    assert np.unique(instance[label == 2]).tolist() == [2]
    assert PairedFolder(str(tmp_path / "target")).metainfo["scored_ids"] == [0, 1, 2]


def test_pixels_to_ignore_are_a_class_that_no_score_counts(tmp_path):
    root = labelme_folder(tmp_path / "s", [shape("car", CAR), shape("__ignore__", ROOF)])
    dataset, _, _ = prepared(root, tmp_path)
    assert dataset.metainfo["scored_classes"] == ["car"]


@pytest.mark.parametrize("name", ["..\\photos\\{stem}.png", "../photos/{stem}.png"])
def test_photos_are_found_in_another_folder_with_either_slash(tmp_path, name):
    for split in ("train", "val"):
        labelme(tmp_path / "s" / split / "json" / "a.json", [shape("car", CAR)], name)
    prepared(tmp_path / "s", tmp_path)
    assert (tmp_path / "target/val/image/json_a.png").is_file()


@pytest.mark.parametrize(
    "name",
    ["../../../secret.png", "/etc/passwd", "C:\\photos\\a.png", "\\\\host\\a.png", "a\0.png"],
)
def test_a_photo_outside_of_the_folder_is_refused(tmp_path, name):
    photo(tmp_path / "secret.png")
    root = labelme_folder(tmp_path / "s", [shape("car", CAR)])
    labelme(root / "val" / "a.json", [shape("car", CAR)], None, imagePath=name)
    with pytest.raises(UserError, match="outside of|no proper name"):
        prepare("labelme", root, tmp_path / "target", {})
    assert not (tmp_path / "target").exists()


def test_a_photo_inside_of_the_json_file_is_used_where_no_file_is(tmp_path):
    pixels = photo(tmp_path / "elsewhere.png", seed=3)
    data = base64.b64encode((tmp_path / "elsewhere.png").read_bytes()).decode()
    for split in ("train", "val"):
        labelme(tmp_path / "s" / split / "a.json", [shape("car", CAR)], None, imageData=data)
    _, sample, _ = prepared(tmp_path / "s", tmp_path)
    assert np.array_equal(sample["image"].numpy().transpose(1, 2, 0), pixels)


@pytest.mark.parametrize("data", [None, "", "no base64!", base64.b64encode(b"x").decode(), 7])
def test_a_photo_that_is_nowhere_is_refused(tmp_path, data):
    root = labelme_folder(tmp_path / "s", [shape("car", CAR)])
    labelme(root / "val" / "b.json", [shape("car", CAR)], None, imageData=data)
    with pytest.raises(UserError, match=r"b\.json"):
        prepare("labelme", root, tmp_path / "target", {})
    assert not (tmp_path / "target").exists()


def test_shapes_lie_on_the_photo_as_it_is_shown(tmp_path):
    """The photo is stored lying, with an EXIF orientation that turns it upright by a quarter."""
    exif = Image.Exif()
    exif[0x0112] = 6
    for split in ("train", "val"):
        path = labelme(tmp_path / "s" / split / "a.json", [shape("car", CAR)], None)
        upright = np.full((HEIGHT, WIDTH, 3), 30, np.uint8)
        upright[filled(CAR)] = 220
        Image.fromarray(np.rot90(upright).copy()).save(path.with_suffix(".png"), exif=exif)
    _, sample, _ = prepared(tmp_path / "s", tmp_path)
    label, bright = sample["label"][0].numpy(), sample["image"][0].numpy() > 100
    assert label.shape == bright.shape == (HEIGHT, WIDTH)
    assert np.array_equal(label == 1, bright) and np.array_equal(bright, filled(CAR))


def test_shapes_on_the_photo_as_it_is_stored_are_refused(tmp_path):
    root = labelme_folder(tmp_path / "s", [shape("car", CAR)])
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(root / "val/a.png").save(root / "val/a.png", exif=exif)
    with pytest.raises(UserError, match="is 16x24 .as it is shown, turned as its EXIF says"):
        prepare("labelme", root, tmp_path / "target", {})


@pytest.mark.parametrize("mask", [None, "%", base64.b64encode(b"no image").decode(), 7])
def test_a_mask_that_is_no_image_is_named(tmp_path, mask):
    root = labelme_folder(tmp_path / "s", [shape("a", [[1, 1], [3, 3]], "mask", mask=mask)])
    with pytest.raises(UserError, match=r"a\.json, shape 1, (is )?a mask"):
        prepare("labelme", root, tmp_path / "target", {})


def test_a_size_that_is_not_the_photos_is_refused(tmp_path):
    root = labelme_folder(tmp_path / "s", [shape("car", CAR)])
    labelme(root / "val" / "a.json", [shape("car", CAR)], size=(WIDTH, HEIGHT))
    with pytest.raises(UserError, match=r"val/a.json was drawn on .* 16x24, but .* 24x16"):
        prepare("labelme", root, tmp_path / "target", {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ('{"shapes": [', "as JSON"),
        ("[" * 100_000, "as JSON"),
        ('{"shapes": [{"points": []}], "imagePath": "a.png"}', "shape 1, has no label"),
        ('{"shapes": [{"label": "a", "points": [[1, NaN]]}], "imagePath": "a.png"}', "no pairs"),
        ('{"shapes": [{"label": "a", "points": [[1e300, 1]]}], "imagePath": "a.png"}', "no pairs"),
        ('{"shapes": [{"label": "a", "points": "abc"}], "imagePath": "a.png"}', "no pairs"),
        ('{"shapes": [], "imagePath": "a.png", "imageHeight": "x"}', "states the height"),
        ('{"shapes": [], "imagePath": 7}', "no proper name"),
        ('{"shapes": []}', "no proper name"),
    ],
)
def test_a_broken_file_is_named(tmp_path, text, message):
    root = labelme_folder(tmp_path / "s", [shape("car", CAR)])
    (root / "val" / "a.json").write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        prepare("labelme", root, tmp_path / "target", {})
    assert "a.json" in str(caught.value)


def test_letters_of_any_script_are_read_with_and_without_a_byte_order_mark(tmp_path):
    root = labelme_folder(tmp_path / "s", [shape("天空", CAR)])
    path = root / "val" / "a.json"
    path.write_text(path.read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert prepared(root, tmp_path)[0].metainfo["classes"] == ["background", "天空"]


def test_a_name_in_another_unicode_form_finds_the_photo(tmp_path):
    """macOS stores names decomposed, and labels are drawn elsewhere."""
    root = labelme_folder(tmp_path / "s", [shape("car", CAR)])
    photo(root / "val" / "cafe\u0301.png")
    labelme(root / "val" / "b.json", [shape("car", CAR)], None, imagePath="caf\u00e9.png")
    prepared(root, tmp_path)
    assert (tmp_path / "target/val/image/b.png").is_file()


def test_two_annotations_of_one_photo_are_refused(tmp_path):
    root = labelme_folder(tmp_path / "s", [shape("car", CAR)])
    labelme(root / "val" / "b.json", [shape("car", CAR)], "a.png")
    with pytest.raises(UserError, match="is annotated twice"):
        prepare("labelme", root, tmp_path / "target", {})


def test_scenes_of_one_name_are_refused(tmp_path):
    root = labelme_folder(tmp_path / "s", [shape("car", CAR)])
    labelme(root / "val" / "b" / "c.json", [shape("car", CAR)])
    labelme(root / "val" / "b_c.json", [shape("car", CAR)])
    with pytest.raises(UserError, match="would be the same scene 'b_c'"):
        prepare("labelme", root, tmp_path / "target", {})


def test_without_split_folders_a_share_is_set_apart_by_the_seed(tmp_path):
    for number in range(10):
        labelme(tmp_path / "s" / f"{number}.json", [shape("car", CAR)])

    def chosen(target, **options):
        prepare("labelme", tmp_path / "s", tmp_path / target, options)
        return sorted(p.stem for p in (tmp_path / target / "val" / "image").iterdir())

    first = chosen("a", val_share=0.3)
    assert len(first) == 3 and first == chosen("b", val_share=0.3)
    assert any(chosen(f"c{seed}", val_share=0.3, seed=seed) != first for seed in (1, 2))


def test_photos_in_a_split_and_in_none_are_refused(tmp_path):
    root = labelme_folder(tmp_path / "s", [shape("car", CAR)])
    labelme(root / "more.json", [shape("car", CAR)])
    with pytest.raises(UserError, match=r"1 photos are in no split, such as .*more\.png"):
        prepare("labelme", root, tmp_path / "target", {})


def test_edited_annotations_are_another_data_set(tmp_path):
    root = labelme_folder(tmp_path / "s", [shape("car", CAR)])
    assert prepare("labelme", root, tmp_path / "target", {})
    assert not prepare("labelme", root, tmp_path / "target", {})
    labelme(root / "val" / "a.json", [shape("car", ROOF)])
    with pytest.raises(UserError, match="not prepared from the same files"):
        prepare("labelme", root, tmp_path / "target", {})


def test_a_folder_without_annotations_says_what_belongs_there(tmp_path):
    photo(tmp_path / "s" / "a.png")
    with pytest.raises(UserError, match="no JSON file of labelme"):
        prepare("labelme", tmp_path / "s", tmp_path / "target", {})
