"""CVAT's shapes become label and instance maps; hostile XML is refused."""

import numpy as np
import pytest

from i2ibench.data.datasets import PairedFolder
from i2ibench.data.prepare.catalogue import prepare
from i2ibench.errors import UserError
from tests.unit.data.prepare.annotators import (
    CAR,
    HEIGHT,
    ROOF,
    WIDTH,
    cvat,
    cvat_points,
    filled,
    photo,
)

PHOTOS = ("a.png", "b.png")


def polygon(label, points, more="", inner=""):
    return f'<polygon label="{label}" points="{cvat_points(points)}" {more}>{inner}</polygon>'


def prepared(tmp_path, shapes, photos=PHOTOS, options=None, **how):
    lines = []
    root = cvat(tmp_path / "s" / "annotations.xml", shapes, photos, **how).parent
    prepare("cvat", root, tmp_path / "target", options or {}, lines.append)
    dataset = PairedFolder(str(tmp_path / "target"), "val")
    sample = dataset[0]
    return sample["label"][0].numpy(), sample["instance"][0].numpy(), lines, dataset.metainfo


def test_shapes_are_drawn_by_z_order(tmp_path):
    shapes = polygon("house", ROOF, 'z_order="1"') + polygon("car", CAR, 'z_order="0"')
    labels = (
        "<label><name>car</name><color>#00008e</color></label>"
        "<label><name>house</name><color>#464646</color></label>"
        "<label><name>night</name><type>tag</type></label>"
    )
    label, instance, lines, info = prepared(tmp_path, shapes, labels=labels)
    assert np.array_equal(label, np.where(filled(ROOF), 2, np.where(filled(CAR), 1, 0)))
    assert info["classes"] == ["background", "car", "house"]
    assert info["palette"][1:] == [[0, 0, 142], [70, 70, 70]]
    assert np.array_equal(instance >= 256, label > 0) and lines == ["used: 2 photos, 4 polygons"]


def test_boxes_ellipses_and_masks_are_drawn(tmp_path):
    shapes = (
        '<box label="a" xtl="2.0" ytl="3.0" xbr="9.0" ybr="7.0"/>'
        '<ellipse label="b" cx="16" cy="8" rx="3" ry="2"/>'
        '<mask label="c" rle="1, 2, 3" left="20" top="12" width="3" height="2" z_order="0"/>'
        '<box label="d" xtl="4" ytl="9" xbr="10" ybr="13" rotation="90.0"/>'
    )
    label, _, lines, _ = prepared(tmp_path, shapes)
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    expected = np.zeros((HEIGHT, WIDTH), int)
    expected[3:7, 2:9] = 1
    expected[((x - 16) / 3) ** 2 + ((y - 8) / 2) ** 2 <= 1] = 2
    expected[12, 21:23] = 3
    expected[8:14, 5:9] = 4
    assert np.array_equal(label, expected)
    assert lines == ["used: 4 boxes, 2 ellipses, 2 masks, 2 photos"]


def test_a_mask_that_reaches_beyond_the_image_is_cut_off(tmp_path):
    shapes = '<mask label="c" rle="0, 12" left="22" top="-1" width="4" height="3"/>'
    label, _, _, _ = prepared(tmp_path, shapes)
    expected = np.zeros((HEIGHT, WIDTH), int)
    expected[:2, 22:] = 1
    assert np.array_equal(label, expected)


def test_shapes_of_one_group_are_one_object(tmp_path):
    group = 'group_id="4"'
    shapes = (
        polygon("a", ROOF, group) + polygon("a", CAR, group) + polygon("a", CAR, 'z_order="-1"')
    )
    label, instance, lines, _ = prepared(tmp_path, shapes)
    assert np.unique(instance[label == 1]).tolist() == [256]
    assert "2 polygons that other shapes cover" in lines[1]


def test_lines_points_and_tags_are_counted(tmp_path):
    shapes = polygon("car", CAR) + (
        '<polyline label="car" points="1,1;2,2"/><points label="car" points="1,1"/>'
        '<tag label="night"/>'
    )
    text = "\n".join(prepared(tmp_path, shapes)[2])
    for kind in ("polyline", "points", "tag"):
        assert f"2 {kind} elements, which are not drawn: " in text


@pytest.mark.parametrize("folder", ["images", "images/Train", "."])
def test_subsets_say_the_split_and_photos_are_found(tmp_path, folder):
    path = cvat(tmp_path / "s" / "annotations.xml", polygon("car", CAR), PHOTOS, folder=folder)
    if folder.endswith("Train"):
        photo(path.parent / "images" / "Validation" / "b.png")
        (path.parent / folder / "b.png").unlink()
    text = path.read_text().replace('name="a.png"', 'name="a.png" subset="Train"')
    path.write_text(text.replace('name="b.png"', 'name="b.png" subset="Validation"'))
    prepare("cvat", path.parent, tmp_path / "target", {})
    assert (tmp_path / "target/train/image/a.png").is_file()
    assert (tmp_path / "target/val/image/b.png").is_file()


def test_an_export_for_each_split_is_read(tmp_path):
    for split in ("train", "val"):
        cvat(tmp_path / "s" / split / "annotations.xml", polygon("car", CAR))
    prepare("cvat", tmp_path / "s", tmp_path / "target", {})
    assert (tmp_path / "target/val/image/a.png").is_file()


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">'
    + "".join(
        f'<!ENTITY {x} "{10 * f"&{y};"}">' for y, x in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "]><annotations><image name='&i;'/></annotations>"
)
FILE = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotations>&x;</annotations>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "has a DOCTYPE"),
        (FILE, "has a DOCTYPE"),
        ('<!DOCTYPE annotations SYSTEM "http://localhost/x.dtd"><annotations/>', "has a DOCTYPE"),
        ("", "cannot be read as XML"),
        ("<annotations>", "cannot be read as XML"),
        ("<annotation/>", "is not CVAT's"),
        ("<annotations><track/></annotations>", "CVAT for video"),
        ("<annotations/>", "no shape to draw on any of 0 photos"),
        ('<?xml version="1.0" encoding="klingon"?><annotations/>', "cannot be read as XML"),
        ("<annotations><image width='1' height='1'/></annotations>", "no proper name"),
    ],
)
def test_a_hostile_or_broken_file_is_refused(tmp_path, text, message):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "annotations.xml").write_text(text)
    with pytest.raises(UserError, match=message):
        prepare("cvat", tmp_path / "s", tmp_path / "target", {})


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ('<polygon label="a" points="1,2;x"/>', "a polygon with points"),
        ('<polygon label="a" points="1,2;inf,3;1,1"/>', "no pairs of numbers"),
        ('<polygon label="a"/>', "a polygon with points"),
        ('<polygon points="1,1;2,2;1,3"/>', "without a label"),
        ('<box label="a" xtl="1" ytl="1" xbr="x" ybr="2"/>', "xbr='x'"),
        ('<mask label="a" rle="1,x" left="0" top="0" width="1" height="1"/>', "no list of int"),
        ('<mask label="a" rle="1,1" left="0" top="0" width="1" height="1"/>', "do not add up"),
        (
            '<mask label="a" rle="0,1000000000000" left="0" top="0" width="1000000" '
            'height="1000000"/>',
            "larger than the photo",
        ),
    ],
)
def test_a_malformed_shape_is_named_with_its_photo(tmp_path, shape, message):
    root = cvat(tmp_path / "s" / "annotations.xml", shape, PHOTOS).parent
    with pytest.raises(UserError, match=message) as caught:
        prepare("cvat", root, tmp_path / "target", {})
    assert "annotations.xml, photo " in str(caught.value)


def test_a_photo_outside_of_the_folder_or_of_another_size_is_refused(tmp_path):
    photo(tmp_path / "secret.png")
    path = cvat(tmp_path / "s" / "annotations.xml", polygon("car", CAR), PHOTOS)
    text = path.read_text()
    path.write_text(text.replace('name="b.png"', 'name="..\\..\\secret.png"'))
    with pytest.raises(UserError, match="outside of"):
        prepare("cvat", path.parent, tmp_path / "target", {})
    path.write_text(text.replace(f'width="{WIDTH}"', 'width="25"'))
    with pytest.raises(UserError, match="drawn on an image of 25x16"):
        prepare("cvat", path.parent, tmp_path / "target", {})
