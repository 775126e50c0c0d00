"""Edits in Python are those of the editor's page."""

import numpy as np
import pytest
from PIL import Image

import i2ibench
from i2ibench.apps.editor.classes import read_classes
from i2ibench.apps.editor.scene_files import read_scene_zip


@pytest.fixture
def editing(model, scene):
    return model.edit(*scene)


def test_edits_change_the_maps_and_the_image_and_can_be_undone(editing, model, scene):
    before, image = editing.label, np.array(editing.image())
    assert np.array_equal(before, np.array(Image.open(scene[0])))
    names = [c.name for c in model.classes]
    editing.stroke([(5, 5), (40, 20)], names[1], radius=4)
    assert (editing.label == model.classes[1].id).sum() > (before == model.classes[1].id).sum()
    assert not np.array_equal(np.array(editing.image()), image)
    editing.undo()
    assert np.array_equal(editing.label, before)
    assert np.array_equal(np.array(editing.image()), image)
    editing.redo().reset()
    assert np.array_equal(editing.label, before)


def test_the_first_image_is_that_of_a_call_with_the_same_seed(model, scene):
    image = model.edit(*scene[:2], seed=5).image()
    assert np.array_equal(np.array(image), model(*scene[:2], seed=5, output="numpy"))


def test_a_saved_scene_ends_in_zip(editing, tmp_path):
    with pytest.raises(i2ibench.UserError, match="a saved scene is a zip file"):
        editing.save(tmp_path / "scene.png")


def test_every_tool_of_the_page_is_a_method(editing, model):
    one, name = next((i, n) for i, n in editing.instances.items() if n in model.styles)
    modes = editing.modes(one)
    assert len(modes) == model.styles[name] and modes[0].mode == "RGB"
    editing.style(0, instance=one).style(0, label=name).random_styles()
    editing.style_from_photo(instance=one).style_from_photo()
    editing.polygon([(1, 1), (20, 1), (20, 12)], name, instance="new")
    editing.duplicate(max(editing.instances), 4, 3).move(max(editing.instances), 2, np.int64(2))
    editing.fill(0, 0, name).relabel(max(editing.instances), name)
    left = len(editing.instances)
    editing.delete(max(editing.instances))
    assert len(editing.instances) == left - 1
    assert editing._repr_png_()[1:4] == b"PNG"


def test_a_saved_scene_opens_in_the_editor(editing, model, tmp_path):
    editing.stroke([(5, 5)], 1, radius=6)
    path = editing.save(tmp_path / "scene.zip")
    classes = read_classes(model.opened.metainfo)
    saved = read_scene_zip(path.read_bytes(), classes)
    assert np.array_equal(classes.values()[saved.scene.label], editing.label)
    assert np.array_equal(saved.scene.instance, editing.instance)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda e: e.stroke([(1, 1)], "scy"), r"no class 'scy'.*Classes: "),
        (lambda e: e.stroke([(1.5, 1)], 0), "'points' must be a list of 1 to 4096 points"),
        (lambda e: e.stroke([(1, 1)], 99), "There is no class 99"),
        (lambda e: e.delete(60000), "no instance 60000|60000"),
        (lambda e: e.fill(0, 0, object()), "is no number or text"),
    ],
)
def test_a_wrong_edit_is_refused_and_changes_nothing(editing, edit, message):
    before = editing.label
    with pytest.raises(i2ibench.UserError, match=message):
        edit(editing)
    assert np.array_equal(editing.label, before)


def test_maps_of_different_sizes_do_not_make_a_scene(model, scene):
    with pytest.raises(i2ibench.UserError, match="The photo has 10x10 pixels and the label map"):
        model.edit(scene[0], scene[1], np.zeros((10, 10, 3), np.uint8))
