"""The feature matching loss of pix2pixHD (Eq. 4)."""

import torch
from torch import Tensor

from i2ibench.models.ops.l1_distance import mean_distance
from i2ibench.registry import LOSSES
from i2ibench.registry.contracts import Loss
from i2ibench.structures import Step


@LOSSES.register_module()
class FeatureMatching(Loss):
    """Mean absolute difference of the discriminator's activations for fake and real images.

    By default it equals the released code: the average over scales of 4 times the average over
    layers, without the scores. Its factors are 1 / num_D and 4 / (n_layers + 1).

    Args:
        sum_over_scales: sum over the discriminators, as the paper's Eq. 5 does.
        sum_over_layers: sum over the layers, as the paper's Eq. 4 does.
        with_scores: include the layer of scores, as the paper's "all T layers" may mean.
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
        """Return the distance of the discriminator's activations for fake and real images.

        The result is a scalar. The scales are averaged, or summed with `sum_over_scales`. Only the
        fake images get a gradient.

        Args:
            step: the training step, with the discriminator's outputs for fake and real images.
        """
        assert step.fake_outputs is not None and step.real_outputs is not None
        scales = zip(step.fake_outputs, step.real_outputs, strict=True)
        distances = torch.stack([self._distance(fake, real) for fake, real in scales])
        return distances.sum() if self.sum_over_scales else distances.mean()

    def _distance(self, fake: list[Tensor], real: list[Tensor]) -> Tensor:
        """Return the distance at one scale: 4 times the mean over the layers' mean differences.

        With `sum_over_layers`, the scalar is their sum without the factor 4. The scores count only
        with `with_scores`.
        """
        count = len(fake) if self.with_scores else len(fake) - 1
        pairs = zip(fake[:count], real[:count], strict=True)
        distances = torch.stack([mean_distance(f, r) for f, r in pairs])
        return distances.sum() if self.sum_over_layers else 4 * distances.mean()
