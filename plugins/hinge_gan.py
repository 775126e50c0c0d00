"""Hinge adversarial loss (Lim & Ye 2017, https://arxiv.org/abs/1705.02894)."""

import torch
from torch import Tensor

from i2ibench.registry import LOSSES
from i2ibench.registry.contracts import AdversarialLoss
from i2ibench.structures import DiscriminatorOutput as Output


@LOSSES.register_module()
class HingeGAN(AdversarialLoss):
    """E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(s)))] for D and -E[D(G(s))] for G, over scales."""

    def generator(self, fake: Output) -> Tensor:
        return -torch.stack([layers[-1].mean() for layers in fake]).sum()

    def discriminator(self, real: Output, fake: Output) -> tuple[Tensor, Tensor]:
        on_real = [(1 - layers[-1]).relu().mean() for layers in real]
        on_fake = [(1 + layers[-1]).relu().mean() for layers in fake]
        return torch.stack(on_real).sum(), torch.stack(on_fake).sum()
