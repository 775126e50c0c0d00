"""StyleFeatures against planted features: perfect ones score 1, shuffled ones as chance does."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from i2ibench.evaluation.metrics.style_feature_statistics import (
    FEATURES,
    LABEL,
    predict_names,
    predict_values,
    purity,
)
from i2ibench.evaluation.metrics.style_features import StyleFeatures
from i2ibench.evaluation.scores import adding_rows, additive_scores, resamplings
from i2ibench.structures import Appearance

CLASSES = ["road", "car"]
PALETTE = [(220, 20, 30), (20, 180, 60), (30, 60, 200), (230, 230, 230), (10, 10, 10)]


class Planted:
    """Features and modes as a test wants them."""

    def __init__(self, known):
        self.known = known

    def encoded(self):
        return self.known


def scenes(count, features, mode, seed=0):
    """Scenes of 32x16 with a road and four cars whose colours are drawn from PALETTE."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        label = torch.zeros(1, 16, 32, dtype=torch.uint8)
        instance = torch.zeros(1, 16, 32, dtype=torch.int32)
        looks, known = {0: Appearance("asphalt", (90, 90, 95))}, {0: ([0.0, 0.0, 0.0], 0)}
        photo = torch.full((3, 16, 32), 90, dtype=torch.uint8)
        for car in range(4):
            colour = int(rng.integers(len(PALETTE)))
            place = (..., slice(4, 12), slice(8 * car, 8 * car + 6))
            label[place], instance[place] = 1, 7000 + car
            photo[place] = torch.tensor(PALETTE[colour], dtype=torch.uint8)[:, None, None]
            looks[7000 + car] = Appearance(str(colour), PALETTE[colour])
            known[7000 + car] = (features(colour, rng), mode(colour, rng))
        found.append(
            {"name": f"s{number}", "label": label, "instance": instance, "real": photo,
             "appearances": looks, "styles": Planted(known)}
        )  # fmt: skip
    return found


def scored(predictions):
    metric = StyleFeatures(CLASSES, min_area=0.0)
    refined, rows = adding_rows(metric, metric.measure(predictions))
    return {name: float(v) for name, v in refined.scores(rows.sum(0)).items()}


def exact(colour, rng):
    return [value / 255 for value in PALETTE[colour]]


def noise(colour, rng):
    return rng.normal(size=3).tolist()


def test_features_that_are_the_colour_predict_it_and_name_it():
    found = scored(scenes(40, exact, lambda colour, rng: colour))
    assert found["style/r2/car"] > 0.999 and found["style/r2_seen/car"] > 0.999
    assert found["style/acc/car"] == 1 and found["style/purity/car"] == 1
    assert found["style/n/car"] == 160
    assert found["style/r2_chance/car"] < 0.05 and found["style/acc_chance/car"] < 0.35
    assert found["style/purity_chance/car"] < 0.4


def test_features_that_know_nothing_score_as_chance_does():
    found = scored(scenes(60, noise, lambda colour, rng: int(rng.integers(5))))
    assert -0.3 < found["style/r2/car"] < 0.1  # below 0: it was fitted to noise
    assert found["style/acc/car"] == pytest.approx(found["style/acc_chance/car"], abs=0.1)
    assert found["style/purity/car"] == pytest.approx(found["style/purity_chance/car"], abs=0.06)


def test_a_class_of_one_colour_has_no_r2_and_is_always_named():
    found = scored(scenes(40, exact, lambda colour, rng: colour))
    assert np.isnan(found["style/r2/road"]) and found["style/acc/road"] == 1
    assert np.isfinite(found["style/r2"])


def test_a_class_with_too_few_instances_is_left_out():
    found = scored(scenes(4, exact, lambda colour, rng: colour))
    assert set(found) == {"style/r2", "style/acc", "style/purity"}
    assert all(np.isnan(v) for v in found.values())


def test_small_instances_and_unrecorded_ones_are_left_out():
    predictions = scenes(3, exact, lambda colour, rng: colour)
    del predictions[0]["appearances"][7001]
    rows = StyleFeatures(CLASSES, min_area=0.5).measure(predictions)
    assert [own[:, LABEL].tolist() for own in rows] == [[0], [0], [0]]  # a car has 48 of 512 pixels
    rows = StyleFeatures(CLASSES, min_area=0.0).measure(predictions)
    assert [len(own) for own in rows] == [4, 5, 5] and rows[0].shape[1] == FEATURES + 3


def test_the_regression_is_scikit_learns_on_quadratic_features():
    rng = np.random.default_rng(0)
    x, y, new = rng.normal(size=(50, 3)), rng.normal(size=(50, 2)), rng.normal(size=(20, 3))
    scaler = StandardScaler().fit(x)
    quadratic = PolynomialFeatures(2, include_bias=False)
    model = Ridge(1.0).fit(quadratic.fit_transform(scaler.transform(x)), y)
    expected = model.predict(quadratic.transform(scaler.transform(new)))
    np.testing.assert_allclose(predict_values(x, y, new), expected, atol=1e-9)


def test_the_names_are_scikit_learns_nearest_neighbours():
    rng = np.random.default_rng(0)
    x, names, new = rng.normal(size=(80, 3)), rng.integers(0, 4, 80), rng.normal(size=(30, 3))
    scaler = StandardScaler().fit(x)
    model = KNeighborsClassifier(5).fit(scaler.transform(x), names)
    np.testing.assert_array_equal(
        predict_names(x, names, new), model.predict(scaler.transform(new))
    )


def test_purity_counts_the_commonest_name_of_each_mode():
    table = np.array([[3.0, 1, 0], [0, 0, 2], [0, 0, 0]])
    assert purity(table) == 5 / 6
    assert np.isnan(purity(np.zeros((2, 2))))


def test_the_interval_of_a_good_encoder_excludes_chance():
    def noisy(colour, rng):
        return [v / 255 + rng.normal(0, 0.1) for v in PALETTE[colour]]

    metric = StyleFeatures(CLASSES, min_area=0.0)
    rows = metric.measure(scenes(40, noisy, lambda colour, rng: colour))
    scores, _ = additive_scores(metric, rows, resamplings(40, 200, 0))
    car = scores["style/r2/car"]
    assert 0.5 < car["low"] < car["value"] < car["high"] < 1
    assert all("low" not in scores[f"style/{name}/car"] for name in ("n", "purity"))


def test_figures_show_every_true_colour():
    metric = StyleFeatures(CLASSES, min_area=0.0)
    rows = metric.measure(scenes(40, exact, lambda colour, rng: colour))
    drawn = metric.figures(rows)["car"]
    assert len(drawn["points"]) == len(drawn["rgb"]) == 160
    assert {tuple(int(v) for v in rgb) for rgb in drawn["rgb"]} == set(PALETTE)
