"""The cascaded refinement network (CRN, Chen & Koltun 2017, https://arxiv.org/abs/1707.09405)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2ibench.errors import UserError
from i2ibench.registry import GENERATORS
from i2ibench.registry.contracts import Generator

FIRST_HEIGHT = 4


@GENERATORS.register_module()
class CRNGenerator(Generator):
    """A generator of one module per resolution, each of which sees the condition at its size.

    The resolutions go from 4 rows to `height`. Each module doubles the size of the coarser
    features, concatenates the area-averaged condition, and applies two convolutions with layer norm
    (Sec. 3).

    Args:
        in_channels: channels of the condition.
        out_channels: channels of an image.
        num_outputs: K images per scene for the diversity loss; inference returns the first.
        height: rows of the finest module, a power of two; 256, 512 and 1024 in the paper.
        max_channels: width of the modules of up to 64 rows, 1024 in the paper. Modules of 128 and
            256 rows have a half of it, of 512 rows an eighth, of 1024 rows a thirty-second.

    Raises:
        UserError: the height is not a power of two, or below 8.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int = 3,
        num_outputs: int = 1,
        height: int = 256,
        max_channels: int = 1024,
    ) -> None:
        super().__init__()
        if height < 2 * FIRST_HEIGHT or height & (height - 1):
            lower = max(1 << (height.bit_length() - 1), 2 * FIRST_HEIGHT)
            raise UserError(
                f"CRN's height is a power of two from 8 on, not {height}; the next ones are "
                f"{lower} and {2 * lower}."
            )
        self.height, self.out_channels = height, out_channels
        self.stride = height // FIRST_HEIGHT
        heights = [FIRST_HEIGHT << k for k in range((height // FIRST_HEIGHT).bit_length())]
        widths = [_width(h, max_channels) for h in heights]
        inputs = [in_channels, *(width + in_channels for width in widths[:-1])]
        self.stages = nn.ModuleList(
            nn.Sequential(*_convolution(i, o), *_convolution(o, o))
            for i, o in zip(inputs, widths, strict=True)
        )
        self.head = nn.Conv2d(widths[-1], out_channels * num_outputs, kernel_size=1)
        nn.init.xavier_uniform_(self.head.weight)
        assert self.head.bias is not None
        nn.init.zeros_(self.head.bias)

    def forward(self, condition: Tensor) -> Tensor:
        """Return the images of a condition BCHW, whose height is this generator's `height`.

        In eval mode this is the first image, BCHW clamped to [-1, 1]. In training mode these are
        all K images, concatenated to B(KC)HW, without bounds.

        Raises:
            UserError: the condition has another height, or its width is not a multiple of `stride`.
        """
        if condition.shape[-2] != self.height or condition.shape[-1] % self.stride:
            raise UserError(
                f"This CRN translates images of {self.height} rows and a multiple of "
                f"{self.stride} columns, got {condition.shape[-1]}x{condition.shape[-2]}."
            )
        levels = [condition]
        for _ in range(len(self.stages) - 1):
            levels.append(F.avg_pool2d(levels[-1], 2))
        x = self.stages[0](levels.pop())
        for stage in self.stages[1:]:
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
            x = stage(torch.cat([x, levels.pop()], 1))
        images = self.head(x)
        return images if self.training else images[:, : self.out_channels].clamp(-1, 1)


def _width(height: int, max_channels: int) -> int:
    if height <= 64:
        return max_channels
    return max_channels // {128: 2, 256: 2, 512: 8}.get(height, 32)


def _convolution(in_channels: int, out_channels: int) -> list[nn.Module]:
    """Return the new layers of a 3x3 convolution without bias, a layer norm and leaky ReLU.

    The size stays. The norm has one mean and variance for each whole image, over all channels and
    pixels, and a scale and a shift per channel.
    """
    conv = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
    nn.init.xavier_uniform_(conv.weight)
    # GroupNorm of one group is layer norm over C, H and W, with scale and shift per channel.
    return [conv, nn.GroupNorm(1, out_channels, eps=1e-12), nn.LeakyReLU(0.2)]
