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
    """Another discriminator whose trained convolutions all have spectral norm 1.

    In training each forward pass takes one step of the power iteration. In the state dict, torch
    replaces `network.X.weight` by `network.X.parametrizations.weight.original`, the trained weight,
    and by the singular vectors `network.X.parametrizations.weight.0._u` and `._v`.

    Args:
        in_channels: channels of the condition and the image together.
        discriminator: config of the other discriminator; by default a MultiScaleDiscriminator.
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
            if isinstance(layer, nn.Conv2d) and isinstance(layer.weight, nn.Parameter):
                spectral_norm(layer)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        """Return the outputs of the wrapped discriminator, whose convolutions have spectral norm 1.

        In training each call takes one step of the power iteration.

        Args:
            x: the condition and the image, concatenated to BCHW.
        """
        with parametrize.cached():  # one step of the power iteration per pass
            return self.network(x)

    def of_several(self, condition: Tensor, images: Sequence[Tensor]) -> list[DiscriminatorOutput]:
        """Return the wrapped discriminator's outputs for several images of one condition, in order.

        All images see the same weights. In training each call takes one step of the power
        iteration.

        Args:
            condition: BCHW.
            images: several batches BCHW, such as the fake and the real images.
        """
        with parametrize.cached():
            return self.network.of_several(condition, images)
