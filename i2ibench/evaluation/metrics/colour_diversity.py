"""Colour diversity: how much the colour of one instance differs between samples of its scene."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from i2ibench.io.devices import most_precise_dtype
from i2ibench.models.styles.instances import instances_of
from i2ibench.registry import METRICS
from i2ibench.registry.contracts import Metric
from i2ibench.structures import Prediction

Floats = NDArray[np.float64]

PER_CLASS = 7
"""Numbers of a class that add: its instances, and their colours' sums and squares by channel."""


@METRICS.register_module()
class ColourDiversity(Metric):
    """The spread of an instance's mean colour between the samples of its scene; needs no weights.

    `div/colour` is the root of the mean variance, over samples (n - 1 in the denominator), channels
    and all instances that cover `min_area` of the image, in levels 0..255: the typical standard
    deviation, whatever the number of samples. 0 for a system that gives one image. Beside it
    `div/colour_photos`, the same over the instances of one class in all photos: how much they truly
    differ. As for LPIPS, more is not better by itself.

    Args:
        classes: names of the classes by label; the data set's.
        min_area: the least share of the image that an instance covers.
    """

    needs = ("label", "instance", "samples")

    def __init__(self, classes: Sequence[str], min_area: float = 1 / 512) -> None:
        self.num_classes, self.min_area = len(classes), min_area
        self.better: dict[str, str] = {}

    def measure(self, predictions: Sequence[Prediction]) -> list[Floats]:
        """Of each scene float64 [2+7N]: instances, their variances' sum, and sums of photo colours.

        Zeros for fewer than two samples.
        """
        return [self._measure(prediction) for prediction in predictions]

    def scores(self, sums: Floats) -> dict[str, Floats]:
        """The two scores, from sums [...,2+7N] of the rows; nan without instances."""
        table = sums[..., 2:].reshape(*sums.shape[:-1], self.num_classes, PER_CLASS)
        count, first, second = table[..., 0], table[..., 1:4], table[..., 4:7]
        squares = np.square(first) / np.maximum(count, 1)[..., None]
        freedom = np.maximum(count - 1, 0).sum(-1)
        with np.errstate(divide="ignore", invalid="ignore"):
            photos = (second - squares).mean(-1).sum(-1) / freedom
            return {
                "div/colour": np.sqrt(sums[..., 1] / sums[..., 0]),
                "div/colour_photos": np.sqrt(np.maximum(photos, 0)),
            }

    def _measure(self, prediction: Prediction) -> Floats:
        found = instances_of(prediction["label"], prediction["instance"])
        large = found.sizes >= self.min_area * found.members.numel()
        samples = prediction["samples"]
        row = np.zeros(2 + PER_CLASS * self.num_classes)
        if len(samples) > 1:
            colours = mean_colours(samples, found.members, found.sizes)[:, large]
            row[:2] = int(large.sum()), float(colours.var(0).mean(1).sum())
        if "real" in prediction:
            photo = mean_colours(prediction["real"][None], found.members, found.sizes)[0, large]
            numbers = torch.cat([torch.ones_like(photo[:, :1]), photo, photo.square()], 1)
            table = numbers.new_zeros(self.num_classes, PER_CLASS)
            table.index_add_(0, found.labels[large], numbers)
            row[2:] = table.flatten().cpu().numpy()
        return row


def mean_colours(images: Tensor, members: Tensor, sizes: Tensor) -> Tensor:
    """Return the mean colour of every instance in every image, [S,n,3] in 0..255.

    Args:
        images: uint8 [S,3,H,W].
        members: int64 [H,W], per pixel the number of its instance.
        sizes: int64 [n], pixels of each.
    """
    pixels = images.flatten(2).permute(2, 0, 1).to(most_precise_dtype(images.device))
    sums = pixels.new_zeros(len(sizes), *pixels.shape[1:]).index_add_(0, members.flatten(), pixels)
    return (sums / sizes[:, None, None]).permute(1, 0, 2)
