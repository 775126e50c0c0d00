"""ESPNetv2's segmentation network, named as in the released weights.

The paper (Mehta et al. 2019, arXiv 1811.11431) describes the encoder; the decoder, with pyramids of
scales, is that of the weights that its authors released later.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2ibench.evaluation.segmenters.espnet_layers import convolution
from i2ibench.evaluation.segmenters.espnetv2_encoder import ESPNetv2Encoder

SCALES = (2.0, 1.5, 1.0, 0.5, 0.1)
SMALLEST_SIDE = 5
PYRAMID_CHANNELS = 10
DECODED_CHANNELS = (64, 48, 32)


class ESPNetv2Network(nn.Module):
    """Class scores BNHW for prepared images B3HW; 16 divides both sides.

    Args:
        num_outputs: classes, "something else" among them.
        half, quarter: channels of the encoder at that size; at 1/8 and 1/16 they double. The
            paper's width factor s is quarter / 64.
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
        """Scores at the images' size."""
        half, quarter, eighth, sixteenth = self.base_net(images)
        x = self.bu_dec_l1(sixteenth)
        x = self.bu_dec_l2(self.bu_br_l2(self.merge_enc_dec_l2(eighth) + _resized(x, eighth)))
        x = self.bu_dec_l3(self.bu_br_l3(self.merge_enc_dec_l3(quarter) + _resized(x, quarter)))
        x = self.bu_dec_l4(self.bu_br_l4(self.merge_enc_dec_l4(half) + _resized(x, half)))
        return _resized(x, images)


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
    """Encoder features, widened or narrowed, weighted by what the whole image shows."""

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
    """As in the encoder, under the released decoder's names."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, groups: int = 1
    ) -> None:
        super().__init__()
        conv = convolution(in_channels, out_channels, kernel_size, groups=groups)
        self.cbr = nn.Sequential(conv, *_norm_act(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        return self.cbr(x)


class _NormAct(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.br = _norm_act(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.br(x)


def _resized(x: Tensor, like: Tensor) -> Tensor:
    """BCHW bilinearly at the size of `like`, corner on corner as the networks were trained."""
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=True)


def _norm_act(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm2d(channels), nn.PReLU(channels))


def _at_scale(x: Tensor, scale: float, conv: nn.Module) -> Tensor:
    """`conv` at another scale and back: enlarging is bilinear, reducing takes means."""
    if scale == 1:
        return conv(x)
    height, width = (max(math.ceil(side * scale), SMALLEST_SIDE) for side in x.shape[-2:])
    if scale < 1:
        return _resized(conv(F.adaptive_avg_pool2d(x, (height, width))), x)
    enlarged = F.interpolate(x, size=(height, width), mode="bilinear", align_corners=True)
    return F.adaptive_avg_pool2d(conv(enlarged), (x.shape[-2], x.shape[-1]))
