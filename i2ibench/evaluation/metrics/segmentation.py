"""Segmentation scores: a segmenter's labels of a fake image against the true labels."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from i2ibench.errors import MissingWeightsError, UserError
from i2ibench.models.ops.confusion import full_confusion
from i2ibench.registry import METRICS, SEGMENTERS
from i2ibench.registry.contracts import SegmentationMetric, Segmenter
from i2ibench.structures import Prediction

Counts = NDArray[np.float64]

CONFUSION_BETTER = dict.fromkeys(
    ("seg/pixel_acc", "seg/pixel_acc_void_err", "seg/mean_acc", "seg/miou", "seg/miou_void_err",
     "seg/miou_zero_absent", "seg/fwiou"), "higher",
)  # fmt: skip


def confusion_scores(counts: Counts, classes: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Compute every score of a confusion matrix by name, in 0..1; nan where it is undefined.

    `seg/pixel_acc`, `seg/mean_acc`, `seg/miou` and `seg/fwiou` (weighted by class frequency) ignore
    void pixels. Scores that end in `_void_err` count void pixels as errors, which some papers do.
    The average over classes includes each class that occurs in the true or the predicted labels, as
    in Cityscapes' script. `seg/miou_zero_absent` averages over all classes, with 0 for absent
    classes, as in pix2pix's script. The scores of one class are `seg/iou/<class>` and
    `seg/acc/<class>`. `seg/classes_counted` is the number of classes in the average, not a share.

    Args:
        counts: pixel counts [..., N + 1, N + 1], see `ops.confusion.full_confusion`.
        classes: the names of the N classes.

    Returns:
        For each score an array [...].
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
    """Average values over the last axis without nan; nan where all values are nan."""
    known = ~np.isnan(values)
    return np.where(known, values, 0).sum(-1) / known.sum(-1)


BOUNDARY_BETTER = {"edge/bf1": "higher"}

TOLERANCE = 2 / 512
"""The largest distance in pixels between matching borders, as a share of the image height."""

NUM_BOUNDARY_SUMS = 4


def boundary_row(predicted: NDArray[np.int64], truth: NDArray[np.int64], void: int) -> list[float]:
    """Count pixels of predicted and true class borders, from which the boundary F1 is computed.

    The score is that of Csurka et al. 2013, "What is a good evaluation measure for semantic
    segmentation?", from counts of the whole data set instead of averages over scenes. Borders are
    near each other within TOLERANCE of the image height, at least one pixel.

    Args:
        predicted: class ids [H,W].
        truth: class ids [H,W]; borders near pixels of class `void` are ignored.
        void: the id of pixels without a true class.

    Returns:
        Four counts: predicted border pixels near a true border, all predicted border pixels, true
        border pixels near a predicted border, and all true border pixels.
    """
    reach = max(TOLERANCE * truth.shape[0], 1.0)
    known = _distance(truth == void) > reach
    guess, real = borders(predicted) & known, borders(truth) & known
    near_real, near_guess = _distance(real) <= reach, _distance(guess) <= reach
    return [(guess & near_real).sum(), guess.sum(), (real & near_guess).sum(), real.sum()]


def borders(ids: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return bool [H,W], True where a pixel differs from one of its four neighbours."""
    edge = np.zeros(ids.shape, bool)
    across, down = ids[:, 1:] != ids[:, :-1], ids[1:] != ids[:-1]
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    return edge


def boundary_scores(sums: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return the boundary F1, `edge/bf1` in 0..1; nan if there is no border at all.

    Args:
        sums: the counts of `boundary_row`, added over scenes, [..., 4].
    """
    near_real, guessed, near_guess, real = np.moveaxis(sums, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(guessed > 0, near_real / guessed, 0)
        recall = np.where(real > 0, near_guess / real, 0)
        both = precision + recall
        f1 = np.where(both > 0, 2 * precision * recall / both, 0)
    return {"edge/bf1": np.where(guessed + real > 0, f1, np.nan)}


def _distance(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return each pixel's distance to the nearest True pixel of a mask, float32 [H,W] in pixels.

    For a mask without True pixels the distance is infinity everywhere.
    """
    if not mask.any():
        return np.full(mask.shape, np.inf, np.float32)
    return np.asarray(
        cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    )


SIZES = {"S": (0, 32**2), "M": (32**2, 96**2), "L": (96**2, np.inf)}
"""The least area and the limit above it in pixels of the scored image, as in COCO."""

INSTANCE_BETTER = {f"inst/recall50_{size}": "higher" for size in SIZES} | {"inst/iiou": "higher"}

SUMS_PER_THING = 5


def instance_row(
    predicted: NDArray[np.int64],
    truth: NDArray[np.int64],
    instance: NDArray[np.int64],
    thing_rows: Mapping[int, int],
    void: int,
) -> list[float]:
    """Count for one scene how well the segmenter finds objects, see `instance_scores`.

    Return for each size in SIZES: the number of instances with the right class on at least half of
    their pixels, and the number of all instances. Then for each class of things: the sum over
    instances of hits / area, the sum of misses / area, the sum of areas, the number of instances,
    and the number of pixels that are predicted as the class by mistake. Groups of objects are no
    instances.

    Args:
        predicted: predicted classes [H,W], as positions among the scored classes.
        truth: true classes [H,W], as positions among the scored classes.
        instance: instance ids [H,W].
        thing_rows: for the position of each class of things the instance id of groups of objects.
        void: the number in `truth` of pixels without a true class.
    """
    found = dict.fromkeys(SIZES, 0.0)
    total = dict.fromkeys(SIZES, 0.0)
    classes: list[float] = []
    for row, group in thing_rows.items():
        here = truth == row
        areas, hits = _areas_and_hits(instance[here], predicted[here] == row, group)
        for size, (least, most) in SIZES.items():
            chosen = (areas >= least) & (areas < most)
            found[size] += float((hits[chosen] * 2 >= areas[chosen]).sum())
            total[size] += float(chosen.sum())
        share = hits / areas
        wrong = float(((predicted == row) & ~here & (truth != void)).sum())
        classes += [share.sum(), (1 - share).sum(), areas.sum(), float(len(areas)), wrong]
    return [n for size in SIZES for n in (found[size], total[size])] + classes


def _areas_and_hits(
    ids: NDArray[np.int64], right: NDArray[np.bool_], group: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return for each instance of one class its pixels, and its pixels with the right class."""
    ids, right = ids[ids != group], right[ids != group]
    _, members, areas = np.unique(ids, return_inverse=True, return_counts=True)
    hits = np.bincount(members, weights=right, minlength=len(areas))
    return areas.astype(np.float64), hits.astype(np.float64)


def instance_scores(sums: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return `inst/recall50_<size>` and `inst/iiou`, in 0..1; nan without an instance.

    The recall is the share of instances with the right class on at least half of their pixels.
    `inst/iiou` is Cityscapes' instance-weighted IoU. The weight of a pixel is the average area of
    instances of its class, divided by the area of its instance, so that small and large objects
    count alike. The average area is taken over the evaluated scenes.

    Args:
        sums: the numbers of `instance_row`, added over scenes, [..., 6 + 5 T] for T classes of
            things.
    """
    scores = {}
    with np.errstate(divide="ignore", invalid="ignore"):
        for number, size in enumerate(SIZES):
            scores[f"inst/recall50_{size}"] = sums[..., 2 * number] / sums[..., 2 * number + 1]
        classes = sums[..., 2 * len(SIZES) :].reshape(*sums.shape[:-1], -1, SUMS_PER_THING)
        hit, missed, area, count, wrong = np.moveaxis(classes, -1, 0)
        weight = area / count
        iiou = weight * hit / (weight * (hit + missed) + wrong)
        known = ~np.isnan(iiou)
        scores["inst/iiou"] = np.where(known, iiou, 0).sum(-1) / known.sum(-1)
    return scores


@METRICS.register_module()
class SegmentationScores(SegmentationMetric):
    """Scores of a segmenter's labels of fake images, by pixel, by border and by instance.

    The scores come from one confusion matrix of the whole data set. `confusion_scores`,
    `boundary_scores` and `instance_scores` (for data with instances of things) define them.

    Args:
        segmenter: the config of the segmenter; its classes come from the data set.
        scored_classes: the names of the scored classes, from the data set.
        scored_ids: for each label the row of its class among the scored classes, or 255.
        thing_ids: for the label of each class of things the instance id of groups of objects.

    Raises:
        UserError: the data has no scored class, or the segmenter cannot be built.
    """

    needs = ("label",)

    def __init__(
        self,
        segmenter: Mapping[str, Any],
        scored_classes: Sequence[str],
        scored_ids: Sequence[int],
        thing_ids: Mapping[str, int],
    ) -> None:
        if not scored_classes:
            raise UserError("Segmentation scores need label classes, and the data has none.")
        self.classes = list(scored_classes)
        count = len(self.classes)
        self.rows = torch.tensor([row if row < count else count for row in scored_ids])
        things = {int(label): group for label, group in thing_ids.items()}
        self.thing_rows = {int(self.rows[i]): group for i, group in things.items()}
        self.thing_rows.pop(count, None)  # a class of things that is not scored
        self.better = CONFUSION_BETTER | BOUNDARY_BETTER
        if self.thing_rows:
            self.better = self.better | INSTANCE_BETTER
        self.unavailable: str | None = None
        self.weight_files: list[Path] = []
        try:
            derived = {"num_classes": count, "scored_classes": self.classes}
            network: Segmenter = SEGMENTERS.build_for(segmenter, derived)
            self.segmenter = network.eval().requires_grad_(False)
            file = network.weights_file
            self.weight_files = [file, *network.weight_files] if file else []
            if network.needs_weights and not file:
                self.unavailable = "The segmenter has no weights; name them in the protocol."
        except MissingWeightsError as error:
            self.unavailable = str(error)

    @torch.inference_mode()
    def measure(self, predictions: Sequence[Prediction]) -> list[NDArray[np.float64]]:
        """Segment the fake images and return for each scene the counts for all scores, float64 [D].

        These are the confusion matrix, the counts of `boundary_row` and, for data with classes of
        things, those of `instance_row`. The latter are 0 for a scene without an instance map.
        """
        labels = self.predict([prediction["fake"] for prediction in predictions])
        return [self._row(*pair) for pair in zip(labels, predictions, strict=True)]

    def predict(self, images: Sequence[Tensor]) -> list[Tensor]:
        """Segment images uint8 [3,H,W]; return for each its pixels' classes, int64 [H,W] in 0..N.

        Classes are positions among the N scored classes; N is "something else". Images of different
        sizes are computed one by one.
        """
        if len({image.shape for image in images}) > 1:
            return [self.predict([image])[0] for image in images]
        batch = torch.stack(list(images))
        return list(self.segmenter.to(batch.device)(batch))

    def true_rows(self, label: Tensor) -> Tensor:
        """Return the pixels' true classes, int64 [H,W] in 0..N, for a label map uint8 [1,H,W].

        Classes are positions among the N scored classes; N stands for classes that are not scored.
        """
        return self.rows.to(label.device)[label[0].long()]

    def _row(self, predicted: Tensor, prediction: Prediction) -> NDArray[np.float64]:
        truth, count = self.true_rows(prediction["label"].to(predicted.device)), len(self.classes)
        counts = full_confusion(predicted, truth, count).flatten().tolist()
        guess, real = predicted.cpu().numpy(), truth.cpu().numpy()
        row = counts + boundary_row(guess, real, void=count)
        if self.thing_rows:
            ids = prediction.get("instance")
            # Without an instance map the objects are unknown, so nothing is counted.
            row += (
                instance_row(guess, real, ids[0].cpu().numpy(), self.thing_rows, count)
                if ids is not None
                else [0.0] * (2 * len(SIZES) + SUMS_PER_THING * len(self.thing_rows))
            )
        return np.array(row, np.float64)

    def scores(self, sums: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Return every segmentation score by name, each an array [...].

        See `confusion_scores`, `boundary_scores` and, for data with things, `instance_scores`.

        Args:
            sums: the counts of `measure`, added over scenes, [..., D].
        """
        count = len(self.classes) + 1
        square, rest = sums[..., : count**2], sums[..., count**2 :]
        counts = square.reshape(*sums.shape[:-1], count, count)
        scores = confusion_scores(counts, self.classes)
        scores |= boundary_scores(rest[..., :NUM_BOUNDARY_SUMS])
        if self.thing_rows:
            scores |= instance_scores(rest[..., NUM_BOUNDARY_SUMS:])
        return scores
