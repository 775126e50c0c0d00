"""The confusion matrix and the scores that follow from it."""

import torch
from torch import Tensor


def full_confusion(predicted: Tensor, target: Tensor, num_classes: int) -> Tensor:
    """Pixel counts, int64 [N + 1, N + 1]: row = true class, column = predicted class.

    Whatever lies outside 0..N-1 falls into the last row (void) or column (something else).

    Args:
        predicted: integer class ids, any shape.
        target: integer class ids, same shape.
        num_classes: N.
    """
    truth, guess = target.flatten().long(), predicted.flatten().long()
    truth = torch.where((truth >= 0) & (truth < num_classes), truth, num_classes)
    guess = torch.where((guess >= 0) & (guess < num_classes), guess, num_classes)
    width = num_classes + 1
    counts = torch.bincount(truth * width + guess, minlength=width * width)
    return counts.reshape(width, width)


def confusion_matrix(predicted: Tensor, target: Tensor, num_classes: int) -> Tensor:
    """Pixel counts, int64 [N, N + 1], as `full_confusion` without the void pixels."""
    return full_confusion(predicted, target, num_classes)[:-1]


def pixel_accuracy(confusion: Tensor) -> float:
    """Share of valid pixels whose class is right, 0..1; nan without any pixel."""
    return (confusion.diagonal().sum().double() / confusion.sum()).item()


def class_iou(confusion: Tensor) -> Tensor:
    """Intersection over union of each class, float64 [N]; nan where the class never occurs."""
    hits = confusion.diagonal().double()
    square = confusion[:, :-1]
    return hits / (confusion.sum(1) + square.sum(0) - hits)
