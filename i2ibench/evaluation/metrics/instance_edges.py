"""A score of edges between touching objects of one class, which instance maps should produce."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from i2ibench.evaluation.metrics.segmentation import borders
from i2ibench.registry import METRICS
from i2ibench.registry.contracts import Metric
from i2ibench.structures import Prediction

BINS = 256

FEWEST = 500
"""The least number of border pixels for a defined score."""


@METRICS.register_module()
class InstanceEdges(Metric):
    """The contrast of borders between instances of one class, `edge/inst_auc_sobel`.

    The score is the area under the ROC curve of the image's Sobel magnitude, over the pixels of the
    whole data set. Positive pixels lie on a border between two instances of one class of things,
    negative pixels lie inside an instance. The score is 0.5 if touching objects melt into each
    other, and undefined below 500 border pixels (`edge/inst_pixels`).

    Args:
        thing_ids: for the label of each class of things the instance id of groups of objects.
    """

    needs = ("label", "instance")
    better = {"edge/inst_auc_sobel": "higher"}

    def __init__(self, thing_ids: Mapping[str, int]) -> None:
        self.things = {int(label): group for label, group in thing_ids.items()}
        if not self.things:
            self.unavailable = "The data set's class table marks no class as a thing."

    def measure(self, predictions: Sequence[Prediction]) -> list[NDArray[np.float64]]:
        """Return for each scene two histograms of the fake image's Sobel magnitude, float64 [512].

        The first 256 numbers count pixels on borders between two instances of one class of things,
        the others pixels inside an instance. Groups of objects and pixels near other borders are
        left out.
        """
        return [self._row(prediction) for prediction in predictions]

    def _row(self, prediction: Prediction) -> NDArray[np.float64]:
        label = prediction["label"][0].cpu().numpy()
        instance = prediction["instance"][0].cpu().numpy().astype(np.int64)
        inside = np.zeros(label.shape, bool)
        for channel, group in self.things.items():
            inside |= (label == channel) & (instance != group)
        edge = borders(instance)
        between = inside & edge & ~_dilate(borders(label.astype(np.int64)) | ~inside, 1)
        within = inside & ~_dilate(edge, 3)
        strength = gradient(prediction["fake"].permute(1, 2, 0).cpu().numpy())
        bins = np.minimum(strength.astype(np.int64), BINS - 1)
        counts = [np.bincount(bins[mask], minlength=BINS) for mask in (between, within)]
        return np.concatenate(counts).astype(np.float64)

    def scores(self, sums: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Return by score name the area under the ROC curve and the number of border pixels.

        The area is nan below FEWEST border pixels.

        Args:
            sums: the histograms of `measure`, added over scenes, [..., 512].
        """
        positive, negative = sums[..., :BINS], sums[..., BINS:]
        below = np.cumsum(negative, -1) - negative
        pairs = positive.sum(-1) * negative.sum(-1)
        with np.errstate(divide="ignore", invalid="ignore"):
            area = (positive * (below + negative / 2)).sum(-1) / pairs
        count = positive.sum(-1)
        return {
            "edge/inst_auc_sobel": np.where(count >= FEWEST, area, np.nan),
            "edge/inst_pixels": count,
        }


def gradient(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return each pixel's Sobel magnitude, the largest of its channels, float32 [H,W] in 0..361.

    Args:
        image: uint8 [H,W,3].
    """
    values = image.astype(np.float32) / 4  # the positive weights of the kernel sum to 4
    across, down = (cv2.Sobel(values, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    return np.hypot(across, down).max(-1)


def _dilate(mask: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    size = 2 * pixels + 1
    return cv2.dilate(mask.astype(np.uint8), np.ones((size, size), np.uint8)).astype(bool)
