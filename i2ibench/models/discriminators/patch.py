"""The patch discriminator (pix2pix Sec. 3.2.2, in pix2pixHD's form)."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from i2ibench.models.layers.blocks import normal_
from i2ibench.models.layers.norms import norm
from i2ibench.registry import DISCRIMINATORS
from i2ibench.registry.contracts import Discriminator
from i2ibench.structures import DiscriminatorOutput


@DISCRIMINATORS.register_module()
class PatchDiscriminator(Discriminator):
    """A convolutional network that scores overlapping patches of an image.

    Args:
        in_channels: channels of the condition and the image together.
        base_channels: width of the first layer. The width doubles from layer to layer.
        num_layers: the number of strided layers; 3 gives patches of 70x70 pixels.
        max_channels: the largest width.
        padding: zero padding of every convolution: 2 in pix2pixHD, 1 in pix2pix.
        norm_type: "instance" as in pix2pixHD, or "batch" as in pix2pix.
        bias_before_norm: give a bias to convolutions that a norm follows; pix2pix has none.
        zero_bias: initialise biases with 0 as in pix2pix, instead of torch's default.
    """

    def __init__(
        self,
        in_channels: int,
        base_channels: int = 64,
        num_layers: int = 3,
        max_channels: int = 512,
        padding: int = 2,
        norm_type: str = "instance",
        bias_before_norm: bool = True,
        zero_bias: bool = False,
    ) -> None:
        super().__init__()
        widths = [min(base_channels * 2**j, max_channels) for j in range(num_layers + 1)]
        leak = nn.LeakyReLU(0.2, inplace=True)
        first = nn.Conv2d(in_channels, widths[0], kernel_size=4, stride=2, padding=padding)
        self.layers = nn.ModuleList([nn.Sequential(first, leak)])
        for j, (narrow, wide) in enumerate(pairwise(widths), start=1):
            stride = 1 if j == num_layers else 2
            conv = nn.Conv2d(narrow, wide, 4, stride, padding=padding, bias=bias_before_norm)
            self.layers.append(_Layer(conv, norm(norm_type, wide), leak))
        scores = nn.Conv2d(widths[-1], 1, kernel_size=4, stride=1, padding=padding)
        self.layers.append(nn.Sequential(scores))
        normal_(self, zero_bias=zero_bias)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        """Return a list with one entry: the activations BCHW of all layers, the scores B1HW last.

        The entry stands for the only scale of this discriminator; see `DiscriminatorOutput`.

        Args:
            x: the condition and the image, concatenated to BCHW.
        """
        return [self._activations(self.layers[0](x))]

    def of_several(self, condition: Tensor, images: Sequence[Tensor]) -> list[DiscriminatorOutput]:
        """Return the outputs of this discriminator for several images of one condition.

        The outputs are in the order of the images. Each equals that of `forward` for the condition
        and the image, up to rounding. The first convolution of the condition is computed only once.

        Args:
            condition: BCHW, which needs no gradient.
            images: several batches BCHW, such as the fake and the real images.
        """
        first, leak = self.layers[0].children()
        assert isinstance(first, nn.Conv2d)
        split = condition.shape[1]
        condition_weight, image_weight = first.weight[:, :split], first.weight[:, split:]
        geometry: Any = first.stride, first.padding
        shared = F.conv2d(condition, condition_weight, first.bias, *geometry)
        own = (F.conv2d(image, image_weight, None, *geometry) for image in images)
        return [[self._activations(leak(shared + x))] for x in own]

    def compile(self, *arguments: Any, **options: Any) -> None:
        """Compile the norms and activations of the inner layers in place.

        A compiled backward pass computes the gradients of all compiled weights. The convolutions
        are not compiled, so that the generator's update skips the gradients of their weights. The
        first and the last layer have no norm and are not compiled at all.

        Args:
            arguments, options: those of torch.nn.Module.compile.
        """
        for layer in self.layers[1:-1]:
            assert isinstance(layer, _Layer)
            layer.rest.compile(*arguments, **options)

    def _activations(self, x: Tensor) -> list[Tensor]:
        """Return the activations BCHW of all layers in order, the scores last."""
        activations = [x]
        for layer in self.layers[1:]:
            activations.append(layer(activations[-1]))
        return activations


class _Layer(nn.Sequential):
    """A convolution, followed by a norm and an activation that are compiled together."""

    def __init__(self, conv: nn.Conv2d, norm: nn.Module, activation: nn.Module) -> None:
        super().__init__(conv, norm, activation)
        self._rest = (nn.Sequential(norm, activation),)  # a tuple keeps it out of the state dict

    @property
    def rest(self) -> nn.Sequential:
        """Return this layer's norm and activation as one module, without the convolution."""
        return self._rest[0]

    def forward(self, x: Tensor) -> Tensor:
        return self.rest(self[0](x))
