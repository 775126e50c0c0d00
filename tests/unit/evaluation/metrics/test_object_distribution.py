"""Distances between objects: what is cut out, how it is grouped, what it is called."""

import numpy as np
import pytest
import torch
from torch import nn

from i2ibench.errors import UserError
from i2ibench.evaluation.metrics import ObjectDistance
from i2ibench.evaluation.metrics.distances import frechet_distance, kernel_distance
from i2ibench.evaluation.metrics.object_distribution import find_objects
from i2ibench.io.weights import INCEPTION, PretrainedWeights
from tests.unit.evaluation.metrics.conftest import save_script

INFO = {
    "classes": ["road", "car", "person", "caravan"],
    "scored_ids": [0, 1, 2, 255],
    "thing_ids": {"1": 26, "2": 24, "3": 29},
}


@pytest.fixture
def features(tmp_path):
    """A network whose features are the crop's mean colour, and more."""
    save_script(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), tmp_path / "colour.pt")
    return {"type": "TorchScriptFeatures", "weights": str(tmp_path / "colour.pt"), "size": 8}


def scene(objects, size=(40, 60)):
    """A grey scene with filled boxes: (label, instance, colour, top, left, height, width)."""
    label = torch.zeros(1, *size, dtype=torch.uint8)
    instance = torch.zeros(1, *size, dtype=torch.int32)
    fake = torch.full((3, *size), 100, dtype=torch.uint8)
    for kind, number, colour, top, left, height, width in objects:
        at = (slice(None), slice(top, top + height), slice(left, left + width))
        label[at], instance[at], fake[at] = kind, number, colour
    return {"name": "s", "fake": fake, "label": label, "instance": instance}


def street(seed, cars=12):
    rng = np.random.default_rng(seed)
    colours = rng.integers(0, 256, cars + 1)
    made = [(1, 26000 + i, int(colours[i]), 4, 4, 8, 8) for i in range(cars)]
    return [scene([car, (2, 24001, int(colours[-1]), 20, 20, 8, 8)]) for car in made]


def test_crops_are_the_boxes_of_large_enough_objects_with_a_margin():
    objects = [
        (1, 26001, 0, 10, 20, 10, 20),
        (1, 26002, 0, 0, 0, 2, 2),  # too small
        (1, 26, 0, 30, 0, 10, 20),  # cars that nobody told apart
        (2, 24001, 0, 0, 50, 5, 10),
    ]
    maps = scene(objects)
    boxes = list(
        find_objects(maps["label"][0].numpy(), maps["instance"][0].numpy(), {2: 24, 1: 26}, 50, 0.1)
    )
    assert [(b.label, b.rows, b.columns) for b in boxes] == [
        (1, slice(9, 21), slice(18, 42)),
        (2, slice(0, 5), slice(49, 61)),
    ]


def test_rows_carry_the_class_and_the_features_of_the_crop(features):
    metric = ObjectDistance(**INFO, features=features, min_area=16, margin=0)
    objects = [(2, 24001, 200, 20, 20, 8, 8), (1, 26001, 50, 0, 0, 8, 8), (3, 29001, 9, 9, 9, 9, 9)]
    (rows,) = metric.measure([scene(objects)])
    assert rows.dtype == np.float32 and metric.kind == "set"
    np.testing.assert_allclose(rows, [[1, 50, 50, 50], [2, 200, 200, 200]], rtol=1e-6)


def test_a_scene_without_objects_gives_no_rows_of_the_same_width(features):
    metric = ObjectDistance(**INFO, features=features)
    empty, full = metric.measure([scene([]), scene([(1, 26001, 5, 0, 0, 36, 36)])])
    assert empty.shape == (0, 4) and full.shape == (1, 4)


def test_each_class_is_scored_by_itself_over_all_scenes(features):
    metric = ObjectDistance(**INFO, features=features, min_area=16, margin=0)
    rows, reference = (np.concatenate(metric.measure(street(seed))) for seed in (0, 1))
    scores = metric.set_scores(rows, reference)
    cars = [side[side[:, 0] == 1, 1:].astype(float) for side in (rows, reference)]
    assert scores["crop_fd/car/colour"].value == pytest.approx(frechet_distance(*cars))
    assert scores["crop_kid/car/colour"].value == pytest.approx(kernel_distance(*cars))
    assert scores["crop_fd/person/colour"].n == 12
    assert set(scores) == set(metric.better)


def test_a_class_with_fewer_than_ten_crops_on_a_side_has_no_score(features):
    metric = ObjectDistance(**INFO, features=features, min_area=16, only=["car"])
    many, few = (np.concatenate(metric.measure(street(0, count))) for count in (10, 9))
    assert set(metric.set_scores(many, many)) == {"crop_fd/car/colour", "crop_kid/car/colour"}
    assert metric.set_scores(few, many) == {} == metric.set_scores(many, few)


def test_renumbered_instances_give_the_same_crops(features):
    metric = ObjectDistance(**INFO, features=features, min_area=16)
    one = scene([(1, 26001, 50, 0, 0, 8, 8)])
    other = {**one, "instance": torch.where(one["instance"] == 26001, 7, one["instance"])}
    assert np.array_equal(*metric.measure([one, other]))


def test_only_the_published_inception_gives_crop_fid(weights_folder, inception, monkeypatch):
    stem = INCEPTION.filename[:-3]
    metric = ObjectDistance(**INFO, only=["car"])
    assert set(metric.better) == {f"crop_fd/car/{stem}", f"crop_kid/car/{stem}"}
    monkeypatch.setattr(PretrainedWeights, "is_genuine", lambda self, path: True)
    assert set(ObjectDistance(**INFO, only=["car"]).better) == {"crop_fid/car", "crop_kid/car"}


def test_unknown_and_unscored_classes_are_refused(features):
    with pytest.raises(UserError, match="Did you mean 'car'"):
        ObjectDistance(**INFO, features=features, only=["cars"])
    with pytest.raises(UserError, match="'road' is no scored class of things"):
        ObjectDistance(**INFO, features=features, only=["road"])


def test_data_without_things_or_without_weights_is_not_computed(weights_folder, features):
    info = {**INFO, "thing_ids": {}}
    assert "no scored class as a thing" in ObjectDistance(**info, features=features).unavailable
    assert "inception-2015-12-05.pt" in ObjectDistance(**INFO).unavailable
