"""Diversity of the samples of one scene: LPIPS between images, and colours of instances."""

from collections.abc import Sequence
from itertools import combinations
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from i2ibench.evaluation.metrics.perceptual import PerceptualNetwork, mean
from i2ibench.io.devices import most_precise_dtype
from i2ibench.models.ops.instance_regions import instances_of
from i2ibench.registry import METRICS
from i2ibench.registry.contracts import Metric
from i2ibench.structures import Prediction

Floats = NDArray[np.float64]

MAX_FEATURE_BYTES = 2**31
"""The largest memory in bytes for the features of the samples of one scene."""


@METRICS.register_module()
class PerceptualDiversity(Metric):
    """Mean LPIPS between all pairs of samples of a scene, averaged over scenes (Zhu et al. 2017).

    A system that makes the same image for every style has 0. A higher value alone is not better,
    because noise is diverse too. Read it together with the distance from the real image.

    Args:
        net: "alex", the usual network, or "vgg".
        weights: the state dict of the trunk. None looks for torchvision's file.
    """

    needs = ("samples",)

    def __init__(self, net: Literal["alex", "vgg"] = "alex", weights: str | None = None) -> None:
        self.network = PerceptualNetwork(net, weights)
        self.unavailable = self.network.unavailable
        self.weight_files = self.network.weight_files
        self.better: dict[str, str] = {}

    def measure(self, predictions: Sequence[Prediction]) -> list[Floats]:
        """Return for each scene float64 [2]: 1, and the mean LPIPS over all pairs of its samples.

        A scene with fewer than two samples has zeros, so that it does not count.

        Raises:
            UserError: the weights file does not hold the trunk.
        """
        rows = []
        for prediction in predictions:
            distances = self._distances(prediction["samples"])
            rows.append(np.array([1, np.mean(distances)]) if distances else np.zeros(2))
        return rows

    def _distances(self, samples: Tensor) -> list[float]:
        """Return the LPIPS of every pair of samples uint8 [S,3,H,W]; [] for fewer than two samples.

        The features of all samples are kept, so that each is computed once, unless they need more
        than MAX_FEATURE_BYTES.
        """
        if len(samples) < 2:
            return []
        first = self.network.features(samples[0])
        if len(samples) * sum(layer.nbytes for layer in first) > MAX_FEATURE_BYTES:
            return [self.network.distance(a, b) for a, b in combinations(samples, 2)]
        features = [first, *(self.network.features(sample) for sample in samples[1:])]
        return [self.network.between(a, b) for a, b in combinations(features, 2)]

    def scores(self, sums: Floats) -> dict[str, Floats]:
        """Return `div/<network>`, the mean LPIPS between samples of a scene, averaged over scenes.

        Args:
            sums: the rows of `measure`, added over scenes, [...,2]. The score is nan if no scene
                has at least two samples.
        """
        return {f"div/{self.network.name}": mean(sums[..., 1], sums[..., 0])}


SUMS_PER_CLASS = 7
"""Sums for each class: instances, then colours and squared colours by channel."""


@METRICS.register_module()
class ColourDiversity(Metric):
    """The variation of the mean colour of an instance between samples of its scene.

    `div/colour` is the square root of a variance between samples (n - 1 in the denominator) that is
    averaged over channels and over all instances that cover `min_area` of the image. It is the
    typical standard deviation in levels 0..255, whatever the number of samples, and 0 for a system
    that makes the same image every time. `div/colour_photos` is the same for all instances of one
    class in the real images. As for LPIPS, a higher value alone is not better.

    Args:
        classes: the names of the classes by label, from the data set.
        min_area: the least area of an instance, as a share of the image.
    """

    needs = ("label", "instance", "samples")

    def __init__(self, classes: Sequence[str], min_area: float = 1 / 512) -> None:
        self.num_classes, self.min_area = len(classes), min_area
        self.better: dict[str, str] = {}

    def measure(self, predictions: Sequence[Prediction]) -> list[Floats]:
        """Return for each scene float64 [2+7N]: instances, sum of variances, seven sums by class.

        Only instances that cover at least `min_area` of the image count. Instances and variances
        are 0 for fewer than two samples. The seven sums of a class are the number of its instances,
        and their mean colours in the real image, added by channel, as they are and squared. They
        are 0 without a real image.
        """
        return [self._measure(prediction) for prediction in predictions]

    def scores(self, sums: Floats) -> dict[str, Floats]:
        """Return `div/colour` and `div/colour_photos`, standard deviations in levels of 0..255.

        `div/colour` is nan without instances. `div/colour_photos` is nan unless a class has two.

        Args:
            sums: the rows of `measure`, added over scenes, [...,2+7N].
        """
        table = sums[..., 2:].reshape(*sums.shape[:-1], self.num_classes, SUMS_PER_CLASS)
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
        own = instances_of(prediction["label"], prediction["instance"])
        large = own.sizes >= self.min_area * own.members.numel()
        samples = prediction["samples"]
        row = np.zeros(2 + SUMS_PER_CLASS * self.num_classes)
        if len(samples) > 1:
            colours = mean_colours(samples, own.members, own.sizes)[:, large]
            row[:2] = int(large.sum()), float(colours.var(0).mean(1).sum())
        if "real" in prediction:
            photo = mean_colours(prediction["real"][None], own.members, own.sizes)[0, large]
            numbers = torch.cat([torch.ones_like(photo[:, :1]), photo, photo.square()], 1)
            table = numbers.new_zeros(self.num_classes, SUMS_PER_CLASS)
            table.index_add_(0, own.labels[large], numbers)
            row[2:] = table.flatten().cpu().numpy()
        return row


def mean_colours(images: Tensor, members: Tensor, sizes: Tensor) -> Tensor:
    """Return the mean colour of every instance in every image, [S,n,3] in 0..255.

    Args:
        images: uint8 [S,3,H,W].
        members: int64 [H,W], for each pixel the number of its instance.
        sizes: int64 [n], the number of pixels of each instance.
    """
    pixels = images.flatten(2).permute(2, 0, 1).to(most_precise_dtype(images.device))
    sums = pixels.new_zeros(len(sizes), *pixels.shape[1:]).index_add_(0, members.flatten(), pixels)
    return (sums / sizes[:, None, None]).permute(1, 0, 2)
