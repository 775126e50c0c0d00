"""The convolution blocks that pix2pixHD's generator and encoder are made of."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from i2ibench.models.layers.norms import norm

PaddingMode = Literal["zeros", "reflect"]


@dataclass(frozen=True)
class Blocks:
    """What all blocks of one network have in common, and the blocks themselves.

    Attributes:
        padding_mode: of the strided convolutions.
        norm_type: see `norms.norm`.
        bias: whether convolutions that a norm follows have one.
        dropout: probability within residual blocks.
    """

    padding_mode: PaddingMode = "zeros"
    norm_type: str = "instance"
    bias: bool = True
    dropout: float = 0.0

    def stem(self, in_channels: int, out_channels: int) -> list[nn.Module]:
        """7x7 convolution over reflected borders, norm, ReLU: size kept."""
        conv = nn.Conv2d(in_channels, out_channels, kernel_size=7, bias=self.bias)
        return [nn.ReflectionPad2d(3), conv, *self._normed(out_channels)]

    def down(self, in_channels: int, out_channels: int) -> list[nn.Module]:
        """3x3 convolution of stride 2, norm, ReLU: ceil(size / 2)."""
        mode = self.padding_mode
        conv = nn.Conv2d(
            in_channels, out_channels, 3, stride=2, padding=1, padding_mode=mode, bias=self.bias
        )
        return [conv, *self._normed(out_channels)]

    def up(self, in_channels: int, out_channels: int) -> list[nn.Module]:
        """3x3 transposed convolution of stride 2, norm, ReLU: size doubled."""
        conv = nn.ConvTranspose2d(
            in_channels, out_channels, 3, stride=2, padding=1, output_padding=1, bias=self.bias
        )
        return [conv, *self._normed(out_channels)]

    def residual(self, channels: int) -> nn.Module:
        """Input plus two 3x3 convolutions of it; no activation after the sum."""
        return _Residual(channels, self)

    def _normed(self, channels: int) -> list[nn.Module]:
        return [norm(self.norm_type, channels), nn.ReLU(inplace=True)]


def head(in_channels: int, out_channels: int) -> list[nn.Module]:
    """7x7 convolution over reflected borders and tanh: values in [-1, 1], size kept."""
    return [nn.ReflectionPad2d(3), nn.Conv2d(in_channels, out_channels, kernel_size=7), nn.Tanh()]


class _Residual(nn.Module):
    """BCHW in, BCHW out."""

    def __init__(self, channels: int, blocks: Blocks) -> None:
        super().__init__()
        drop = [nn.Dropout(blocks.dropout)] if blocks.dropout else []
        self.branch = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, kernel_size=3, bias=blocks.bias),
            norm(blocks.norm_type, channels),
            nn.ReLU(inplace=True),
            *drop,
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, kernel_size=3, bias=blocks.bias),
            norm(blocks.norm_type, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)


def recomputed(layers: nn.Sequential, x: Tensor) -> Tensor:
    """What `layers` make of `x`; their activations are computed again in the backward pass.

    Kept are what goes into the residual blocks, each for itself, and into what lies before and
    after them. Dropout draws the same numbers again; running statistics of batch norms see the
    batch twice.
    """
    for piece in _pieces(layers):
        x = checkpoint(piece, x, use_reentrant=False) if torch.is_grad_enabled() else piece(x)
    return x


def _pieces(layers: nn.Sequential) -> Iterator[nn.Sequential]:
    """The residual blocks one by one, the layers between them together."""
    begin = 0
    for at, layer in enumerate(layers):
        if isinstance(layer, _Residual):
            if begin < at:
                yield layers[begin:at]
            yield layers[at : at + 1]
            begin = at + 1
    if begin < len(layers):
        yield layers[begin:]
