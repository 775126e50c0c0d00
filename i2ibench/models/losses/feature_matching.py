"""Feature matching: the fake should excite the discriminator as the photo does (Eq. 4)."""

import torch
from torch import Tensor

from i2ibench.models.ops.distance import mean_distance
from i2ibench.registry import LOSSES
from i2ibench.registry.contracts import Loss
from i2ibench.structures import Step


@LOSSES.register_module()
class FeatureMatching(Loss):
    """Mean absolute difference of the discriminator's activations on fake and photo.

    By default as in the released code: averaged over scales, 4 times the average over layers (its
    factors 1 / num_D and 4 / (n_layers + 1)), and without the layer of scores.

    Args:
        sum_over_scales: sum over the discriminators, as the paper's Eq. 5 does.
        sum_over_layers: sum over the layers, as the paper's Eq. 4 does.
        with_scores: count the score layer among them; the paper speaks of all T layers.
    """

    needs_discriminator = True

    def __init__(
        self,
        sum_over_scales: bool = False,
        sum_over_layers: bool = False,
        with_scores: bool = False,
    ) -> None:
        super().__init__()
        self.sum_over_scales, self.sum_over_layers = sum_over_scales, sum_over_layers
        self.with_scores = with_scores

    def forward(self, step: Step) -> Tensor:
        """Scalar; the gradient flows through the fake alone."""
        assert step.fake_outputs is not None and step.real_outputs is not None
        scales = zip(step.fake_outputs, step.real_outputs, strict=True)
        distances = torch.stack([self._distance(fake, real) for fake, real in scales])
        return distances.sum() if self.sum_over_scales else distances.mean()

    def _distance(self, fake: list[Tensor], real: list[Tensor]) -> Tensor:
        """The distance at one scale."""
        count = len(fake) if self.with_scores else len(fake) - 1
        pairs = zip(fake[:count], real[:count], strict=True)
        distances = torch.stack([mean_distance(f, r) for f, r in pairs])
        return distances.sum() if self.sum_over_layers else 4 * distances.mean()
