"""SPADE, a generator with spatially-adaptive normalisation (Park et al. 2019, arXiv 1903.07291).

Licence: Apache-2.0, like the rest. Written from the paper and published parameter counts; the
authors' code is under CC BY-NC-SA 4.0 and was not used.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from i2ibench.errors import UserError
from i2ibench.models.layers.norms import norm
from i2ibench.models.ops.images import require_multiple
from i2ibench.registry import GENERATORS
from i2ibench.registry.contracts import Generator

WIDTHS = (16, 16, 16, 16, 8, 4, 2, 1)
"""Input widths of the seven blocks, and the output width, in units of `base_channels`."""

FIRST_SIDE = 4
"""Height and width of the features that the linear layer computes from z (Fig. 11)."""


@GENERATORS.register_module()
class SPADEGenerator(Generator):
    """A coarse-to-fine generator whose label map modulates every normalisation.

    It lacks the image encoder of the paper's VAE. The first features are a convolution of the
    coarsest label map or, as in Fig. 11, a linear layer of a random z.

    Parameters without z: 93.0 million for Cityscapes (35 classes, with or without the edge
    channel), 96.5 million for ADE20K (151). Skip paths have 1x1 convolutions without bias; 3x3
    convolutions would have 5.6 million more parameters.

    Args:
        in_channels: channels of the condition.
        out_channels: channels of the image.
        base_channels: width of the last block. The first blocks are 16 times as wide.
        hidden_channels: channels between the condition and the modulation.
        num_upsamplings: the size doubles before each of so many last blocks; 6 make 256 rows of 4.
        norm_type: the normalisation before the modulation, "batch" or "instance". The paper has
            batch norm over all GPUs; here each process uses its own batch. Take "instance" for
            batches of one scene.
        z_size: length of z, 256 in the paper; 0 makes the translation deterministic.

    Raises:
        UserError: the norm is unknown, or `num_upsamplings` exceeds the number of blocks.
    """

    contract_options = {"base_channels": 2, "hidden_channels": 4, "num_upsamplings": 2}

    def __init__(
        self,
        in_channels: int,
        out_channels: int = 3,
        base_channels: int = 64,
        hidden_channels: int = 128,
        num_upsamplings: int = 6,
        norm_type: str = "batch",
        z_size: int = 0,
    ) -> None:
        super().__init__()
        self.stride = 2 ** check_upsamplings(num_upsamplings, len(WIDTHS) - 2)
        self.smallest_side = 2 * self.stride  # instance norm needs several values
        self.draws_noise = z_size > 0
        self.z_size = z_size
        widths = [base_channels * width for width in WIDTHS]
        self.first = (
            nn.Linear(z_size, widths[0] * FIRST_SIDE**2)
            if z_size
            else nn.Conv2d(in_channels, widths[0], kernel_size=3, padding=1)
        )
        self.trunk = SPADETrunk(
            widths, in_channels, out_channels, hidden_channels, num_upsamplings, norm_type
        )
        glorot(self)

    def forward(self, condition: Tensor) -> Tensor:
        """Return the image, BCHW in [-1, 1], for a condition BCHW.

        With `z_size`, each call draws a new z from torch's global random numbers.

        Raises:
            UserError: height or width is not a multiple of `stride`.
        """
        require_multiple(condition, self.stride)
        height, width = (side // self.stride for side in condition.shape[-2:])
        if self.z_size:
            z = torch.randn(condition.shape[0], self.z_size, device=condition.device)
            square = self.first(z).unflatten(1, (-1, FIRST_SIDE, FIRST_SIDE))
            return self.trunk(resized(square, height, width), condition)
        return self.trunk(self.first(resized(condition, height, width)), condition)


class SPADETrunk(nn.Module):
    """A chain of SPADE blocks from coarse features to an image.

    Args:
        widths: input channels of each block, and the output channels of the last block.
        in_channels: channels of the condition.
        out_channels: channels of the image.
        hidden_channels: see SPADEGenerator.
        num_upsamplings: see SPADEGenerator.
        norm_type: see SPADEGenerator.
    """

    def __init__(
        self,
        widths: list[int],
        in_channels: int,
        out_channels: int,
        hidden_channels: int,
        num_upsamplings: int,
        norm_type: str,
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            _Block(narrow, wide, in_channels, hidden_channels, norm_type)
            for narrow, wide in pairwise(widths)
        )
        self.num_upsamplings = num_upsamplings
        self.head = nn.Conv2d(widths[-1], out_channels, kernel_size=3, padding=1)

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        """Return the image BCHW in [-1, 1], at the size to which the blocks double the features.

        Args:
            features: the input of the first block, BCHW at the coarsest size.
            condition: BCHW of any size; each block gets it at the size of its features.
        """
        first_doubled = len(self.blocks) - self.num_upsamplings
        for number, block in enumerate(self.blocks):
            if number >= first_doubled:
                features = F.interpolate(features, scale_factor=2, mode="nearest")
            features = block(features, resized(condition, *features.shape[-2:]))
        return self.head(F.leaky_relu(features, 0.2)).tanh()


class _Block(nn.Module):
    """The residual block of Fig. 4. Its skip path has a convolution if the width changes."""

    def __init__(
        self, narrow: int, wide: int, in_channels: int, hidden_channels: int, norm_type: str
    ) -> None:
        super().__init__()
        middle = min(narrow, wide)
        shared = in_channels, hidden_channels, norm_type
        self.norms = nn.ModuleList([SpatiallyAdaptiveNorm(c, *shared) for c in (narrow, middle)])
        self.convs = nn.ModuleList(
            spectral_norm(nn.Conv2d(i, o, kernel_size=3, padding=1))
            for i, o in ((narrow, middle), (middle, wide))
        )
        self.skip_norm = self.skip_conv = None
        if narrow != wide:
            self.skip_norm = SpatiallyAdaptiveNorm(narrow, *shared)
            self.skip_conv = spectral_norm(nn.Conv2d(narrow, wide, kernel_size=1, bias=False))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Return the block's output BCHW at the size of `x`.

        Args:
            x: the features, BCHW.
            condition: BCHW of the same size.
        """
        skip = x
        if self.skip_norm is not None and self.skip_conv is not None:
            skip = self.skip_conv(self.skip_norm(x, condition))
        for normalised, conv in zip(self.norms, self.convs, strict=True):
            x = conv(F.relu(normalised(x, condition)))
        return skip + x


class SpatiallyAdaptiveNorm(nn.Module):
    """A normalisation whose scale and shift at each pixel depend on the condition (Eq. 1).

    Args:
        channels: channels of the features.
        in_channels: channels of the condition.
        hidden_channels: channels between the condition and the modulation.
        norm_type: "batch" or "instance", without parameters of its own.

    Raises:
        UserError: the norm is unknown.
    """

    def __init__(
        self, channels: int, in_channels: int, hidden_channels: int, norm_type: str
    ) -> None:
        super().__init__()
        self.normalise = norm(norm_type, channels, affine=False)
        self.shared = nn.Conv2d(in_channels, hidden_channels, kernel_size=3, padding=1)
        self.modulation = nn.Conv2d(hidden_channels, 2 * channels, kernel_size=3, padding=1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Return the features normalised, then scaled and shifted by the condition, BCHW.

        Each pixel has its own scale and shift, which two convolutions compute from the condition.

        Args:
            x: the features, BCHW.
            condition: BCHW of the same size.
        """
        scale, shift = self.modulation(F.relu(self.shared(condition))).chunk(2, dim=1)
        return self.normalise(x) * scale + shift


def glorot(network: nn.Module) -> None:
    """Initialise the weights of a network by Glorot's rule, as the paper, in place.

    Biases of convolutions and linear layers become 0. Those of modulations become 1 for the scale
    and 0 for the shift, so that they begin around the identity.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            parametrised = hasattr(layer, "parametrizations")
            weight = layer.parametrizations.weight.original if parametrised else layer.weight
            nn.init.xavier_normal_(weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    for layer in network.modules():
        if isinstance(layer, SpatiallyAdaptiveNorm):
            nn.init.ones_(layer.modulation.bias[: len(layer.modulation.bias) // 2])


def resized(x: Tensor, height: int, width: int) -> Tensor:
    """Return BCHW resized by nearest-neighbour sampling, which keeps one-hot labels one-hot."""
    return F.interpolate(x, size=(height, width), mode="nearest-exact")


def check_upsamplings(number: int, most: int) -> int:
    """Return the number of upsamplings unchanged after checking it.

    Args:
        number: the number of upsamplings.
        most: the largest possible number.

    Raises:
        UserError: the number is below 1 or above `most`.
    """
    if not 1 <= number <= most:
        raise UserError(f"num_upsamplings is from 1 to {most}, not {number}.")
    return number
