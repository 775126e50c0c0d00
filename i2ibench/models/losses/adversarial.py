"""The adversarial losses of pix2pixHD (least squares) and of pix2pix (cross entropy)."""

from abc import abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor

from i2ibench.registry import LOSSES
from i2ibench.registry.contracts import AdversarialLoss
from i2ibench.structures import DiscriminatorOutput


class _ScoreDistanceGAN(AdversarialLoss):
    """An adversarial loss that is the distance of all scores from 1 (real) or 0 (fake)."""

    def __init__(self, mean_over_scales: bool = False, halve_discriminator: bool = True) -> None:
        super().__init__()
        self.mean_over_scales = mean_over_scales
        self.factor = 0.5 if halve_discriminator else 1.0
        self.discriminator_weights = {"real": self.factor, "fake": self.factor}

    def generator(self, fake: DiscriminatorOutput) -> Tensor:
        """Return the generator's loss, a scalar: the distance of the fake images' scores from 1.

        Each scale gives the mean over its scores. The scales are summed, or averaged with
        `mean_over_scales`.

        Args:
            fake: the discriminator's outputs for the fake images; only the scores, the last layer,
                count.
        """
        return self._total_distance(fake, 1.0)

    def discriminator(
        self, real: DiscriminatorOutput, fake: DiscriminatorOutput
    ) -> tuple[Tensor, Tensor]:
        """Return the discriminator's scalar losses for the real and for the fake images.

        They are the distances of real scores from 1 and of fake scores from 0, each halved with
        `halve_discriminator`. Each scale gives a mean. The scales are summed, or averaged with
        `mean_over_scales`.

        Args:
            real: the discriminator's outputs for the real images; only the scores, the last layer,
                count.
            fake: the discriminator's outputs for the fake images.
        """
        on_real, on_fake = self._total_distance(real, 1.0), self._total_distance(fake, 0.0)
        return self.factor * on_real, self.factor * on_fake

    def _total_distance(self, outputs: DiscriminatorOutput, target: float) -> Tensor:
        distances = torch.stack([self._distance(layers[-1].float(), target) for layers in outputs])
        return distances.mean() if self.mean_over_scales else distances.sum()

    @abstractmethod
    def _distance(self, scores: Tensor, target: float) -> Tensor:
        """Return the mean distance of the scores of one scale from the target, a scalar."""


@LOSSES.register_module()
class LeastSquaresGAN(_ScoreDistanceGAN):
    """Squared distance of the scores from 1 (real) or 0 (fake): LSGAN (Mao et al. 2017).

    Args:
        mean_over_scales: average over the discriminators instead of summing as Eq. 3 does.
        halve_discriminator: halve the discriminator's two terms, as the released code does; the
            paper states no factor. The log shows the terms without the factor.

    Attributes:
        discriminator_weights: the factor of each of the discriminator's terms (real, fake).
    """

    def _distance(self, scores: Tensor, target: float) -> Tensor:
        return (scores - target).square().mean()


@LOSSES.register_module()
class VanillaGAN(_ScoreDistanceGAN):
    """Binary cross entropy of the scores, taken as logits (Goodfellow et al. 2014).

    The generator's loss is the non-saturating one, as in pix2pix.

    Args:
        mean_over_scales: average over the discriminators instead of summing.
        halve_discriminator: halve the discriminator's two terms, as pix2pix's code does. The log
            shows the terms without the factor.

    Attributes:
        discriminator_weights: the factor of each of the discriminator's terms (real, fake).
    """

    def _distance(self, scores: Tensor, target: float) -> Tensor:
        return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, target))
