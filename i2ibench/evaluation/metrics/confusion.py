"""Scores of a confusion matrix: accuracy and intersection over union, void left out or not."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.float64]

BETTER = dict.fromkeys(
    ("seg/pixel_acc", "seg/pixel_acc_void_err", "seg/mean_acc", "seg/miou", "seg/miou_void_err",
     "seg/miou_zero_absent", "seg/fwiou"), "higher",
)  # fmt: skip


def confusion_scores(counts: Counts, classes: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Every score of a confusion matrix by name, 0..1, nan where undefined.

    `seg/pixel_acc`, `seg/mean_acc`, `seg/miou` and `seg/fwiou` (weighted by class frequency) leave
    void pixels out; `..._void_err` count them as errors, the literature's other reading of
    "accuracy". As in Cityscapes' own script a class counts in the mean if it occurs among the true
    or the predicted labels; `seg/miou_zero_absent` takes 0 for the others, as pix2pix's script
    does. `seg/iou/<class>` and `seg/acc/<class>` are the classes' own.

    Args:
        counts: [..., N + 1, N + 1], see `ops.confusion.full_confusion`.
        classes: the N names.
    """
    hits = np.diagonal(counts, axis1=-2, axis2=-1)[..., :-1]
    valid = counts[..., :-1, :]
    truth, guess = valid.sum(-1), valid.sum(-2)[..., :-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        iou = hits / (truth + guess - hits)
        strict = hits / (truth + counts.sum(-2)[..., :-1] - hits)
        accuracy = hits / truth
        share = truth / truth.sum(-1, keepdims=True)
        right = hits.sum(-1)
        scores = {
            "seg/pixel_acc": right / valid.sum((-2, -1)),
            "seg/pixel_acc_void_err": right / counts.sum((-2, -1)),
            "seg/mean_acc": _mean(accuracy),
            "seg/miou": _mean(iou),
            "seg/miou_void_err": _mean(strict),
            "seg/miou_zero_absent": np.nan_to_num(iou).mean(-1),
            "seg/fwiou": np.where(share > 0, share * np.nan_to_num(iou), 0).sum(-1),
        }
    scores["seg/classes_counted"] = (~np.isnan(iou)).sum(-1)
    for row, name in enumerate(classes):
        scores[f"seg/iou/{name}"] = iou[..., row]
        scores[f"seg/acc/{name}"] = accuracy[..., row]
    return scores


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean over the last axis of what is no nan; nan of nothing."""
    known = ~np.isnan(values)
    return np.where(known, values, 0).sum(-1) / known.sum(-1)
