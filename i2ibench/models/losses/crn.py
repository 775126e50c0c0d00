"""The losses of the cascaded refinement network (Chen & Koltun 2017, Sec. 3 and 4)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2ibench.errors import UserError
from i2ibench.models.layers.imagenet_features import (
    IMAGENET_STD,
    SECOND_RELU_OF_EACH_BLOCK,
    normalise_for_imagenet,
    pretrained_features,
)
from i2ibench.models.ops.images import as_rgb
from i2ibench.registry import LOSSES
from i2ibench.registry.contracts import Loss
from i2ibench.structures import Step

FEATURE_SCALE = 255 * sum(IMAGENET_STD) / 3
"""The factor from torchvision's VGG19 activations to MatConvNet's.

The input of MatConvNet's VGG19 is in grey levels. torchvision divides the input by ImageNet's
standard deviation. The released layer weights are for MatConvNet's activations."""

WEIGHTS_512P = (1.0, 1 / 2.6, 1 / 4.8, 1 / 3.7, 1 / 5.6, 10 / 1.5)
"""The released weights of the 512p and 1024p models: input, conv1_2 ... conv5_2."""

WEIGHTS_256P = (1.0, 1 / 1.6, 1 / 2.3, 1 / 1.8, 1 / 2.8, 10 / 0.8)
"""The released weights of the 256p model."""


@LOSSES.register_module()
class CRNLoss(Loss):
    """Weighted mean absolute differences of the pixels and of five VGG19 layers (Eq. 1).

    VGG19 has average pooling instead of max pooling. Its weights are torchvision's, for inputs that
    are normalised by ImageNet's statistics. The released code has MatConvNet's, for inputs of
    0..255 minus the mean. The pixel term is in grey levels of 0..255 in both.

    Args:
        layer_weights: weights of the input and of conv1_2, conv2_2, conv3_2, conv4_2, conv5_2.
        weights: path of a VGG19 state dict; None takes torchvision's cached file.
    """

    def __init__(
        self, layer_weights: Sequence[float] = WEIGHTS_512P, weights: str | None = None
    ) -> None:
        super().__init__()
        self.layer_weights = tuple(layer_weights)
        self.levels = _ImageAndFeatures(weights)

    def forward(self, step: Step) -> Tensor:
        """Return the weighted sum of mean absolute differences of fake and real images, a scalar.

        The differences are those of the pixels in grey levels and of five VGG19 layers. Only the
        step's fake images get a gradient.

        Raises:
            UserError: the images have neither one nor three channels.
        """
        levels = zip(self.levels(step.fake), self.levels(step.real), strict=True)
        terms = [F.l1_loss(fake, real) for fake, real in levels]
        weighted = zip(self.layer_weights, terms, strict=True)
        return torch.stack([weight * term for weight, term in weighted]).sum()


@LOSSES.register_module()
class DiversityLoss(Loss):
    """The minimum over K images for each class, plus a small share of the mean (Eq. 2).

    The fake holds K images, B(CK)HW. The condition's channels are taken as masks of the classes, so
    that it should have no boundary map (`data_preprocessor.boundaries=False`).

    Args:
        layer_weights: weights of the input and of conv1_2, conv2_2, conv3_2, conv4_2, conv5_2.
        weights: path of a VGG19 state dict; None takes torchvision's cached file.
        mean_share: the share of the mean over the K images; the rest is the minimum's.
    """

    def __init__(
        self,
        layer_weights: Sequence[float] = WEIGHTS_256P,
        weights: str | None = None,
        mean_share: float = 0.001,
    ) -> None:
        super().__init__()
        self.layer_weights = tuple(layer_weights)
        self.levels = _ImageAndFeatures(weights)
        self.mean_share = mean_share

    def forward(self, step: Step) -> Tensor:
        """Return the loss of the K fake images of each scene, a scalar; only they get a gradient.

        Each class counts the image with the smallest difference to the real image, with a share of
        `mean_share` for the mean of all K. Classes are summed, scenes averaged.

        Raises:
            UserError: the channels of the step's fake images are no multiple of the real ones', or
                the images have neither one nor three channels.
        """
        channels = step.real.shape[1]
        if step.fake.shape[1] % channels:
            raise UserError(
                f"DiversityLoss needs K images of {channels} channels, got {step.fake.shape[1]} "
                "channels in all: set generator.num_outputs to K."
            )
        with torch.no_grad():
            real = self.levels(step.real)
        images = step.fake.split(channels, dim=1)
        losses = torch.stack([self._by_class(image, real, step.condition) for image in images])
        best, mean = losses.min(0).values, losses.mean(0)
        return ((1 - self.mean_share) * best + self.mean_share * mean).sum(1).mean()

    def _by_class(self, image: Tensor, real: list[Tensor], masks: Tensor) -> Tensor:
        """Return the difference of an image to the real image on each class, BN for N classes.

        The weighted sum of pixels and five VGG19 layers is zero outside of the class, and averaged
        over all pixels of the image, so that small classes count little.
        """
        total = masks.new_zeros(masks.shape[:2])
        for weight, a, b in zip(self.layer_weights, self.levels(image), real, strict=True):
            difference = (a - b).abs().mean(1, keepdim=True)
            small = F.interpolate(masks, size=a.shape[-2:], mode="area")
            total = total + weight * (small * difference).mean((2, 3))
        return total


class _ImageAndFeatures(nn.Module):
    """A module that returns the image in grey levels and five VGG19 activations.

    Its input is BCHW in [-1, 1] with one or three channels.
    """

    def __init__(self, weights: str | None) -> None:
        super().__init__()
        self.network = pretrained_features(
            "vgg19", SECOND_RELU_OF_EACH_BLOCK, weights, average_pooling=True
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        image = as_rgb(image, "VGG19, which the loss compares by,")
        layers = self.network(normalise_for_imagenet(image))
        return [image * 127.5, *(FEATURE_SCALE * layer for layer in layers)]
