"""Codings of ids: what a name or the contents say is heard, converted or refused."""

import numpy as np
import pytest
from PIL import Image

from i2ibench.data.classes import CITYSCAPES_CLASSES, class_table
from i2ibench.data.codings import LABEL_IDS, TRAIN_ID_NAMES, coding_suffix, numbers_objects
from i2ibench.data.datasets.paired_folder import PairedFolder
from i2ibench.data.image_reading import InexactMapError
from i2ibench.data.maps import UnknownIdError, read_ids, read_label, read_label_map
from i2ibench.data.survey import survey
from i2ibench.data.validation import validate_files
from i2ibench.errors import UserError
from i2ibench.training.preflight import check_alike

COLOURED = class_table(
    [
        {"name": "void", "id": 0, "colour": [0, 0, 0]},
        {"name": "sky", "id": 1, "colour": [128, 128, 128]},
        {"name": "car", "id": 2, "colour": [64, 0, 128], "thing": True},
    ]
)


def save(path, values):
    Image.fromarray(np.asarray(values)).save(path)
    return path


def save_palette(path, values, colours):
    image = Image.fromarray(np.asarray(values, np.uint8))
    image.putpalette([level for colour in colours for level in colour])
    image.save(path)
    return path


def test_the_train_ids_are_those_of_the_scored_classes():
    scored = [(c.id, c.name) for c in CITYSCAPES_CLASSES.classes if c.scored]
    assert scored == list(zip(LABEL_IDS, TRAIN_ID_NAMES, strict=True))


@pytest.mark.parametrize(
    "name", ["a_gtFine_labelTrainIds.png", "x_trainIds.png", "train_ids_7.png", "x-trainid.png"]
)
def test_train_ids_that_a_name_states_become_the_classes_of_those_names(tmp_path, name):
    values = np.arange(20, dtype=np.uint8)[None]
    values[0, 19] = 255
    found = read_label_map(save(tmp_path / name, values), CITYSCAPES_CLASSES)
    assert found.channels.tolist() == [[*LABEL_IDS, 0]] and "train ids" in found.coding


def test_a_table_of_train_ids_takes_them_as_they_are_and_converts_label_ids(tmp_path):
    table = class_table([*TRAIN_ID_NAMES, {"name": "void", "id": 255, "scored": False}])
    values = np.array([[0, 10, 13, 255]], np.uint8)
    path = save(tmp_path / "a_labelTrainIds.png", values)
    assert read_label(path, table).tolist() == [[0, 10, 13, 19]]
    path = save(tmp_path / "a_gtFine_labelIds.png", np.array([[7, 23, 26, 0]], np.uint8))
    assert read_label(path, table).tolist() == [[0, 10, 13, 19]]


def test_train_ids_of_other_data_are_that_datas_own(tmp_path):
    path = save(tmp_path / "a_trainIds.png", np.array([[0, 1, 2]], np.uint8))
    assert read_label(path, COLOURED).tolist() == [[0, 1, 2]]


def test_a_value_that_the_coding_in_the_name_lacks_is_refused_with_that_reason(tmp_path):
    path = save(tmp_path / "a_trainIds.png", np.array([[7, 23]], np.uint8))
    with pytest.raises(InexactMapError, match="value 23 .*none of Cityscapes train ids has; its"):
        read_label(path, CITYSCAPES_CLASSES)


@pytest.mark.parametrize("colour", [5, False, [True, False, True], [1, 2], "abc", {"r": 1}])
def test_a_colour_that_is_no_three_integers_is_refused(colour):
    with pytest.raises(UserError, match="colour is three integers"):
        class_table([{"name": "a", "colour": colour}])


def test_values_that_look_like_train_ids_are_refused_with_that_reason(tmp_path):
    path = save(tmp_path / "a.png", np.array([[0, 1, 255]], np.uint8))
    with pytest.raises(UnknownIdError, match="look like Cityscapes' train ids"):
        read_label(path, CITYSCAPES_CLASSES)


def test_a_new_name_keeps_what_states_the_coding(tmp_path):
    for name in ("a_gtFine_labelTrainIds.png", "a_gtFine_labelIds.png", "a.png"):
        new = f"00000001.label{coding_suffix(tmp_path / name)}.png"
        assert coding_suffix(tmp_path / new) == coding_suffix(tmp_path / name)


def test_a_palette_is_read_by_its_values_where_they_are_ids(tmp_path):
    path = save_palette(tmp_path / "p.png", [[0, 1, 2]], [(9, 9, 9), (1, 2, 3), (5, 5, 5)])
    found = read_label_map(path, COLOURED)
    assert found.channels.tolist() == [[0, 1, 2]] and found.coding == "palette, read by value"


def test_a_palette_in_the_classes_colours_is_read_by_them_where_its_values_are_no_ids(tmp_path):
    table = class_table(
        [{"name": "a", "id": 10, "colour": [1, 1, 9]}, {"name": "b", "id": 20, "colour": [2, 2, 9]}]
    )
    path = save_palette(tmp_path / "p.png", [[0, 1]], [(2, 2, 9), (1, 1, 9)])
    found = read_label_map(path, table)
    assert found.channels.tolist() == [[1, 0]] and found.coding == "palette, read by colour"


def test_a_palette_that_means_two_things_is_refused(tmp_path):
    colours = [(64, 0, 128), (128, 128, 128), (0, 0, 0)]
    path = save_palette(tmp_path / "p.png", [[0, 1, 2]], colours)
    with pytest.raises(InexactMapError, match="value 0 is the id of 'void', and its colour"):
        read_label(path, COLOURED)


def test_greys_in_three_channels_are_ids_unless_they_are_other_classes_colours(tmp_path):
    grey = np.repeat(np.array([[0, 1, 2]], np.uint8)[..., None], 3, 2)
    assert read_label(save(tmp_path / "g.png", grey), COLOURED).tolist() == [[0, 1, 2]]
    colours = np.repeat(np.array([[0, 128]], np.uint8)[..., None], 3, 2)
    found = read_label_map(save(tmp_path / "c.png", colours), COLOURED)
    assert found.channels.tolist() == [[0, 1]] and "by colour" in found.coding


def test_a_mask_of_one_bit_is_the_mask_of_0_and_255(tmp_path):
    table = class_table([{"name": "ground", "id": 0}, {"name": "thing", "id": 255}])
    mask = np.array([[True, False, True]])
    for name in ("m.png", "m.tif", "m.bmp"):
        found = read_label_map(save(tmp_path / name, mask), table)
        assert found.channels.tolist() == [[1, 0, 1]] and "1 read as 255" in found.coding
    eight = save(tmp_path / "e.png", np.array([[1, 0]], np.uint8))
    with pytest.raises(UnknownIdError, match="value 1"):
        read_label(eight, table)
    both = class_table([{"name": n, "id": i} for n, i in (("a", 0), ("b", 1), ("c", 255))])
    assert read_label(tmp_path / "m.png", both).tolist() == [[1, 0, 1]]


@pytest.mark.parametrize("dtype", [np.int16, np.int32])
def test_negative_ids_are_refused_by_value(tmp_path, dtype):
    values = np.array([[0, -1, 1]], dtype)
    Image.fromarray(values.astype(np.int32)).save(tmp_path / "m.tif")
    with pytest.raises(UnknownIdError, match="the value -1 at 1 of 3 pixels"):
        read_label(tmp_path / "m.tif", COLOURED)
    with pytest.raises(UserError, match="instance id -1"):
        read_ids(tmp_path / "m.tif")


def test_class_ids_above_255_are_read_from_files_of_16_bits(tmp_path):
    table = class_table([{"name": "a", "id": 300}, {"name": "b", "id": 65535}])
    path = save(tmp_path / "m.png", np.array([[300, 65535]], np.uint16))
    assert read_label(path, table).tolist() == [[0, 1]]
    with pytest.raises(UnknownIdError, match="value 301"):
        read_label(save(tmp_path / "n.png", np.array([[301]], np.uint16)), table)


def test_more_classes_than_channels_are_refused_with_a_way_out():
    with pytest.raises(UserError, match="at most 256 classes, got 300. Merge some"):
        class_table([f"c{i}" for i in range(300)])


def write_cars(root, numbers, own=2):
    """Scenes of a sky and a row of cars with these numbers, below which all is sky."""
    for kind in ("label", "image", "instance"):
        (root / "train" / kind).mkdir(parents=True, exist_ok=True)
    for name, ids in numbers.items():
        label = np.ones((4, 4 * len(ids) + 2), np.uint8)
        instance = np.ones(label.shape, np.uint16)
        for k, number in enumerate(ids):
            label[1:3, 4 * k : 4 * k + 3] = own
            instance[1:3, 4 * k : 4 * k + 3] = number
        save(root / f"train/label/{name}.png", label)
        save(root / f"train/instance/{name}.png", instance)
        save(root / f"train/image/{name}.png", np.zeros((*label.shape, 3), np.uint8))
    return root


CLASSES = [c.entry() for c in COLOURED.classes]


def test_an_object_whose_number_is_its_classs_id_is_an_object_where_ids_only_count(tmp_path):
    root = write_cars(tmp_path, {"a": [1, 2, 3], "b": [2]})
    data = PairedFolder(str(root), classes=CLASSES)
    assert data.scenes.counts_objects
    for index, cars in ((0, 3), (1, 1)):
        sample = data[index]
        found = sample["instance"][sample["label"] == 2].unique().tolist()
        assert len(found) == cars and 2 not in found


def test_in_cityscapes_coding_a_classs_own_id_is_no_object(tmp_path):
    root = write_cars(tmp_path, {"a": [2000, 2, 2001]})
    data = PairedFolder(str(root), classes=CLASSES)
    assert not data.scenes.counts_objects
    sample = data[0]
    assert sample["instance"][sample["label"] == 2].unique().tolist() == [2, 2000, 2001]


def test_the_coding_of_instance_ids_can_be_said(tmp_path):
    root = write_cars(tmp_path, {"a": [2]})
    assert not PairedFolder(str(root), classes=CLASSES).scenes.counts_objects
    data = PairedFolder(str(root), classes=CLASSES, instance_ids="numbers")
    sample = data[0]
    assert 2 not in sample["instance"][sample["label"] == 2]
    with pytest.raises(UserError, match="instance_ids is one of auto, classes, numbers"):
        PairedFolder(str(root), classes=CLASSES, instance_ids="count")


def test_a_map_that_counts_among_others_that_do_not_is_refused_and_not_guessed(tmp_path):
    """Some maps are looked at when a data set is opened, and all of them when it is checked."""
    numbers = {f"s{n:02d}": [2000 + n, 2] for n in range(40)} | {"s07": [1, 2]}
    data = PairedFolder(str(write_cars(tmp_path, numbers)), classes=CLASSES)
    assert not data.scenes.counts_objects
    (fault,) = validate_files(data.scenes).faults
    assert "s07.png numbers objects" in fault and 'instance_ids="numbers"' in fault
    (scene,) = (scene for scene in survey(data.scenes) if scene.faults)
    assert scene.files.name == "s07"
    said = PairedFolder(str(tmp_path), classes=CLASSES, instance_ids="classes")
    assert not validate_files(said.scenes).faults


def test_splits_of_two_codings_are_refused():
    one, two = ({"classes": ["a"], "instance_ids": kind} for kind in ("numbers", "classes"))
    with pytest.raises(UserError, match="look like 'numbers' and those of the validation"):
        check_alike(one, two)
    check_alike(two, {"classes": ["a"]})


def test_train_ids_are_heard_from_the_folders_name_too(tmp_path):
    for place in ("labelTrainIds", "gtFine_labelTrainIds/aachen", "train_ids"):
        (tmp_path / place).mkdir(parents=True)
        path = save(tmp_path / place / "a.png", np.array([[10, 13]], np.uint8))
        assert read_label(path, CITYSCAPES_CLASSES).tolist() == [[23, 26]]
    (tmp_path / "trainIds_project").mkdir()
    path = save(tmp_path / "trainIds_project/a.png", np.array([[10, 13]], np.uint8))
    assert read_label(path, CITYSCAPES_CLASSES).tolist() == [[10, 13]]


def test_masks_whose_zero_is_white_are_their_samples_or_refused(tmp_path):
    (tmp_path / "m.pbm").write_bytes(b"P4 8 1\n\xa0")
    plain = class_table(["a", "b"])
    found = read_label_map(tmp_path / "m.pbm", plain)
    assert found.channels.tolist() == [[1, 0, 1, 0, 0, 0, 0, 0]] and "shown white" in found.coding
    mask = class_table([{"name": "ground", "id": 0}, {"name": "thing", "id": 255}])
    with pytest.raises(InexactMapError, match="0 is shown white"):
        read_label(tmp_path / "m.pbm", mask)


def test_only_ids_of_things_tell_the_coding():
    label = np.array([[1, 1, 2]], np.uint8)
    assert not numbers_objects(label, np.array([[5, 6, 2]]), COLOURED)
    assert numbers_objects(label, np.array([[1, 1, 7]]), COLOURED)


def test_label_maps_may_be_the_instance_maps_too(tmp_path):
    """The released --label_feat: each class of an image is one object, as Helen's parts are."""
    root = write_cars(tmp_path, {"a": [2000, 2001]})
    data = PairedFolder(str(root), classes=CLASSES, instance_dir="{split}/label")
    sample = data[0]
    ids = np.array([c.id for c in COLOURED.classes])
    assert np.array_equal(sample["instance"].numpy(), ids[sample["label"].numpy()])
    assert not validate_files(data.scenes).faults
