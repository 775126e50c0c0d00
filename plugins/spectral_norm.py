"""Discriminators with spectral normalisation (Miyato et al. 2018, arXiv 1802.05957).

Licence: Apache-2.0, like the rest; written from the paper, on torch's own parametrisation.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm

from i2ibench.registry import DISCRIMINATORS
from i2ibench.registry.contracts import Discriminator
from i2ibench.structures import DiscriminatorOutput


@DISCRIMINATORS.register_module()
class SpectralNormDiscriminator(Discriminator):
    """Another discriminator's answers, with every convolution of spectral norm 1.

    In training each pass takes one step of the power iteration. The state dict has, in the place
    of `network.X.weight`, torch's `network.X.parametrizations.weight.original` (what is trained)
    and `network.X.parametrizations.weight.0._u` and `._v` (the singular vectors, buffers).

    Args:
        in_channels: channels of the condition and the image together.
        discriminator: config of the other one; a MultiScaleDiscriminator by default.
    """

    contract_options = {
        "discriminator": {
            "type": "MultiScaleDiscriminator",
            "num_scales": 2,
            "base_channels": 4,
        }
    }

    def __init__(self, in_channels: int, discriminator: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        config = discriminator or {"type": "MultiScaleDiscriminator"}
        self.network = DISCRIMINATORS.build(config, in_channels=in_channels)
        for layer in self.network.modules():
            if isinstance(layer, nn.Conv2d):
                spectral_norm(layer)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        """Per scale the activations of all layers, the scores last, for BCHW."""
        with parametrize.cached():  # one weight and one step of the iteration per pass
            return self.network(x)

    def of_several(self, condition: Tensor, images: Sequence[Tensor]) -> list[DiscriminatorOutput]:
        """The answer to each of several images BCHW of one condition BCHW, by one weight."""
        with parametrize.cached():
            return self.network.of_several(condition, images)
