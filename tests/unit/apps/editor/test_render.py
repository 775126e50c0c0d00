from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from i2ibench.apps.editor.classes import read_classes
from i2ibench.apps.editor.editor import open_editor
from i2ibench.apps.editor.instances import list_instances
from i2ibench.apps.editor.library import EMPTY, open_library
from i2ibench.apps.editor.render import Renderer
from i2ibench.apps.editor.scene import Mode, Vector, randomise_styles, set_style
from i2ibench.data.image_reading import read_rgb
from i2ibench.errors import UserError
from i2ibench.inference.translation import translate
from tests.unit.apps.editor.conftest import LABELS, PLAIN, SYSTEM, open_small, write_data

DROPOUT = {
    **PLAIN, "generator": {"type": "UNetGenerator", "base_channels": 4, "num_levels": 6}
}  # fmt: skip
COLOUR = {"type": "ColourPreprocessor"}


@pytest.fixture(scope="module")
def renderer():
    return Renderer(open_small())


@pytest.mark.parametrize(
    ("model", "preprocessor"),
    [
        (SYSTEM, LABELS),
        (PLAIN, LABELS),
        (PLAIN, {**LABELS, "boundaries": False}),
        (SYSTEM, COLOUR),
        (DROPOUT, COLOUR),
    ],
)
def test_the_first_image_is_the_one_that_translate_makes(tmp_path, model, preprocessor):
    opened = open_small(model, preprocessor)
    opened = replace(opened, path=tmp_path / "small.pth")
    opened.path.write_bytes(b"only hashed")
    folder = write_data(tmp_path / "data")
    translate(opened, folder, tmp_path / "out")
    editor = open_editor(opened, folder)
    for name in editor.library.names:
        image = editor.renderer.image(editor.library.open(name).scene)
        np.testing.assert_array_equal(image, read_rgb(tmp_path / "out" / f"{name}.png"))


def test_grey_images_are_shown_in_three_channels_and_take_styles_of_colour_photos(scene):
    renderer = Renderer(open_small(image_channels=1))
    image = renderer.image(scene)
    assert image.shape == (24, 40, 3) and (image == image[..., :1]).all()
    photo = np.random.default_rng(0).integers(0, 256, (24, 40, 3), np.uint8)
    assert renderer.encode(scene, photo)


@pytest.mark.parametrize("made", [{"image_channels": 1, "image_depth": 16}, {"image_channels": 5}])
def test_images_that_a_page_cannot_show_are_refused(made):
    with pytest.raises(UserError, match="makes images of .* and the editor shows RGB or grey"):
        Renderer(open_small(PLAIN, **made))


@pytest.mark.parametrize("model", [SYSTEM, DROPOUT])
def test_the_nth_random_draw_is_translates_nth_sample(scene, model):
    opened = open_small(model)
    data = default_collate([{
        "name": scene.name,
        "label": torch.tensor(scene.label)[None],
        "instance": torch.tensor(scene.instance)[None],
    }])  # fmt: skip
    renderer = Renderer(opened)
    first = renderer.image(scene)
    for sample in (1, 2):
        fake = opened.inference.predict(data, sample=sample)[0]["fake"]
        image = renderer.image(randomise_styles(scene, sample))
        np.testing.assert_array_equal(image, fake.permute(1, 2, 0))
        assert not np.array_equal(image, first)


def test_the_same_scene_and_styles_give_the_same_image(renderer, scene):
    styled = set_style(scene, [26000], Mode(3))
    first = renderer.image(styled)
    renderer.image(randomise_styles(scene, 5))
    np.testing.assert_array_equal(renderer.image(styled), first)


def test_choosing_the_mode_that_is_drawn_changes_nothing(renderer, scene):
    stock = list_instances(scene.label, scene.instance)
    modes = renderer.modes(scene, stock.ids, stock.labels)
    chosen = scene
    for i, mode in zip(stock.ids.tolist(), modes, strict=True):
        if mode >= 0:
            chosen = set_style(chosen, [i], Mode(mode))
    assert modes[stock.ids.tolist().index(21)] == -1  # trees have no modes
    np.testing.assert_array_equal(renderer.image(chosen), renderer.image(scene))


def test_a_mode_is_its_centre_as_numbers(renderer, scene):
    centre = tuple(renderer.bank.centres[2, 4].tolist())
    np.testing.assert_array_equal(
        renderer.image(set_style(scene, [26000], Mode(4))),
        renderer.image(set_style(scene, [26000], Vector(centre))),
    )


def test_tiles_are_the_cut_out_scene_in_every_mode(renderer, scene):
    made = renderer.strip(scene, 7)  # the road, as wide as the scene
    assert len(made.tiles) == 5 and not made.approximate
    for k, tile in enumerate(made.tiles):
        image = renderer.image(set_style(scene, [7], Mode(k)))
        assert tile.shape == image.shape
        assert np.abs(tile.astype(int) - image).max() <= 1  # batches may round differently
    assert renderer.strip(scene, 26000).approximate
    with pytest.raises(UserError, match="no modes"):
        renderer.strip(scene, 21)


def test_styles_of_a_photo_are_the_encoders_means(renderer, scene):
    photo = np.random.default_rng(0).integers(0, 256, (*scene.size, 3)).astype(np.uint8)
    values = renderer.encode(scene, photo)
    assert set(values) == set(np.unique(scene.instance).tolist())
    styled = scene
    for i, vector in values.items():
        styled = set_style(styled, [i], Vector(vector))
    data = default_collate([{
        "name": scene.name,
        "label": torch.tensor(scene.label)[None],
        "instance": torch.tensor(scene.instance)[None],
        "image": torch.tensor(photo).permute(2, 0, 1),
    }])  # fmt: skip
    fake = renderer.inference.predict(data, encode_photo=True)[0]["fake"]
    np.testing.assert_array_equal(renderer.image(styled), fake.permute(1, 2, 0))


def test_previews_are_smaller_and_tell_their_progress(renderer, scene):
    told = []
    assert renderer.image(scene, 2, told.append).shape == (12, 20, 3)
    assert told == sorted(told) and 0.9 < told[-1] <= 1
    assert not any(m._forward_hooks for m in renderer.translator.modules())


def test_samples_that_would_be_equal_are_refused(tmp_path):
    opened = open_small()
    folder = write_data(tmp_path / "data")
    opened.translator.style_bank.counts.fill_(1)
    for _ in range(2):
        with pytest.raises(UserError, match="2 samples would be equal"):
            translate(opened, folder, tmp_path / "out", samples=2)
        opened.translator.style_bank.counts.zero_()


def test_a_system_without_styles_says_so(scene):
    renderer = Renderer(open_small(PLAIN))
    assert not renderer.has_styles and not renderer.reads_photos
    assert renderer.num_modes(0) == 0
    assert not renderer.fits(0, Mode(0))
    with pytest.raises(UserError, match="no encoder"):
        renderer.encode(scene, np.zeros((*scene.size, 3), np.uint8))
    with pytest.raises(UserError, match="no modes"):
        renderer.strip(scene, 26000)


def test_a_system_that_translates_images_is_refused():
    with pytest.raises(UserError, match="not label maps.*ImagePreprocessor"):
        open_editor(open_small(PLAIN, {"type": "ImagePreprocessor"}))


def test_without_data_there_is_an_empty_canvas_of_stuff(classes):
    library = open_library(open_small(), classes, None)
    opened = library.open(library.names[0])
    assert library.names == [EMPTY]
    assert opened.scene.size == (256, 512) and opened.photo is None
    assert np.unique(opened.scene.label).tolist() == [0]
    with pytest.raises(UserError, match="no scene"):
        library.open("../secret")


def test_a_canvas_is_of_the_first_scored_stuff():
    table = {"classes": ["none", "car", "road"], "palette": [[0] * 3] * 3, "ids": [0, 1, 2]}
    about = {**table, "thing_ids": {"1": 1}}
    assert read_classes({**about, "scored_ids": [255, 0, 1]}).canvas == 2
    assert read_classes({**about, "scored_ids": [0, 1, 2]}).canvas == 0
    assert read_classes({**about, "scored_ids": [255, 0, 255]}).canvas == 0
    assert read_classes({**table, "thing_ids": {"0": 0, "1": 1, "2": 2}, "scored_ids": [0] * 3})


def test_silhouettes_are_whole_things_of_the_data(tmp_path):
    editor = open_editor(open_small(), write_data(tmp_path))
    stamps = editor.stamps.of_class(2)
    assert [s.name for s in stamps] == ["car 1", "car 2", "car 3"]
    assert all(s.mask.all() and s.mask.shape == (5, 10) for s in stamps)
    assert editor.stamps.of_class(1) == []
    with pytest.raises(UserError, match="silhouette"):
        editor.stamps.mask("nothing")
