"""Segmentation scores: formulas against second implementations, and their laws."""

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix, jaccard_score, roc_auc_score

from i2ibench.evaluation.metrics import InstanceEdges, SegmentationScores
from i2ibench.evaluation.metrics.instance_edges import gradient
from i2ibench.evaluation.metrics.segmentation import (
    borders,
    boundary_row,
    boundary_scores,
    confusion_scores,
    instance_row,
    instance_scores,
)
from i2ibench.models.ops.confusion import full_confusion
from i2ibench.registry import SEGMENTERS
from i2ibench.registry.contracts import Segmenter

INFO = {"scored_classes": ["sky", "road"], "scored_ids": [0, 1, 255], "thing_ids": {}}


@SEGMENTERS.register_module(force=True)
class RedIsRoad(Segmenter):
    """A perfect segmenter for images whose red channel is 255 on class 1."""

    needs_weights = False

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
    rows = []
    for start in range(0, len(predictions), batch):
        rows += metric.measure(predictions[start : start + batch])
    return {name: float(value) for name, value in metric.scores(np.sum(rows, axis=0)).items()}


def labels():
    return list(torch.randint(0, 3, (5, 1, 8, 9), dtype=torch.uint8))


def test_real_images_through_a_perfect_segmenter_score_one():
    result = scores(labels())
    names = ("seg/pixel_acc", "seg/miou", "seg/mean_acc", "seg/fwiou", "edge/bf1")
    assert all(result[name] == 1 for name in names if not np.isnan(result[name]))
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


@pytest.fixture
def maps():
    """Truth with void (4) and predictions with something else (4) of four classes."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 5, (20, 30))
    guess = np.where(rng.random(truth.shape) < 0.6, truth, rng.integers(0, 5, truth.shape))
    return truth, guess


def confusion(truth, guess, count=4):
    return full_confusion(torch.from_numpy(guess), torch.from_numpy(truth), count).numpy()


def test_accuracy_and_iou_equal_scikit_learns(maps):
    truth, guess = maps
    found = confusion_scores(confusion(truth, guess).astype(float), "abcd")
    valid = truth < 4
    expected = jaccard_score(truth[valid], guess[valid], labels=range(4), average=None)
    assert [found[f"seg/iou/{c}"] for c in "abcd"] == pytest.approx(list(expected))
    assert found["seg/miou"] == pytest.approx(expected.mean())
    assert found["seg/pixel_acc"] == pytest.approx((truth == guess)[valid].mean())
    counts = confusion_matrix(truth[valid], guess[valid], labels=range(5))
    share = counts.sum(1)[:4] / counts.sum()
    assert found["seg/fwiou"] == pytest.approx((share * expected).sum())


def test_counting_void_as_an_error_is_the_other_definition(maps):
    truth, guess = maps
    found = confusion_scores(confusion(truth, guess).astype(float), "abcd")
    right = (truth == guess) & (truth < 4)
    assert found["seg/pixel_acc_void_err"] == pytest.approx(right.mean())
    strict = [((truth == c) & (guess == c)).sum() / ((truth == c) | (guess == c)).sum()
              for c in range(4)]  # fmt: skip
    assert found["seg/miou_void_err"] == pytest.approx(np.mean(strict))


def test_an_absent_class_is_left_out_of_the_mean_or_counts_as_zero():
    counts = np.diag([3.0, 5.0, 0.0, 0.0, 0.0])
    found = confusion_scores(counts, "abcd")
    assert found["seg/miou"] == 1 and found["seg/miou_zero_absent"] == 0.5
    assert np.isnan(found["seg/iou/c"]) and found["seg/classes_counted"] == 2


def test_scores_of_many_sums_at_once_equal_scores_one_by_one(maps):
    many = np.stack([confusion(*maps), confusion(*maps)[::-1]]).astype(float)
    together = confusion_scores(many, "abcd")
    for index in range(2):
        alone = confusion_scores(many[index], "abcd")
        assert all(np.isclose(together[k][index], v, equal_nan=True) for k, v in alone.items())


def test_boundary_f1_equals_a_search_over_all_pairs_of_border_pixels():
    rng = np.random.default_rng(1)
    truth = np.kron(rng.integers(0, 3, (4, 5)), np.ones((6, 6), int))
    guess = np.roll(truth, 1, 1)
    guess[:6, :6] = 2
    real, seen = np.argwhere(borders(truth)), np.argwhere(borders(guess))
    distances = np.linalg.norm(real[:, None] - seen[None], axis=-1)
    near_real, near_seen = (distances.min(axis) <= 1 for axis in (0, 1))
    expected = [near_real.sum(), len(seen), near_seen.sum(), len(real)]
    row = boundary_row(guess, truth, void=9)
    assert row == expected
    precision, recall = expected[0] / expected[1], expected[2] / expected[3]
    found = boundary_scores(np.array(row, float))["edge/bf1"]
    assert found == pytest.approx(2 * precision * recall / (precision + recall))


def test_borders_that_are_all_missed_or_nowhere_near_score_zero_not_nothing():
    assert boundary_scores(np.array([0.0, 0, 0, 9]))["edge/bf1"] == 0
    assert boundary_scores(np.array([0.0, 5, 0, 9]))["edge/bf1"] == 0
    assert np.isnan(boundary_scores(np.zeros(4))["edge/bf1"])


def test_borders_of_void_do_not_count():
    truth = np.zeros((8, 8), int)
    truth[:, 4:] = 9
    assert boundary_row(np.zeros((8, 8), int), truth, void=9)[3] == 0


def test_instance_scores_equal_a_loop_over_the_instances():
    rng = np.random.default_rng(2)
    truth = np.zeros((60, 80), int)
    instance = np.zeros((60, 80), int)
    for number, (x, size) in enumerate([(2, 8), (20, 40), (66, 10)]):
        truth[10 : 10 + size, x : x + size] = 1
        instance[10 : 10 + size, x : x + size] = 1000 + number
    truth[50:, :9], instance[50:, :9] = 1, 7  # a group, which is no instance
    guess = np.where(rng.random(truth.shape) < 0.55, truth, 0)
    guess[:3] = 1
    row = np.array(instance_row(guess, truth, instance, {1: 7}, void=2), float)
    found = instance_scores(row)
    areas, hits = [], []
    for number in (1000, 1001, 1002):
        mask = instance == number
        areas.append(mask.sum())
        hits.append((guess[mask] == 1).sum())
    small = [2 * h >= a for a, h in zip(areas, hits, strict=True) if a < 32**2]
    assert found["inst/recall50_S"] == pytest.approx(np.mean(small))
    assert found["inst/recall50_M"] == float(2 * hits[1] >= areas[1])
    assert np.isnan(found["inst/recall50_L"])
    weights = np.mean(areas) / np.array(areas)
    missed = np.array(areas) - np.array(hits)
    wrong = ((guess == 1) & (truth != 1)).sum()
    expected = (weights * hits).sum() / ((weights * hits).sum() + (weights * missed).sum() + wrong)
    assert found["inst/iiou"] == pytest.approx(expected)


def touching_cars(contrast):
    """Two cars side by side, one of them brighter by `contrast`, on a textured image."""
    generator = torch.Generator().manual_seed(0)
    fake = torch.randint(90, 110, (3, 600, 80), generator=generator, dtype=torch.uint8)
    fake[:, :, 40:] += contrast
    label = torch.ones(1, 600, 80, dtype=torch.uint8)
    instance = torch.full((1, 600, 80), 1001, dtype=torch.int32)
    instance[..., 40:] = 1002
    return {"name": "s", "fake": fake, "label": label, "instance": instance}


def test_borders_between_touching_objects_are_found_by_their_edge():
    metric = InstanceEdges({"1": 1})
    seen, melted = (
        metric.scores(metric.measure([touching_cars(c)])[0])["edge/inst_auc_sobel"] for c in (90, 0)
    )
    assert seen > 0.99 and melted == pytest.approx(0.5, abs=0.05)


def test_the_area_under_the_curve_equals_scikit_learns():
    scene = touching_cars(25)
    metric = InstanceEdges({"1": 1})
    found = metric.scores(metric.measure([scene])[0])
    strength = gradient(scene["fake"].permute(1, 2, 0).numpy()).astype(int)
    edge = borders(scene["instance"][0].numpy())
    near = np.zeros_like(edge)
    near[:, 36:44] = True  # three pixels on either side
    chosen = edge | ~near
    expected = roc_auc_score(edge[chosen], np.minimum(strength, 255)[chosen])
    assert found["edge/inst_auc_sobel"] == pytest.approx(expected)
    assert found["edge/inst_pixels"] == edge.sum()


def test_too_few_border_pixels_give_no_score():
    scene = {k: v[..., :100, :] if k != "name" else v for k, v in touching_cars(90).items()}
    metric = InstanceEdges({"1": 1})
    assert np.isnan(metric.scores(metric.measure([scene])[0])["edge/inst_auc_sobel"])
