"""ESPNetv2's encoder (Mehta et al. 2019, arXiv 1811.11431), named as in the released weights."""

from itertools import accumulate

import torch
from torch import Tensor, nn

from i2ibench.evaluation.segmenters.espnet_layers import (
    Conv,
    ConvNorm,
    ConvNormAct,
    NormAct,
    halved,
)

BRANCHES = 4
LARGEST_KERNEL = {"level2_0": 13, "level3_0": 11, "level3": 9, "level4_0": 9, "level4": 7}
"""The effective kernel size that no branch of a level exceeds; the released code's choice."""


class ESPNetv2Encoder(nn.Module):
    """Features at 1/2, 1/4, 1/8 and 1/16 of the size for prepared images B3HW (Table 1).

    Args:
        half, quarter, eighth, sixteenth: channels at that size.
    """

    def __init__(self, half: int, quarter: int, eighth: int, sixteenth: int) -> None:
        super().__init__()
        sizes = LARGEST_KERNEL
        self.level1 = ConvNormAct(3, half, 3, stride=2)
        self.level2_0 = _Down(half, quarter, sizes["level2_0"])
        self.level3_0 = _Down(quarter, eighth, sizes["level3_0"])
        self.level3 = nn.ModuleList([_EESP(eighth, eighth, sizes["level3"]) for _ in range(3)])
        self.level4_0 = _Down(eighth, sixteenth, sizes["level4_0"])
        self.level4 = nn.ModuleList(
            [_EESP(sixteenth, sixteenth, sizes["level4"]) for _ in range(7)]
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The four levels, finest first."""
        half = self.level1(images)
        reduced = halved(halved(images))
        quarter = self.level2_0(half, reduced)
        reduced = halved(reduced)
        eighth = self.level3_0(quarter, reduced)
        for block in self.level3:
            eighth = block(eighth)
        sixteenth = self.level4_0(eighth, halved(reduced))
        for block in self.level4:
            sixteenth = block(sixteenth)
        return half, quarter, eighth, sixteenth


class _EESP(nn.Module):
    """Extremely efficient spatial pyramid (Sec. 3.1, Fig. 1c): group, depth-wise, group.

    With stride 2 it is a branch of the strided unit: no residual and no last activation, whose
    unused slopes `module_act` are in the released weights all the same.
    """

    def __init__(
        self, in_channels: int, out_channels: int, largest_kernel: int, stride: int = 1
    ) -> None:
        super().__init__()
        narrow = out_channels // BRANCHES
        self.stride = stride
        self.proj_1x1 = ConvNormAct(in_channels, narrow, 1, groups=BRANCHES)
        self.spp_dw = nn.ModuleList(
            [
                Conv(narrow, narrow, 3, stride, dilation, groups=narrow)
                for dilation in _dilations(largest_kernel)
            ]
        )
        self.br_after_cat = NormAct(out_channels)
        self.conv_1x1_exp = ConvNorm(out_channels, out_channels, 1, groups=BRANCHES)
        self.module_act = nn.PReLU(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        narrow = self.proj_1x1(x)
        merged = torch.cat(list(accumulate(conv(narrow) for conv in self.spp_dw)), 1)
        expanded = self.conv_1x1_exp(self.br_after_cat(merged))
        return expanded if self.stride > 1 else self.module_act(expanded + x)


class _Down(nn.Module):
    """Strided EESP (Sec. 3.2, Fig. 2): means beside a strided pyramid, plus the reduced image."""

    def __init__(self, in_channels: int, out_channels: int, largest_kernel: int) -> None:
        super().__init__()
        self.eesp = _EESP(in_channels, out_channels - in_channels, largest_kernel, stride=2)
        self.inp_reinf = nn.Sequential(ConvNormAct(3, 3, 3), ConvNorm(3, out_channels, 1))
        self.act = nn.PReLU(out_channels)

    def forward(self, x: Tensor, image: Tensor) -> Tensor:
        features = torch.cat([halved(x), self.eesp(x)], 1)
        return self.act(features + self.inp_reinf(image))


def _dilations(largest_kernel: int) -> list[int]:
    """1, 2, 3, 4, ascending; a branch that would reach beyond the kernel size has 1 instead."""
    wanted = range(1, BRANCHES + 1)
    return sorted(d if 2 * d + 1 <= largest_kernel else 1 for d in wanted)
