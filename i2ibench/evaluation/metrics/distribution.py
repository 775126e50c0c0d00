"""FID and KID: distances between the distributions of fake and real images."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2ibench.evaluation.features.networks import FEATURES, SetScore
from i2ibench.evaluation.metrics.distances import frechet_score, kernel_score
from i2ibench.registry import METRICS
from i2ibench.registry.contracts import Metric
from i2ibench.structures import Prediction

Rows = NDArray[np.float32]


@METRICS.register_module()
class DistributionDistance(Metric):
    """Fréchet distance (Heusel et al. 2017) and kernel distance (Binkowski et al. 2018).

    Both use one set of features. The scores are `fid` and `kid` for the Inception network of
    2015-12-05, else `fd_<network>` and `kid_<network>`. They do not depend on the condition: real
    images that are shuffled among the label maps have the same scores.

    Args:
        features: the config of the feature network; None for clean-fid's Inception.
    """

    kind = "set"

    def __init__(self, features: Mapping[str, Any] | None = None) -> None:
        self.features = FEATURES.build(features or {"type": "InceptionFeatures"})
        self.unavailable: str | None = self.features.unavailable
        self.weight_files: list[Path] = self.features.weight_files
        names = (self.features.frechet_name, self.features.kernel_name)
        self.better = dict.fromkeys(names, "lower")

    def measure(self, predictions: Sequence[Prediction]) -> list[Rows]:
        """Return for each scene the feature vector of its fake image, float32 [1,D].

        Raises:
            UserError: the weights file cannot be used.
        """
        return [self.features.extract(p["fake"][None]).cpu().numpy() for p in predictions]

    def set_scores(self, rows: Rows, reference: Rows) -> dict[str, SetScore]:
        """Return by score name the Fréchet and kernel distance (FID, KID) of two sets of features.

        Args:
            rows: features of all fake images, [n,D].
            reference: features of all real images, [m,D].
        """
        return {
            self.features.frechet_name: frechet_score(rows, reference),
            self.features.kernel_name: kernel_score(rows, reference),
        }
