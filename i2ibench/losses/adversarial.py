"""Adversarial losses: what the discriminator and the generator do to each other's scores."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2ibench.registry import LOSSES
from i2ibench.structures import Scales


@LOSSES.register_module()
class LeastSquaresGAN(nn.Module):
    """Squared distance of the scores from 1 (real) or 0 (fake), summed over scales.

    LSGAN (Mao et al. 2017), Eq. 2 of pix2pixHD. As in the released code the discriminator's two
    terms are halved; the paper states no factor.
    """

    def generator(self, fake: Scales) -> Tensor:
        """The generator's scalar loss: its images should score 1."""
        return _sum_over_scales(fake, self._distance, 1.0)

    def discriminator(self, real: Scales, fake: Scales) -> tuple[Tensor, Tensor]:
        """The discriminator's scalar losses on the photos and on the generated images."""
        on_real = 0.5 * _sum_over_scales(real, self._distance, 1.0)
        return on_real, 0.5 * _sum_over_scales(fake, self._distance, 0.0)

    @staticmethod
    def _distance(scores: Tensor, target: float) -> Tensor:
        return (scores - target).square().mean()


@LOSSES.register_module()
class VanillaGAN(nn.Module):
    """Binary cross entropy of the scores, taken as logits, summed over scales.

    Goodfellow et al. 2014 with the non-saturating generator loss, as in pix2pix; the
    discriminator's two terms are halved there too.
    """

    def generator(self, fake: Scales) -> Tensor:
        """The generator's scalar loss: its images should pass for real."""
        return _sum_over_scales(fake, self._entropy, 1.0)

    def discriminator(self, real: Scales, fake: Scales) -> tuple[Tensor, Tensor]:
        """The discriminator's scalar losses on the photos and on the generated images."""
        on_real = 0.5 * _sum_over_scales(real, self._entropy, 1.0)
        return on_real, 0.5 * _sum_over_scales(fake, self._entropy, 0.0)

    @staticmethod
    def _entropy(scores: Tensor, target: float) -> Tensor:
        return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, target))


def _sum_over_scales(
    scales: Scales, distance: Callable[[Tensor, float], Tensor], target: float
) -> Tensor:
    return torch.stack([distance(layers[-1], target) for layers in scales]).sum()
