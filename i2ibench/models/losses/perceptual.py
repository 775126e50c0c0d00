"""The perceptual loss of pix2pixHD, which compares VGG19 activations (Sec. 4)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from i2ibench.errors import UserError
from i2ibench.models.layers.vgg import (
    FIRST_RELU_OF_EACH_BLOCK,
    normalise_for_imagenet,
    pretrained_vgg19,
)
from i2ibench.models.ops.images import as_rgb
from i2ibench.models.ops.l1_distance import mean_distance
from i2ibench.registry import LOSSES
from i2ibench.registry.contracts import Loss
from i2ibench.structures import Step


@LOSSES.register_module()
class PerceptualLoss(Loss):
    """Weighted sum of mean absolute differences between VGG19 activations.

    Args:
        layer_weights: one weight per tap, shallow to deep. The default is the released code's. The
            paper states none, which means (1, 1, 1, 1, 1).
        taps: indices into torchvision's `vgg19().features`.
        weights: path of a VGG19 state dict; None takes torchvision's cached file.
        imagenet_statistics: normalise the images by ImageNet's statistics. The released code feeds
            VGG19 with images in [-1, 1].

    Raises:
        UserError: the numbers of weights and taps differ, or VGG19's weights are missing.
    """

    def __init__(
        self,
        layer_weights: Sequence[float] = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0),
        taps: Sequence[int] = FIRST_RELU_OF_EACH_BLOCK,
        weights: str | None = None,
        imagenet_statistics: bool = False,
    ) -> None:
        super().__init__()
        if len(layer_weights) != len(taps):
            raise UserError(
                f"The perceptual loss has {len(layer_weights)} layer_weights for {len(taps)} taps; "
                "give one for each."
            )
        self.layer_weights = tuple(layer_weights)
        self.imagenet_statistics = imagenet_statistics
        self.network = pretrained_vgg19(taps, weights)

    def forward(self, step: Step) -> Tensor:
        """Return the weighted sum of the mean absolute differences of VGG19 activations, a scalar.

        They compare the step's fake with its real images. Only the fake images get a gradient.

        Raises:
            UserError: the images have neither one nor three channels.
        """
        fake, real = (
            as_rgb(x, "VGG19, which the loss compares by,") for x in (step.fake, step.real)
        )
        if self.imagenet_statistics:
            fake, real = normalise_for_imagenet(fake), normalise_for_imagenet(real)
        with torch.no_grad():  # first, since nothing is then kept for the fakes
            real_layers = self.network(real)
        fake_layers = self.network(fake)
        terms = []
        for weight in reversed(self.layer_weights):  # the largest activations come last
            terms.append(weight * mean_distance(fake_layers.pop(), real_layers.pop()))
        return torch.stack(terms[::-1]).sum()
