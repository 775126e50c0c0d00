"""Metrics: formulas against second implementations, and their laws."""

import numpy as np
import pytest
import scipy.linalg
import torch

from i2ibench.metrics import FrechetInceptionDistance, PerceptualDistance, SegmentationScores
from i2ibench.metrics.frechet import frechet_distance
from i2ibench.registry import SEGMENTERS

INFO = {"scored_classes": ["sky", "road"], "scored_ids": [0, 1, 255]}


@SEGMENTERS.register_module(force=True)
class RedIsRoad(torch.nn.Module):
    """A perfect segmenter for pictures whose red channel is 255 on class 1."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()

    def forward(self, images):
        return (images[:, 0] > 127).long()


def prediction(label):
    fake = torch.zeros(3, *label.shape[1:], dtype=torch.uint8)
    fake[0] = (label[0] == 1) * 255
    return {"name": "s", "fake": fake, "label": label}


def scores(labels, batch=1, spoil=False):
    metric = SegmentationScores({"type": "RedIsRoad"}, **INFO)
    predictions = [prediction(label) for label in labels]
    if spoil:
        predictions[0]["fake"] = 255 - predictions[0]["fake"]
    for start in range(0, len(predictions), batch):
        metric.process(None, predictions[start : start + batch])
    return metric.evaluate(len(predictions))


def labels():
    return list(torch.randint(0, 3, (5, 1, 8, 9), dtype=torch.uint8))


def test_real_images_through_a_perfect_segmenter_score_one():
    result = scores(labels())
    assert result["seg/pixel_acc"] == 1 and result["seg/miou"] == 1
    assert result["seg/classes_counted"] == 2


def test_scores_do_not_depend_on_the_batch_size():
    some = labels()
    assert scores(some, 1, spoil=True) == scores(some, 3, spoil=True)


def test_mean_iou_is_one_confusion_matrix_not_a_mean_over_scenes():
    one = [torch.zeros(1, 2, 2, dtype=torch.uint8), torch.ones(1, 1, 1, dtype=torch.uint8)]
    result = scores(one, spoil=True)  # the first scene is all wrong: 4 sky pixels seen as road
    assert result["seg/iou/sky"] == 0 and result["seg/iou/road"] == pytest.approx(1 / 5)


def test_a_segmenter_without_weights_says_so_and_scores_nothing():
    cfg = {"type": "CompactSegmenter", "weights": "nowhere.pth"}
    assert "nowhere.pth" in SegmentationScores(cfg, **INFO).unavailable


def reference_frechet(x, y):
    a, b = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    eigenvalues = scipy.linalg.eigvals(a @ b)
    cross = np.sqrt(np.clip(eigenvalues.real, 0, None)).sum()
    return np.square(x.mean(0) - y.mean(0)).sum() + np.trace(a) + np.trace(b) - 2 * cross


@pytest.mark.parametrize("n", [6, 40])
def test_frechet_distance_equals_the_textbook_formula(n):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(n, 12)), rng.normal(0.3, 1.4, size=(n + 3, 12))
    assert frechet_distance(x, y) == pytest.approx(reference_frechet(x, y), rel=1e-5, abs=1e-4)


def test_frechet_distance_of_a_set_from_itself_is_zero_and_from_a_shift_its_square():
    x = np.random.default_rng(0).normal(size=(30, 5))
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-10)
    assert frechet_distance(x, x + 2) == pytest.approx(4 * 5)


def test_missing_weights_leave_a_metric_uncomputed_with_the_way_out(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.delenv("I2IBENCH_WEIGHTS", raising=False)
    assert "inception-2015-12-05.pt" in FrechetInceptionDistance().unavailable
    assert "torchvision.models.alexnet" in PerceptualDistance().unavailable
