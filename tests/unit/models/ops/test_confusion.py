"""The confusion matrix against counting with sets."""

import math

import pytest
import torch

from i2ibench.models.ops.confusion import (
    class_iou,
    confusion_matrix,
    full_confusion,
    pixel_accuracy,
)

VOID = 255


def iou_by_sets(predicted: torch.Tensor, target: torch.Tensor, c: int) -> float:
    valid = {i for i, t in enumerate(target.flatten().tolist()) if t != VOID}
    truth = {i for i in valid if target.flatten()[i] == c}
    guess = {i for i in valid if predicted.flatten()[i] == c}
    return len(truth & guess) / len(truth | guess) if truth | guess else math.nan


def test_scores_equal_those_counted_with_sets():
    predicted, target = torch.randint(0, 4, (2, 6, 7)), torch.randint(0, 4, (2, 6, 7))
    target[0, :2] = VOID
    confusion = confusion_matrix(predicted, target, 4)
    expected = [iou_by_sets(predicted, target, c) for c in range(4)]
    torch.testing.assert_close(class_iou(confusion), torch.tensor(expected, dtype=torch.float64))
    valid = target != VOID
    assert pixel_accuracy(confusion) == (predicted == target)[valid].double().mean().item()


def test_a_prediction_outside_the_classes_is_an_error_not_void():
    confusion = confusion_matrix(torch.tensor([0, 9]), torch.tensor([0, 0]), 2)
    assert pixel_accuracy(confusion) == 0.5
    assert class_iou(confusion)[0] == 0.5


def test_a_class_that_never_occurs_has_no_iou():
    confusion = confusion_matrix(torch.tensor([0]), torch.tensor([0]), 2)
    assert math.isnan(class_iou(confusion)[1])


def test_matrices_of_parts_add_up_to_the_matrix_of_the_whole():
    predicted, target = torch.randint(0, 3, (4, 5)), torch.randint(0, 3, (4, 5))
    parts = [confusion_matrix(p, t, 3) for p, t in zip(predicted, target, strict=True)]
    assert torch.equal(torch.stack(parts).sum(0), confusion_matrix(predicted, target, 3))


@pytest.mark.parametrize("num_classes", [3, 200, 255, 400])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_every_integer_type_is_counted_as_a_loop_counts(num_classes, dtype):
    lowest, highest = (0, 256) if dtype == torch.uint8 else (-500, 1000)
    maps = torch.randint(lowest, highest, (2, 400))
    predicted, target = (m.to(dtype) for m in maps)
    before = predicted.clone(), target.clone()
    counts = torch.zeros(num_classes + 1, num_classes + 1, dtype=torch.int64)
    for guess, truth in zip(*maps.tolist(), strict=True):
        row, column = (i if 0 <= i < num_classes else num_classes for i in (truth, guess))
        counts[row, column] += 1
    assert torch.equal(full_confusion(predicted, target, num_classes), counts)
    assert torch.equal(predicted, before[0]) and torch.equal(target, before[1])
