"""The U-Net generator of pix2pix (Isola et al. 2017, arXiv 1611.07004, Sec. 3.2)."""

import torch
from torch import Tensor, nn

from i2ibench.errors import UserError
from i2ibench.models.layers.blocks import normal_
from i2ibench.models.layers.norms import norm
from i2ibench.models.ops.images import require_multiple
from i2ibench.registry import GENERATORS
from i2ibench.registry.contracts import Generator

NUM_PLAIN_LEVELS = 5
"""Levels without dropout: the four outermost, which double the width, and the innermost."""


@GENERATORS.register_module()
class UNetGenerator(Generator):
    """A U-Net generator with skip connections between mirrored levels.

    Args:
        in_channels: channels of the condition.
        out_channels: channels of the image.
        num_levels: the number of times that the size is halved; 8 for 256x256 in the paper. Height
            and width must be multiples of 2^num_levels.
        base_channels: width of the outermost level. It doubles three times.
        norm_type: "batch" as in the paper, or "instance".
        dropout: the dropout probability of the levels between the four outermost and the innermost.
            A U-Net of up to five levels has none.
        always_train: keep dropout and the batch's own statistics in inference, as the paper does.

    Raises:
        UserError: there are fewer than two levels.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int = 3,
        num_levels: int = 8,
        base_channels: int = 64,
        norm_type: str = "batch",
        dropout: float = 0.5,
        always_train: bool = True,
    ) -> None:
        super().__init__()
        if num_levels < 2:
            raise UserError(f"A U-Net has at least 2 levels, not {num_levels}.")
        self.stride = 2**num_levels
        self.always_train = always_train
        widths = [base_channels * min(2**level, 8) for level in range(num_levels)]
        biased = norm_type != "batch"
        self.downs, self.ups = nn.ModuleList(), nn.ModuleList()
        for level, width in enumerate(widths):
            outermost, innermost = level == 0, level == num_levels - 1
            above = in_channels if outermost else widths[level - 1]
            conv = nn.Conv2d(above, width, 4, 2, 1, bias=biased)
            leak = [] if outermost else [nn.LeakyReLU(0.2)]
            normed = [] if outermost or innermost else [norm(norm_type, width)]
            self.downs.append(nn.Sequential(*leak, conv, *normed))
            below = width if innermost else 2 * width
            drops = NUM_PLAIN_LEVELS - 1 <= level < num_levels - 1
            self.ups.append(
                _up(below, above, norm_type, biased, dropout if drops else 0.0)
                if not outermost
                else _out(below, out_channels)
            )
        normal_(self, zero_bias=True)

    def forward(self, condition: Tensor) -> Tensor:
        """Return the image, BCHW in [-1, 1] with `out_channels` channels, for a condition BCHW.

        Raises:
            UserError: height or width is not a multiple of `stride`.
        """
        require_multiple(condition, self.stride)
        skips = [condition]
        for down in self.downs:
            skips.append(down(skips[-1]))
        x = self.ups[-1](skips.pop())
        for up in reversed(self.ups[:-1]):
            x = up(torch.cat([skips.pop(), x], 1))
        return x


def _up(
    in_channels: int, out_channels: int, norm_type: str, biased: bool, dropout: float
) -> nn.Sequential:
    conv = nn.ConvTranspose2d(in_channels, out_channels, 4, 2, 1, bias=biased)
    layers = [nn.ReLU(), conv, norm(norm_type, out_channels)]
    return nn.Sequential(*layers, *([nn.Dropout(dropout)] if dropout else []))


def _out(in_channels: int, out_channels: int) -> nn.Sequential:
    conv = nn.ConvTranspose2d(in_channels, out_channels, 4, 2, 1)
    return nn.Sequential(nn.ReLU(), conv, nn.Tanh())
