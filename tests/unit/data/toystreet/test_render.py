"""Rendered scenes of ToyStreet: agreement of their maps, determinism, sizes and attributes."""

import json

import cv2
import numpy as np
import pytest

from i2ibench.data.toystreet.render import RenderedScene, render_scene

KNOWN_LABELS = {7, 8, 11, 17, 19, 20, 21, 22, 23, 24, 26, 27, 28}
FIRST_THING = 24


@pytest.fixture(scope="module")
def scenes() -> list[RenderedScene]:
    return [render_scene(11, index, 256, 128) for index in range(24)]


def test_the_same_seed_and_index_give_equal_arrays_whatever_ran_before() -> None:
    first = render_scene(3, 5, 128, 64)
    render_scene(4, 9, 101, 67)
    np.random.default_rng(0).random(7)
    again = render_scene(3, 5, 128, 64)
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.label, again.label)
    np.testing.assert_array_equal(first.instance, again.instance)
    assert first.attributes == again.attributes


@pytest.mark.parametrize(("seed", "index"), [(3, 6), (4, 5)])
def test_another_seed_or_index_gives_another_street(seed: int, index: int) -> None:
    one, other = render_scene(3, 5, 128, 64), render_scene(seed, index, 128, 64)
    assert (one.label != other.label).mean() > 0.05
    assert not np.array_equal(one.image, other.image)


def test_label_and_instance_agree_on_every_pixel(scenes: list[RenderedScene]) -> None:
    for scene in scenes:
        thing = scene.label >= FIRST_THING
        np.testing.assert_array_equal(scene.instance[thing] // 1000, scene.label[thing])
        np.testing.assert_array_equal(scene.instance[~thing], scene.label[~thing])


def test_only_known_labels_occur_and_every_pixel_has_one(scenes: list[RenderedScene]) -> None:
    for scene in scenes:
        assert set(np.unique(scene.label).tolist()) <= KNOWN_LABELS


def test_every_visible_instance_is_listed_and_none_other(scenes: list[RenderedScene]) -> None:
    for scene in scenes:
        visible = {str(number) for number in np.unique(scene.instance) if number >= 1000}
        assert set(scene.attributes["instances"]) == visible


def test_an_instance_is_listed_under_the_class_of_its_pixels(scenes: list[RenderedScene]) -> None:
    names = {24: "person", 26: "car", 27: "truck", 28: "bus"}
    for scene in scenes:
        for number, described in scene.attributes["instances"].items():
            assert described["class"] == names[int(number) // 1000]


@pytest.mark.parametrize(("width", "height"), [(64, 32), (101, 67), (512, 256), (64, 200)])
def test_a_scene_renders_at_this_size(width: int, height: int) -> None:
    scene = render_scene(0, 1, width, height)
    assert scene.image.shape == (height, width, 3) and scene.image.dtype == np.uint8
    assert scene.label.shape == (height, width) and scene.label.dtype == np.uint8
    assert scene.instance.shape == (height, width) and scene.instance.dtype == np.int32
    assert (scene.attributes["width"], scene.attributes["height"]) == (width, height)


def test_the_street_is_the_same_at_two_sizes() -> None:
    for index in range(3):
        small, large = render_scene(2, index, 256, 128), render_scene(2, index, 1024, 512)
        shrunk = cv2.resize(large.label, (256, 128), interpolation=cv2.INTER_NEAREST)
        assert (shrunk == small.label).mean() > 0.9
        assert small.attributes["stuff"] == large.attributes["stuff"]
        shared = set(small.attributes["instances"]) & set(large.attributes["instances"])
        for number in shared:
            one, other = (scene.attributes["instances"][number] for scene in (small, large))
            assert one == other


def test_a_car_has_the_colour_its_attributes_name(scenes: list[RenderedScene]) -> None:
    named, seen = [], []
    for scene in scenes:
        for number, described in scene.attributes["instances"].items():
            mask = scene.instance == int(number)
            if described["class"] == "car" and mask.sum() >= 60:
                named.append(described["rgb"])
                seen.append(scene.image[mask].mean(axis=0))
    assert len(named) > 30
    for channel in range(3):
        one, other = np.array(named)[:, channel], np.array(seen)[:, channel]
        assert np.corrcoef(one, other)[0, 1] > 0.7


def test_the_wall_colour_is_the_colour_of_the_buildings(scenes: list[RenderedScene]) -> None:
    by_day = [scene for scene in scenes if scene.attributes["time_of_day"] in ("noon", "overcast")]
    named = np.array([scene.attributes["stuff"]["building"]["wall_rgb"] for scene in by_day])
    seen = np.array([scene.image[scene.label == 11].mean(axis=0) for scene in by_day])
    redness_named, redness_seen = named[:, 0] - named[:, 2], seen[:, 0] - seen[:, 2]
    assert np.corrcoef(redness_named, redness_seen)[0, 1] > 0.7


def test_every_kind_of_thing_a_street_has_occurs_often_enough(scenes: list[RenderedScene]) -> None:
    labels = np.stack([scene.label for scene in scenes])
    share = np.bincount(labels.ravel(), minlength=256) / labels.size
    for label, least, most in ((7, 0.25, 0.42), (11, 0.15, 0.32), (23, 0.06, 0.2), (26, 0.03, 0.1)):
        assert least < share[label] < most, label
    for label in (8, 17, 19, 20, 21, 24):
        assert share[label] > 0.002, label


def test_attributes_survive_json(scenes: list[RenderedScene]) -> None:
    for scene in scenes:
        assert json.loads(json.dumps(scene.attributes)) == scene.attributes


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((0, 0, 63, 32), "width is 63"),
        ((0, 0, 64, 31), "height is 31"),
        ((-1, 0, 64, 32), "seed is -1"),
        ((0, -2, 64, 32), "index is -2"),
    ],
)
def test_a_value_out_of_range_is_named(
    arguments: tuple[int, int, int, int], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        render_scene(*arguments)
