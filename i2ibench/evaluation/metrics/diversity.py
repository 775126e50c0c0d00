"""Diversity: the mean distance between translations of one scene."""

from collections.abc import Sequence
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from i2ibench.evaluation.metrics.perceptual import PerceptualNetwork, mean
from i2ibench.registry import METRICS
from i2ibench.registry.contracts import Metric
from i2ibench.structures import Prediction

Floats = NDArray[np.float64]

ROOM = 2**31
"""Bytes that the features of one scene's samples may take."""


@METRICS.register_module()
class PerceptualDiversity(Metric):
    """Mean LPIPS over all pairs of a scene's samples, averaged over scenes (Zhu et al. 2017).

    A system that gives one image whatever the style scores 0. More is not better by itself:
    noise is diverse too, so read it beside the distance from the photo.

    Args:
        net: "alex", the usual one, or "vgg".
        weights: the trunk's state dict; None looks for torchvision's own.
    """

    needs = ("samples",)

    def __init__(self, net: Literal["alex", "vgg"] = "alex", weights: str | None = None) -> None:
        self.network = PerceptualNetwork(net, weights)
        self.unavailable = self.network.unavailable
        self.weight_files = self.network.weight_files
        self.better: dict[str, str] = {}

    def measure(self, predictions: Sequence[Prediction]) -> list[Floats]:
        """Return for each scene float64 [2]: 1 and its mean distance; zeros below two samples.

        Raises:
            UserError: the weights file does not hold the trunk.
        """
        rows = []
        for prediction in predictions:
            distances = self._distances(prediction["samples"])
            rows.append(np.array([1, np.mean(distances)]) if distances else np.zeros(2))
        return rows

    def _distances(self, samples: Tensor) -> list[float]:
        """Of every pair; each image goes through the network once if there is room for them."""
        if len(samples) < 2:
            return []
        first = self.network.features(samples[0])
        if len(samples) * sum(layer.nbytes for layer in first) > ROOM:
            return [self.network.distance(a, b) for a, b in combinations(samples, 2)]
        seen = [first, *(self.network.features(sample) for sample in samples[1:])]
        return [self.network.between(a, b) for a, b in combinations(seen, 2)]

    def scores(self, sums: Floats) -> dict[str, Floats]:
        """The mean over scenes, from sums [...,2] of their rows; nan without samples."""
        return {f"div/{self.network.name}": mean(sums[..., 1], sums[..., 0])}
