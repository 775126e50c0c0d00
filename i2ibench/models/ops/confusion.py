"""Confusion matrices, and the scores computed from them."""

import torch
from torch import Tensor


def full_confusion(predicted: Tensor, target: Tensor, num_classes: int) -> Tensor:
    """Return pixel counts, int64 [N + 1, N + 1]: row = true class, column = predicted class.

    True ids outside 0..N-1 are counted in the last row (void), predicted ones in the last column.

    Args:
        predicted: integer class ids, any shape.
        target: integer class ids, same shape.
        num_classes: N.
    """
    width = num_classes + 1
    # Counting is memory-bound, so a smaller type is faster.
    dtype = torch.int16 if width * width <= 2**15 else torch.int32
    pairs = _within(target, num_classes, dtype).mul_(width)
    pairs += _within(predicted, num_classes, dtype)
    return torch.bincount(pairs.flatten(), minlength=width * width).reshape(width, width)


def _within(ids: Tensor, num_classes: int, dtype: torch.dtype) -> Tensor:
    """Return a copy of integer ids in the type `dtype`, with N for every id outside 0..N-1."""
    if ids.dtype == torch.uint8:
        return ids.clamp(max=min(num_classes, 255)).to(dtype, copy=True)
    kept = ids.clamp(-1, num_classes).to(dtype, copy=True)
    return kept.masked_fill_(kept < 0, num_classes)


def confusion_matrix(predicted: Tensor, target: Tensor, num_classes: int) -> Tensor:
    """Return pixel counts, int64 [N, N + 1]: row = true class, column = predicted class.

    Pixels whose true id is outside 0..N-1 (void) are left out. Predicted ids outside that range are
    counted in the last column. The arguments are those of `full_confusion`.
    """
    return full_confusion(predicted, target, num_classes)[:-1]


def pixel_accuracy(confusion: Tensor) -> float:
    """Return the share of correctly classified pixels, 0..1, among those with a true class.

    The share is nan without any such pixel.

    Args:
        confusion: the counts of `confusion_matrix`, [N, N + 1].
    """
    confusion = confusion.cpu()
    return (confusion.diagonal().sum().double() / confusion.sum()).item()


def class_iou(confusion: Tensor) -> Tensor:
    """Return each class's intersection over union, float64 [N] on the CPU.

    The value is nan for a class that is neither a true nor a predicted class of any counted pixel.

    Args:
        confusion: the counts of `confusion_matrix`, [N, N + 1].
    """
    confusion = confusion.cpu()
    hits = confusion.diagonal().double()
    square = confusion[:, :-1]
    return hits / (confusion.sum(1) + square.sum(0) - hits)
