"""ESPNet's network (Mehta et al. 2018, arXiv 1803.06815), named as in the released weights."""

from functools import reduce
from itertools import accumulate

import torch
from torch import Tensor, nn

from i2ibench.errors import UserError
from i2ibench.evaluation.segmenters.espnet_layers import Conv, ConvNormAct, NormAct, halved

EPS = 1e-3
DILATIONS = (1, 2, 4, 8, 16)
LEVEL1_CHANNELS = 16
IMAGE_CHANNELS = 3


class ESPNetwork(nn.Module):
    """Class scores BNHW for prepared images B3HW; 8 divides both sides.

    Args:
        num_outputs: classes, "something else" among them.
        num_level2_blocks, num_level3_blocks: the paper's alpha2 and alpha3 (p and q in file names).
        fuses_image: whether the decoder's last fusion sees the reduced image beside level 1, as in
            Fig. 4 (19 channels), or level 1 alone (16), as the Cityscapes weights do.

    Raises:
        UserError: fewer outputs than dilations.
    """

    def __init__(
        self,
        num_outputs: int,
        num_level2_blocks: int = 2,
        num_level3_blocks: int = 8,
        fuses_image: bool = True,
    ) -> None:
        super().__init__()
        if num_outputs < len(DILATIONS):
            raise UserError(
                f"ESPNet has at least {len(DILATIONS)} outputs, one for each dilation, not "
                f"{num_outputs}: its last pyramid works on as many channels."
            )
        n = num_outputs
        self.num_outputs, self.fuses_image = num_outputs, fuses_image
        self.encoder = _Encoder(n, num_level2_blocks, num_level3_blocks)
        self.level3_C = Conv(131, n, 1)
        self.br = nn.BatchNorm2d(n, eps=EPS)
        self.conv = ConvNormAct(n + LEVEL1_CHANNELS + IMAGE_CHANNELS * fuses_image, n, 3, eps=EPS)
        self.up_l3 = nn.Sequential(_doubled(n))
        self.combine_l2_l3 = nn.Sequential(NormAct(2 * n, EPS), _ESP(2 * n, n, residual=False))
        self.up_l2 = nn.Sequential(_doubled(n), NormAct(n, EPS))
        self.classifier = _doubled(n)

    def forward(self, x: Tensor) -> Tensor:
        """Scores at the images' size."""
        level1, with_image, level2, scores = self.encoder(x)
        scores = self.up_l3(self.br(scores))
        scores = self.up_l2(self.combine_l2_l3(torch.cat([self.level3_C(level2), scores], 1)))
        finest = with_image if self.fuses_image else level1
        return self.classifier(self.conv(torch.cat([scores, finest], 1)))


class _Encoder(nn.Module):
    """ESPNet-C: features at 1/2 (without and with the image) and 1/4, class scores at 1/8."""

    def __init__(self, num_outputs: int, num_level2_blocks: int, num_level3_blocks: int) -> None:
        super().__init__()
        self.level1 = ConvNormAct(IMAGE_CHANNELS, LEVEL1_CHANNELS, 3, stride=2, eps=EPS)
        self.b1 = NormAct(LEVEL1_CHANNELS + IMAGE_CHANNELS, EPS)
        self.level2_0 = _DownESP(LEVEL1_CHANNELS + IMAGE_CHANNELS, 64)
        self.level2 = nn.ModuleList([_ESP(64, 64) for _ in range(num_level2_blocks)])
        self.b2 = NormAct(64 + 64 + 3, EPS)
        self.level3_0 = _DownESP(64 + 64 + 3, 128)
        self.level3 = nn.ModuleList([_ESP(128, 128) for _ in range(num_level3_blocks)])
        self.b3 = NormAct(128 + 128, EPS)
        self.classifier = Conv(128 + 128, num_outputs, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        image_half = halved(x)
        level1 = self.level1(x)
        with_image = self.b1(torch.cat([level1, image_half], 1))
        first, last = _through(self.level2, self.level2_0(with_image))
        level2 = self.b2(torch.cat([last, first, halved(image_half)], 1))
        first, last = _through(self.level3, self.level3_0(level2))
        scores = self.classifier(self.b3(torch.cat([first, last], 1)))
        return level1, with_image, level2, scores


class _ESP(nn.Module):
    """Efficient spatial pyramid (Sec. 3.1): reduce, split, transform, merge; size kept."""

    def __init__(self, in_channels: int, out_channels: int, residual: bool = True) -> None:
        super().__init__()
        self.residual = residual
        narrow, wide = _split(out_channels)
        self.c1 = Conv(in_channels, narrow, 1)
        _add_pyramid(self, narrow, wide)
        self.bn = NormAct(out_channels, EPS)

    def forward(self, x: Tensor) -> Tensor:
        merged = _pyramid(self, self.c1(x))
        return self.bn(x + merged if self.residual else merged)


class _DownESP(nn.Module):
    """The same with a strided 3x3 convolution to reduce: half the size, no residual."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        narrow, wide = _split(out_channels)
        self.c1 = Conv(in_channels, narrow, 3, stride=2)
        _add_pyramid(self, narrow, wide)
        self.bn = nn.BatchNorm2d(out_channels, eps=EPS)
        self.act = nn.PReLU(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.bn(_pyramid(self, self.c1(x))))


def _split(channels: int) -> tuple[int, int]:
    """Channels of each dilated convolution, and of the undilated one, which gets the rest."""
    narrow = channels // len(DILATIONS)
    return narrow, channels - narrow * (len(DILATIONS) - 1)


def _add_pyramid(module: nn.Module, narrow: int, wide: int) -> None:
    for dilation in DILATIONS:
        width = wide if dilation == 1 else narrow
        module.add_module(f"d{dilation}", Conv(narrow, width, 3, dilation=dilation))


def _pyramid(module: nn.Module, x: Tensor) -> Tensor:
    """The undilated convolution beside the running sums of the dilated ones.

    The sums (hierarchical feature fusion, Sec. 3.1) remove the grid that dilation leaves.
    """
    first, *dilated = (module.get_submodule(f"d{dilation}")(x) for dilation in DILATIONS)
    return torch.cat([first, *accumulate(dilated)], 1)


def _through(blocks: nn.ModuleList, x: Tensor) -> tuple[Tensor, Tensor]:
    """The input and what the blocks make of it one after the other."""
    return x, reduce(lambda features, block: block(features), blocks, x)


def _doubled(channels: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(channels, channels, 2, stride=2, bias=False)
