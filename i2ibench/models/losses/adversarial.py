"""Adversarial losses: what the discriminator and the generator do to each other's scores."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from i2ibench.registry import LOSSES
from i2ibench.registry.contracts import AdversarialLoss
from i2ibench.structures import DiscriminatorOutput


@LOSSES.register_module()
class LeastSquaresGAN(AdversarialLoss):
    """Squared distance of the scores from 1 (real) or 0 (fake): LSGAN (Mao et al. 2017).

    Args:
        mean_over_scales: average over the discriminators instead of summing as Eq. 3 does.
        halve_discriminator: halve the discriminator's two terms, as the released code does; the
            paper states no factor. The log shows them without the factor.

    Attributes:
        discriminator_weights: by term of the discriminator (real, fake) the factor in it.
    """

    def __init__(self, mean_over_scales: bool = False, halve_discriminator: bool = True) -> None:
        super().__init__()
        self.distances = _Distances(_squared, mean_over_scales, halve_discriminator)
        self.discriminator_weights = self.distances.discriminator_weights

    def generator(self, fake: DiscriminatorOutput) -> Tensor:
        """The generator's scalar loss: its images should score 1."""
        return self.distances.from_target(fake, 1.0)

    def discriminator(
        self, real: DiscriminatorOutput, fake: DiscriminatorOutput
    ) -> tuple[Tensor, Tensor]:
        """The discriminator's scalar losses on the photos and on the generated images."""
        return self.distances.of_both(real, fake)


@LOSSES.register_module()
class VanillaGAN(AdversarialLoss):
    """Binary cross entropy of the scores, taken as logits (Goodfellow et al. 2014).

    The generator's side is the non-saturating one, as in pix2pix.

    Args:
        mean_over_scales: average over the discriminators instead of summing.
        halve_discriminator: halve the discriminator's two terms, as pix2pix's code does. The log
            shows them without the factor.

    Attributes:
        discriminator_weights: by term of the discriminator (real, fake) the factor in it.
    """

    def __init__(self, mean_over_scales: bool = False, halve_discriminator: bool = True) -> None:
        super().__init__()
        self.distances = _Distances(_cross_entropy, mean_over_scales, halve_discriminator)
        self.discriminator_weights = self.distances.discriminator_weights

    def generator(self, fake: DiscriminatorOutput) -> Tensor:
        """The generator's scalar loss: its images should pass for real."""
        return self.distances.from_target(fake, 1.0)

    def discriminator(
        self, real: DiscriminatorOutput, fake: DiscriminatorOutput
    ) -> tuple[Tensor, Tensor]:
        """The discriminator's scalar losses on the photos and on the generated images."""
        return self.distances.of_both(real, fake)


@dataclass(frozen=True)
class _Distances:
    """Distances of the scores of all scales from a target, as one scalar."""

    distance: Callable[[Tensor, float], Tensor]
    mean_over_scales: bool
    halve: bool

    @property
    def discriminator_weights(self) -> dict[str, float]:
        return dict.fromkeys(("real", "fake"), 0.5 if self.halve else 1.0)

    def of_both(
        self, real: DiscriminatorOutput, fake: DiscriminatorOutput
    ) -> tuple[Tensor, Tensor]:
        factor = 0.5 if self.halve else 1.0
        return factor * self.from_target(real, 1.0), factor * self.from_target(fake, 0.0)

    def from_target(self, scales: DiscriminatorOutput, target: float) -> Tensor:
        distances = torch.stack([self.distance(layers[-1].float(), target) for layers in scales])
        return distances.mean() if self.mean_over_scales else distances.sum()


def _squared(scores: Tensor, target: float) -> Tensor:
    return (scores - target).square().mean()


def _cross_entropy(scores: Tensor, target: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, target))
