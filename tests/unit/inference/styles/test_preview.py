"""Contact sheets of style banks, and images in given styles."""

import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from i2ibench.data.datasets.toystreet import drawn_streets
from i2ibench.inference import Inference
from i2ibench.inference.styles.preview import (
    GAP,
    SMALLEST_SHARE,
    SheetSection,
    draw_sheet,
    largest_scenes,
    render_modes,
    thumbnail,
)
from i2ibench.models.ops.instance_regions import instances_of
from i2ibench.registry import PREPROCESSORS, TRANSLATORS


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    root = tmp_path_factory.mktemp("toystreet")
    return drawn_streets(root, num_scenes=4, width=72, height=36)


@pytest.fixture(scope="module")
def translator():
    """Return a random translator whose images depend visibly on the features."""
    torch.manual_seed(0)
    cfg = dict(
        type="PairedTranslator",
        generator=dict(
            type="CoarseToFineGenerator", base_channels=4, num_downsamplings=1, num_blocks=1
        ),
        encoder=dict(type="InstanceEncoder", base_channels=4, num_downsamplings=2, num_styles=3),
    )
    preprocessor = PREPROCESSORS.build({"type": "LabelPreprocessor"}, num_classes=35)
    model = TRANSLATORS.build(cfg, data_preprocessor=preprocessor).eval()
    rng = np.random.default_rng(0)
    model.style_bank.fit({c: rng.uniform(-9, 9, (9, 3)).astype(np.float32) for c in (7, 11, 26)})
    return model


def test_predicting_is_painting_the_sampled_or_encoded_features(translator, scenes):
    data = default_collate([scenes[0], scenes[1]])
    batch = translator.data_preprocessor(data)
    with torch.inference_mode():
        for encoded, features in ((True, Inference(translator).encode(batch)), (False, None)):
            if features is None:
                features = Inference(translator).sample_styles(batch)
            images = Inference(translator).paint(batch, features)
            assert images.shape == (2, 3, 36, 72) and images.dtype == torch.uint8
            predicted = Inference(translator).predict(data, encode_photo=encoded)
            assert all(torch.equal(p["fake"], x) for p, x in zip(predicted, images, strict=True))


def test_a_preview_paints_each_mode_on_the_class_and_leaves_the_others_as_sampled(
    translator, scenes
):
    data, label = scenes[0], 26
    batch, bank = translator.data_preprocessor(default_collate([data])), translator.style_bank
    row = render_modes(Inference(translator), data, label)
    found = instances_of(data["label"], data["instance"])
    assert len(row.images) == 3 and row.scene == data["name"]
    for mode, image in enumerate(row.images):
        features = bank.sample(data["name"], data["label"], data["instance"])
        for number in found.ids[found.labels == label].tolist():
            features[:, data["instance"][0] == number] = bank.centres[label, mode][:, None]
        expected = Inference(translator).paint(batch, features[None])[0].permute(1, 2, 0).numpy()
        np.testing.assert_array_equal(image, expected)
    assert not np.array_equal(row.images[0], row.images[1])
    inside = [i in found.ids[found.labels == label].tolist() for i in data["instance"].flatten()]
    assert row.region.flatten().tolist() == inside
    np.testing.assert_array_equal(row.real, data["image"].permute(1, 2, 0))


def test_classes_are_shown_where_they_are_largest_and_not_where_they_are_tiny(scenes):
    chosen = largest_scenes(scenes, range(4), 35, 2)
    for label in range(35):
        shares = [(scenes[i]["label"] == label).float().mean().item() for i in range(4)]
        order = sorted(range(4), key=lambda i: -shares[i])[:2]
        assert set(chosen[label]) == {i for i in order if shares[i] >= SMALLEST_SHARE}


def test_an_outline_lies_around_its_region_and_leaves_it_as_it_is():
    image = np.full((9, 12, 3), 100, np.uint8)
    region = np.zeros((9, 12), bool)
    region[3:6, 4:8] = True
    shown = thumbnail(image, region)
    assert (shown[region] == 100).all()
    assert (shown[2, 4:8] == 255).all() and (shown[1, 4:8] == 50).all() and (shown[0] == 100).all()
    np.testing.assert_array_equal(thumbnail(image), image)


def test_large_images_are_shown_smaller():
    assert thumbnail(np.zeros((1024, 2048, 3), np.uint8), np.ones((1024, 2048), bool)).shape[
        :2
    ] == (
        128,
        256,
    )


def test_a_sheet_holds_every_image_once_and_unscaled():
    rng = np.random.default_rng(0)
    tiles = rng.integers(0, 255, (2, 3, 20, 40, 3), dtype=np.uint8)
    section = SheetSection(
        "car", "10 modes", (0, 0, 142), ["photo", "mode 0", "mode 1"], list(tiles)
    )
    sheet = draw_sheet("Modes", ["of a test"], [section, section], "a note " * 60)
    places = [
        np.argwhere((sheet[:, :, 0] == one[0, 0, 0]) & (sheet[:, :, 1] == one[0, 0, 1]))
        for one in tiles.reshape(6, 20, 40, 3)
    ]
    for one, corners in zip(tiles.reshape(6, 20, 40, 3), places, strict=True):
        found = [np.array_equal(sheet[y : y + 20, x : x + 40], one) for y, x in corners]
        assert sum(found) == 2  # once in each section
    assert sheet.shape[1] >= 3 * 40 + 2 * GAP
