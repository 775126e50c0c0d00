"""The perceptual loss: fake and photo should look alike to VGG19 (Sec. 4, "our loss")."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2ibench.layers.vgg import FIRST_RELU_OF_EACH_BLOCK, pretrained_vgg19
from i2ibench.registry import LOSSES
from i2ibench.structures import Step


@LOSSES.register_module()
class PerceptualLoss(nn.Module):
    """Weighted sum of mean absolute differences between VGG19 activations.

    Images enter in [-1, 1], without ImageNet's mean and deviation, as in the released code.

    Args:
        layer_weights: one weight per tap, shallow to deep: the released code's 1/32 ... 1.
        taps: indices into torchvision's `vgg19().features`.
        weights: path of a VGG19 state dict; None takes torchvision's cached one.
    """

    def __init__(
        self,
        layer_weights: Sequence[float] = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0),
        taps: Sequence[int] = FIRST_RELU_OF_EACH_BLOCK,
        weights: str | None = None,
    ) -> None:
        super().__init__()
        self.layer_weights = tuple(layer_weights)
        self.network = pretrained_vgg19(taps, weights)

    def forward(self, step: Step) -> Tensor:
        """Scalar; the gradient flows through the fake alone."""
        fake_layers = self.network(step.fake)
        with torch.no_grad():
            real_layers = self.network(step.real)
        layers = zip(self.layer_weights, fake_layers, real_layers, strict=True)
        return torch.stack([w * F.l1_loss(fake, real) for w, fake, real in layers]).sum()
