"""The confusion matrix and the scores that follow from it."""

import torch
from torch import Tensor


def confusion_matrix(predicted: Tensor, target: Tensor, num_classes: int) -> Tensor:
    """Pixel counts, int64 [N, N + 1]: row = true class, column = predicted class.

    Pixels whose target is outside 0..N-1 (void) are left out; predictions outside it fall into
    the extra last column, so that they count as errors.

    Args:
        predicted: integer class ids, any shape.
        target: integer class ids, same shape.
    """
    truth, guess = target.flatten().long(), predicted.flatten().long()
    valid = (truth >= 0) & (truth < num_classes)
    truth, guess = truth[valid], guess[valid]
    guess = torch.where((guess >= 0) & (guess < num_classes), guess, num_classes)
    width = num_classes + 1
    counts = torch.bincount(truth * width + guess, minlength=num_classes * width)
    return counts.reshape(num_classes, width)


def pixel_accuracy(confusion: Tensor) -> float:
    """Share of valid pixels whose class is right, 0..1; nan without any pixel."""
    return (confusion.diagonal().sum().double() / confusion.sum()).item()


def class_iou(confusion: Tensor) -> Tensor:
    """Intersection over union of each class, float64 [N]; nan where the class never occurs."""
    hits = confusion.diagonal().double()
    square = confusion[:, :-1]
    return hits / (confusion.sum(1) + square.sum(0) - hits)
