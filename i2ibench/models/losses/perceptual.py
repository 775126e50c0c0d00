"""The perceptual loss of pix2pixHD, which compares activations of VGG19 (Sec. 4) or its like."""

from collections.abc import Sequence

import torch
from torch import Tensor

from i2ibench.errors import UserError
from i2ibench.models.layers.imagenet_features import (
    imagenet_network,
    normalise_for_imagenet,
    pretrained_features,
)
from i2ibench.models.ops.images import as_rgb
from i2ibench.models.ops.l1_distance import mean_distance
from i2ibench.registry import LOSSES
from i2ibench.registry.contracts import Loss
from i2ibench.structures import Step


@LOSSES.register_module()
class PerceptualLoss(Loss):
    """Weighted sum of mean absolute differences between activations of an ImageNet network.

    Args:
        layer_weights: one weight per tap, shallow to deep. The default is the released code's. The
            paper states none, which means (1, 1, 1, 1, 1).
        network: "vgg19" as in the paper, "vgg16", or "alexnet", which costs a twentieth of it.
            Do not report LPIPS of the network that the loss compares by.
        taps: indices into the `features` of torchvision's network; None for one of each block.
        weights: path of the network's state dict; None looks where torchvision caches it.
        imagenet_statistics: normalise the images by ImageNet's statistics. The released code feeds
            VGG19 with images in [-1, 1].

    Raises:
        UserError: the network is unknown, the numbers of weights and taps differ, or the network's
            weights are missing.
    """

    def __init__(
        self,
        layer_weights: Sequence[float] = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0),
        network: str = "vgg19",
        taps: Sequence[int] | None = None,
        weights: str | None = None,
        imagenet_statistics: bool = False,
    ) -> None:
        super().__init__()
        taps = imagenet_network(network).taps if taps is None else taps
        if len(layer_weights) != len(taps):
            raise UserError(
                f"The perceptual loss has {len(layer_weights)} layer_weights for {len(taps)} taps; "
                "give one for each."
            )
        self.layer_weights = tuple(layer_weights)
        self.imagenet_statistics = imagenet_statistics
        self.network = pretrained_features(network, taps, weights)

    def forward(self, step: Step) -> Tensor:
        """Return the weighted sum of the mean absolute differences of the activations, a scalar.

        They compare the step's fake with its real images. Only the fake images get a gradient.

        Raises:
            UserError: the images have neither one nor three channels.
        """
        fake, real = (
            as_rgb(x, "The network of the perceptual loss") for x in (step.fake, step.real)
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
