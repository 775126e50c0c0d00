"""ESPNet as a segmenter (Mehta et al. 2018, arXiv 1803.06815), and the layers of ESPNetv2.

Licence: Apache-2.0, like the rest; written from the paper. Modules have the names that the released
weights (github.com/sacmehta/ESPNet) use.
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2ibench.errors import UserError
from i2ibench.evaluation.segmenters.framed_segmenter import FramedSegmenter, fill
from i2ibench.evaluation.segmenters.framing import Pixels, Resizing
from i2ibench.io.weights import load_state
from i2ibench.registry import SEGMENTERS

CITYSCAPES = Pixels(mean=(72.39, 82.91, 73.16), std=(45.32, 46.15, 44.91), bgr=True, divisor=255.0)
CAMVID = Pixels(mean=(110.33, 108.41, 105.03), std=(72.13, 72.69, 69.90), bgr=True, divisor=255.0)
PUBLISHED = {20: CITYSCAPES, 12: CAMVID}
"""Pixel values of the released code, by the number of outputs of the released weights."""

EPS = 1e-3
DILATIONS = (1, 2, 4, 8, 16)
LEVEL1_CHANNELS = 16
IMAGE_CHANNELS = 3


@SEGMENTERS.register_module()
class ESPNet(FramedSegmenter):
    """ESPNet, which loads the released weights unchanged.

    The number of outputs, the depth (p and q in file names) and the input of the last fusion are
    read from the weights. A network with random weights has the paper's p=2, q=8.

    Args:
        scored_classes: see `FramedSegmenter`.
        weights: see `FramedSegmenter`.
        options: see `FramedSegmenter`. The released Cityscapes weights expect 1024x512, the CamVid
            weights 480x360. By default images are resized without antialiasing. `pixels` overrides
            the released code's mean and std, which exist for Cityscapes (20 outputs) and CamVid (12
            outputs). Weights with another number of outputs need both.

    Raises:
        MissingWeightsError: the file does not exist.
        UserError: the weights belong to another network or to other classes.
    """

    resizing = Resizing()

    def __init__(
        self, scored_classes: Sequence[str], weights: str | None = None, **options: Any
    ) -> None:
        super().__init__(scored_classes, weights, **options)
        network = _build(self.weights_file, self.num_described)
        if self.weights_file is not None:
            _require_statistics(network.num_outputs, options.get("pixels") or {})
        published = PUBLISHED.get(network.num_outputs, CITYSCAPES)
        self.attach(network, network.num_outputs, published, stride=8)


def _build(path: Path | None, num_outputs: int) -> "ESPNetwork":
    """Return the network of a weights file, or a random network if there is no file."""
    if path is None:
        return ESPNetwork(num_outputs)
    state = load_state(path)
    network = ESPNetwork(**_architecture(path, state))
    fill(network, state, path)
    return network


def _require_statistics(num_outputs: int, pixels: Mapping[str, Any]) -> None:
    if num_outputs not in PUBLISHED and not {"mean", "std"} <= pixels.keys():
        raise UserError(
            f"ESPNet's weights have {num_outputs} outputs; the released ones have "
            f"{' or '.join(map(str, PUBLISHED))}. State the mean and std of the photos that others "
            "were trained on: pixels=dict(mean=..., std=...), blue first."
        )


def _architecture(path: Path, state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the options of `ESPNetwork` that fit a state dict, by name."""
    fusion = state.get("conv.conv.weight")
    if fusion is None:
        raise UserError(f"{path} does not fit ESPNet: it has no weight 'conv.conv.weight'.")
    outputs, fused = fusion.shape[:2]
    return {
        "num_outputs": outputs,
        "num_level2_blocks": _count(state, "encoder.level2."),
        "num_level3_blocks": _count(state, "encoder.level3."),
        "fuses_image": fused > outputs + LEVEL1_CHANNELS,
    }


def _count(state: Mapping[str, Tensor], prefix: str) -> int:
    """Return the number of submodules below a prefix of weight names, such as "encoder.level2."."""
    return len(
        {name.removeprefix(prefix).split(".")[0] for name in state if name.startswith(prefix)}
    )


class ESPNetwork(nn.Module):
    """The network of ESPNet, from prepared images B3HW to class scores BNHW.

    Both sides of the images must be divisible by 8.

    Args:
        num_outputs: number of classes, including the class "something else".
        num_level2_blocks, num_level3_blocks: the paper's alpha2 and alpha3 (p and q in file names).
        fuses_image: concatenate the downsampled image with level 1 before the last fusion, as in
            Fig. 4 (19 channels). False uses level 1 alone (16 channels), as the Cityscapes weights
            do.

    Raises:
        UserError: there are fewer outputs than dilations.
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
        self.up_l3 = nn.Sequential(_doubling(n))
        self.combine_l2_l3 = nn.Sequential(NormAct(2 * n, EPS), _ESP(2 * n, n, residual=False))
        self.up_l2 = nn.Sequential(_doubling(n), NormAct(n, EPS))
        self.classifier = _doubling(n)

    def forward(self, x: Tensor) -> Tensor:
        """Return class scores BNHW at the size of the images.

        Args:
            x: prepared images B3HW, whose sides are divisible by 8.
        """
        level1, with_image, level2, scores = self.encoder(x)
        scores = self.up_l3(self.br(scores))
        scores = self.up_l2(self.combine_l2_l3(torch.cat([self.level3_C(level2), scores], 1)))
        finest = with_image if self.fuses_image else level1
        return self.classifier(self.conv(torch.cat([scores, finest], 1)))


class _Encoder(nn.Module):
    """The encoder ESPNet-C: features at 1/2 (without and with the image) and 1/4, scores at 1/8."""

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
        image_half = halve(x)
        level1 = self.level1(x)
        with_image = self.b1(torch.cat([level1, image_half], 1))
        first = self.level2_0(with_image)
        last = _apply_all(self.level2, first)
        level2 = self.b2(torch.cat([last, first, halve(image_half)], 1))
        first = self.level3_0(level2)
        last = _apply_all(self.level3, first)
        scores = self.classifier(self.b3(torch.cat([first, last], 1)))
        return level1, with_image, level2, scores


class _ESP(nn.Module):
    """An efficient spatial pyramid (Sec. 3.1): reduce, split, transform, merge. Keeps the size."""

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
    """An efficient spatial pyramid that halves the size with a strided 3x3 convolution."""

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
    """Return the channels of each dilated convolution, and of the undilated one.

    The former is a fifth of `channels`, rounded down; the latter is the rest.
    """
    narrow = channels // len(DILATIONS)
    return narrow, channels - narrow * (len(DILATIONS) - 1)


def _add_pyramid(module: nn.Module, narrow: int, wide: int) -> None:
    for dilation in DILATIONS:
        width = wide if dilation == 1 else narrow
        module.add_module(f"d{dilation}", Conv(narrow, width, 3, dilation=dilation))


def _pyramid(module: nn.Module, x: Tensor) -> Tensor:
    """Return the undilated convolution and running sums of the dilated ones, concatenated.

    The sums (hierarchical feature fusion, Sec. 3.1) remove the gridding artefacts of dilation.
    """
    first, *dilated = (module.get_submodule(f"d{dilation}")(x) for dilation in DILATIONS)
    return torch.cat([first, *accumulate(dilated)], 1)


def _apply_all(blocks: nn.ModuleList, x: Tensor) -> Tensor:
    return reduce(lambda features, block: block(features), blocks, x)


def _doubling(channels: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(channels, channels, 2, stride=2, bias=False)


class Conv(nn.Module):
    """A convolution without bias, from BCHW to BCHW with sides ceil(size / stride)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
    ) -> None:
        super().__init__()
        self.conv = convolution(in_channels, out_channels, kernel_size, stride, dilation, groups)

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of `x` BCHW, with sides of ceil(size / stride)."""
        return self.conv(x)


class NormAct(nn.Module):
    """Batch norm, then PReLU with one slope for each channel. Keeps the size of BCHW."""

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(channels, eps=eps)
        self.act = nn.PReLU(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` BCHW after batch norm and then PReLU."""
        return self.act(self.bn(x))


class ConvNorm(nn.Module):
    """A convolution with batch norm and no activation. Keeps the size of BCHW."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, groups: int = 1
    ) -> None:
        super().__init__()
        self.conv = convolution(in_channels, out_channels, kernel_size, groups=groups)
        self.bn = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` BCHW after the convolution and then batch norm, at the same size."""
        return self.bn(self.conv(x))


class ConvNormAct(nn.Module):
    """A convolution with batch norm and PReLU, from BCHW to BCHW with sides ceil(size / stride)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        groups: int = 1,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        self.conv = convolution(in_channels, out_channels, kernel_size, stride, groups=groups)
        self.bn = nn.BatchNorm2d(out_channels, eps=eps)
        self.act = nn.PReLU(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` BCHW after the convolution, batch norm and PReLU.

        Sides become ceil(size / stride).
        """
        return self.act(self.bn(self.conv(x)))


def convolution(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
) -> nn.Conv2d:
    """Return a new convolution without bias, padded with zeros to sides of ceil(size / stride)."""
    padding = (kernel_size - 1) // 2 * dilation
    return nn.Conv2d(
        in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias=False
    )


def halve(x: Tensor) -> Tensor:
    """Return the averages of BCHW over 3x3 windows with stride 2; sides are rounded up.

    Pixels beyond the border count as zeros.
    """
    return F.avg_pool2d(x, 3, stride=2, padding=1)
