"""ESPNetv2 as a segmenter (Mehta et al. 2019, arXiv 1811.11431).

Licence: Apache-2.0, like the rest; written from the paper, which describes the encoder. The decoder
with its pyramids of scales follows the weights that the authors released later
(github.com/sacmehta/EdgeNets). Modules have the names of those weights.
"""

import math
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2ibench.errors import UserError
from i2ibench.evaluation.segmenters.framed_segmenter import FramedSegmenter, fill
from i2ibench.io.weights import load_state
from i2ibench.registry import SEGMENTERS

from .espnet import Conv, ConvNorm, ConvNormAct, NormAct, convolution, halve

SCORES = "bu_dec_l4.merge_layer.3.bias"
AT_HALF, AT_QUARTER = "base_net.level1.act.weight", "base_net.level2_0.act.weight"

BRANCHES = 4
LARGEST_KERNEL = {"level2_0": 13, "level3_0": 11, "level3": 9, "level4_0": 9, "level4": 7}
"""The largest effective kernel size of any branch of a level, as in the released code."""

SCALES = (2.0, 1.5, 1.0, 0.5, 0.1)
SMALLEST_SIDE = 5
PYRAMID_CHANNELS = 10
DECODED_CHANNELS = (64, 48, 32)


@SEGMENTERS.register_module()
class ESPNetv2(FramedSegmenter):
    """ESPNetv2, which loads the released Cityscapes weights unchanged.

    The number of outputs and the widths (the paper's s) are read from the weights. A network with
    random weights has s=2. Pixels have ImageNet's mean and std by default.

    Args:
        scored_classes: see `FramedSegmenter`.
        weights: see `FramedSegmenter`.
        options: see `FramedSegmenter`. The file names of the released weights state width and
            height.

    Raises:
        MissingWeightsError: the file does not exist.
        UserError: the weights belong to another network or to other classes.
    """

    def __init__(
        self, scored_classes: Sequence[str], weights: str | None = None, **options: Any
    ) -> None:
        super().__init__(scored_classes, weights, **options)
        network = _build(self.weights_file, self.num_described)
        self.attach(network, network.num_outputs, stride=16)


def _build(path: Path | None, num_outputs: int) -> "ESPNetv2Network":
    """Return the network of a weights file, or a random network if there is no file."""
    if path is None:
        return ESPNetv2Network(num_outputs)
    state = load_state(path)
    known = [state.get(name) for name in (SCORES, AT_HALF, AT_QUARTER)]
    counts = [len(weight) for weight in known if weight is not None]
    if len(counts) < len(known):
        raise UserError(
            f"{path} does not fit ESPNetv2: {SCORES}, {AT_HALF} or {AT_QUARTER} is missing."
        )
    network = ESPNetv2Network(*counts)
    fill(network, state, path)
    return network


class ESPNetv2Network(nn.Module):
    """The network of ESPNetv2, from prepared images B3HW to class scores BNHW.

    Both sides of the images must be divisible by 16.

    Args:
        num_outputs: number of classes, including the class "something else".
        half, quarter: channels of the encoder at 1/2 and 1/4 of the size. They double at 1/8 and at
            1/16. The paper's width factor s is quarter / 64.
    """

    def __init__(self, num_outputs: int, half: int = 32, quarter: int = 128) -> None:
        super().__init__()
        self.num_outputs = num_outputs
        eighth, sixteenth = 2 * quarter, 4 * quarter
        first, second, third = DECODED_CHANNELS
        self.base_net = ESPNetv2Encoder(half, quarter, eighth, sixteenth)
        self.bu_dec_l1 = _PyramidPool(sixteenth, first)
        self.bu_dec_l2 = _PyramidPool(first, second)
        self.bu_dec_l3 = _PyramidPool(second, third)
        self.bu_dec_l4 = _PyramidPool(third, num_outputs, last=True)
        self.merge_enc_dec_l2 = _Gated(eighth, first)
        self.merge_enc_dec_l3 = _Gated(quarter, second)
        self.merge_enc_dec_l4 = _Gated(half, third)
        self.bu_br_l2 = _norm_act(first)
        self.bu_br_l3 = _norm_act(second)
        self.bu_br_l4 = _norm_act(third)

    def forward(self, images: Tensor) -> Tensor:
        """Return class scores BNHW at the size of the images.

        Args:
            images: prepared images B3HW, whose sides are divisible by 16.
        """
        half, quarter, eighth, sixteenth = self.base_net(images)
        x = self.bu_dec_l1(sixteenth)
        x = self.bu_dec_l2(self.bu_br_l2(self.merge_enc_dec_l2(eighth) + _resize(x, eighth)))
        x = self.bu_dec_l3(self.bu_br_l3(self.merge_enc_dec_l3(quarter) + _resize(x, quarter)))
        x = self.bu_dec_l4(self.bu_br_l4(self.merge_enc_dec_l4(half) + _resize(x, half)))
        return _resize(x, images)


class ESPNetv2Encoder(nn.Module):
    """The encoder: features at 1/2, 1/4, 1/8 and 1/16 of the size for images B3HW (Table 1).

    Args:
        half, quarter, eighth, sixteenth: channels at each size.
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
        """Return the features BCHW at 1/2, 1/4, 1/8 and 1/16 of the size of images B3HW."""
        half = self.level1(images)
        reduced = halve(halve(images))
        quarter = self.level2_0(half, reduced)
        reduced = halve(reduced)
        eighth = self.level3_0(quarter, reduced)
        for block in self.level3:
            eighth = block(eighth)
        sixteenth = self.level4_0(eighth, halve(reduced))
        for block in self.level4:
            sixteenth = block(sixteenth)
        return half, quarter, eighth, sixteenth


class _EESP(nn.Module):
    """An extremely efficient spatial pyramid (Sec. 3.1, Fig. 1c): group, depth-wise, group.

    With stride 2 it is a branch of the strided unit, without residual and last activation. The
    unused slopes `module_act` are kept because the released weights have them.
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
    """A strided EESP (Sec. 3.2, Fig. 2): averages, a strided pyramid and the small image."""

    def __init__(self, in_channels: int, out_channels: int, largest_kernel: int) -> None:
        super().__init__()
        self.eesp = _EESP(in_channels, out_channels - in_channels, largest_kernel, stride=2)
        self.inp_reinf = nn.Sequential(ConvNormAct(3, 3, 3), ConvNorm(3, out_channels, 1))
        self.act = nn.PReLU(out_channels)

    def forward(self, x: Tensor, image: Tensor) -> Tensor:
        features = torch.cat([halve(x), self.eesp(x)], 1)
        return self.act(features + self.inp_reinf(image))


def _dilations(largest_kernel: int) -> list[int]:
    """Return the dilations of the four branches, sorted: 1, 2, 3, 4, with 1 for each too large one.

    A dilation d is too large if its kernel, of effective size 2 d + 1, exceeds `largest_kernel`.
    """
    wanted = range(1, BRANCHES + 1)
    return sorted(d if 2 * d + 1 <= largest_kernel else 1 for d in wanted)


class _PyramidPool(nn.Module):
    """Efficient pyramid pooling: depth-wise convolutions at five scales, mixed by groups."""

    def __init__(self, in_channels: int, out_channels: int, last: bool = False) -> None:
        super().__init__()
        width = PYRAMID_CHANNELS
        self.projection_layer = _ConvNormAct(in_channels, width, 1)
        self.stages = nn.ModuleList([convolution(width, width, 3, groups=width) for _ in SCALES])
        self.merge_layer = nn.Sequential(
            _NormAct(width * len(SCALES)),
            nn.ChannelShuffle(len(SCALES)),
            _ConvNormAct(width * len(SCALES), width, 3, groups=width),
            nn.Conv2d(width, out_channels, 1, bias=last),
        )
        self.br = nn.Identity() if last else _NormAct(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.projection_layer(x)
        scaled = [_at_scale(x, s, conv) for s, conv in zip(SCALES, self.stages, strict=True)]
        return self.br(self.merge_layer(torch.cat(scaled, 1)))


class _Gated(nn.Module):
    """A convolution of encoder features, weighted by a gate computed from the whole image."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.wt_layer = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), convolution(in_channels, out_channels, 1), nn.Sigmoid()
        )
        groups = math.gcd(in_channels, out_channels)
        self.expansion_layer = _ConvNormAct(in_channels, out_channels, 3, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        return self.expansion_layer(x) * self.wt_layer(x)


class _ConvNormAct(nn.Module):
    """A `ConvNormAct` of stride 1 under the names of the released decoder."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, groups: int = 1
    ) -> None:
        super().__init__()
        conv = convolution(in_channels, out_channels, kernel_size, groups=groups)
        self.cbr = nn.Sequential(conv, *_norm_act(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        return self.cbr(x)


class _NormAct(nn.Module):
    """A `NormAct` under the names of the released decoder."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.br = _norm_act(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.br(x)


def _resize(x: Tensor, like: Tensor) -> Tensor:
    """Return `x` BCHW resized bilinearly to the size of `like`, with align_corners."""
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=True)


def _norm_act(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm2d(channels), nn.PReLU(channels))


def _at_scale(x: Tensor, scale: float, conv: nn.Module) -> Tensor:
    """Apply a convolution to `x` BCHW at another scale, and return the result at the size of `x`.

    Features are enlarged bilinearly and reduced by averages. Sides at the other scale are rounded
    up and at least 5 pixels.
    """
    if scale == 1:
        return conv(x)
    height, width = (max(math.ceil(side * scale), SMALLEST_SIDE) for side in x.shape[-2:])
    if scale < 1:
        return _resize(conv(F.adaptive_avg_pool2d(x, (height, width))), x)
    enlarged = F.interpolate(x, size=(height, width), mode="bilinear", align_corners=True)
    return F.adaptive_avg_pool2d(conv(enlarged), (x.shape[-2], x.shape[-1]))
