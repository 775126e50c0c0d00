"""How much the translations of one scene differ from each other."""

from collections.abc import Sequence
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from i2ibench.metrics.perceptual import PerceptualNetwork, mean
from i2ibench.registry import METRICS
from i2ibench.structures import Prediction

Floats = NDArray[np.float64]


@METRICS.register_module()
class PerceptualDiversity:
    """Mean LPIPS over all pairs of a scene's samples, averaged over scenes (Zhu et al. 2017).

    A system that gives one picture whatever the style scores 0. More is not better by itself:
    noise is diverse too, so read it beside the distance from the photo.

    Args:
        net: "alex", the usual one, or "vgg".
        weights: the trunk's state dict; None looks for torchvision's own.
    """

    kind = "additive"
    needs: tuple[str, ...] = ("samples",)

    def __init__(self, net: Literal["alex", "vgg"] = "alex", weights: str | None = None) -> None:
        self.network = PerceptualNetwork(net, weights)
        self.unavailable = self.network.unavailable
        self.weight_files = self.network.weight_files
        self.better: dict[str, str] = {}

    def measure(self, predictions: Sequence[Prediction]) -> list[Floats]:
        """Of each scene float64 [2]: 1 and its mean distance; 0 and 0 for fewer than two samples.

        Raises:
            UserError: the weights file does not hold the trunk.
        """
        rows = []
        for prediction in predictions:
            pairs = combinations(prediction["samples"], 2)
            distances = [self.network.distance(a, b) for a, b in pairs]
            rows.append(np.array([1, np.mean(distances)]) if distances else np.zeros(2))
        return rows

    def scores(self, sums: Floats) -> dict[str, Floats]:
        """The mean over scenes, from sums [...,2] of their rows; nan without samples."""
        return {f"div/{self.network.name}": mean(sums[..., 1], sums[..., 0])}
