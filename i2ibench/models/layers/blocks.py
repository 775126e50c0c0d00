"""Convolution blocks of pix2pixHD's generator and encoder, and the initialisation of weights."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from i2ibench.errors import UserError, near_match
from i2ibench.models.layers.norms import norm

PaddingMode = Literal["zeros", "reflect"]
Upsampling = Literal["transposed", "nearest"]


@dataclass(frozen=True)
class Blocks:
    """A factory of convolution blocks with the options that all blocks of a network share.

    Attributes:
        padding_mode: the padding of the strided convolutions.
        norm_type: see `norms.norm`.
        bias: give a bias to convolutions that a norm follows.
        dropout: the dropout probability in residual blocks.
        upsampling: "transposed" for transposed convolutions, "nearest" for `NearestUpConv2d`.
    """

    padding_mode: PaddingMode = "zeros"
    norm_type: str = "instance"
    bias: bool = True
    dropout: float = 0.0
    upsampling: Upsampling = "transposed"

    def __post_init__(self) -> None:
        """Check the kind of upsampling.

        Raises:
            UserError: it is unknown.
        """
        kinds = get_args(Upsampling)
        if self.upsampling not in kinds:
            raise UserError(
                f"upsampling is {' or '.join(kinds)}, not {self.upsampling!r}."
                f"{near_match(self.upsampling, kinds)}"
            )

    def stem(self, in_channels: int, out_channels: int) -> list[nn.Module]:
        """Return the new layers of a 7x7 convolution that keeps the height and width.

        The layers are reflected padding by 3, the convolution, the norm and ReLU. The norm and the
        convolution's bias are options of this factory.
        """
        conv = nn.Conv2d(in_channels, out_channels, kernel_size=7, bias=self.bias)
        return [nn.ReflectionPad2d(3), conv, *self._normed(out_channels)]

    def down(self, in_channels: int, out_channels: int) -> list[nn.Module]:
        """Return the new layers of a 3x3 convolution of stride 2, a norm and ReLU.

        Height and width become ceil(size / 2). The padding mode, the norm and the convolution's
        bias are options of this factory.
        """
        mode = self.padding_mode
        conv = nn.Conv2d(
            in_channels, out_channels, 3, stride=2, padding=1, padding_mode=mode, bias=self.bias
        )
        return [conv, *self._normed(out_channels)]

    def up(self, in_channels: int, out_channels: int) -> list[nn.Module]:
        """Return the new layers of a 3x3 convolution that doubles the size, a norm and ReLU.

        Height and width double exactly. The kind of upsampling, the norm and the convolution's bias
        are options of this factory.
        """
        if self.upsampling == "nearest":
            return [
                NearestUpConv2d(in_channels, out_channels, bias=self.bias),
                *self._normed(out_channels),
            ]
        conv = nn.ConvTranspose2d(
            in_channels, out_channels, 3, stride=2, padding=1, output_padding=1, bias=self.bias
        )
        return [conv, *self._normed(out_channels)]

    def residual(self, channels: int) -> nn.Module:
        """Return a new block that adds two 3x3 convolutions to its input, BCHW to BCHW.

        A norm follows each convolution, ReLU only the first, and nothing the sum. Norm, bias and
        dropout are options of this factory.
        """
        return ResidualBlock(channels, self)

    def _normed(self, channels: int) -> list[nn.Module]:
        return [norm(self.norm_type, channels), nn.ReLU(inplace=True)]


class NearestUpConv2d(nn.Conv2d):
    """Nearest-neighbour upsampling by 2 and a 3x3 convolution with reflected padding, in one layer.

    Each output pixel reads equally many weights, so that no checkerboard arises as with transposed
    convolutions (Odena et al. 2016, https://distill.pub/2016/deconv-checkerboard). The enlarged
    input is never made: of the nine weights, those that read the same input pixel are added first,
    which leaves four, and saves more than half of the multiplications.

    Args:
        in_channels: channels of the input, BCHW.
        out_channels: channels of the output, B x out_channels x 2H x 2W.
        bias: add a learnable bias.
    """

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, kernel_size=3, padding=1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of the enlarged input, of twice the height and width of `x`."""
        wide = F.pad(self.weight, (1, 1, 1, 1))
        rows = wide[:, :, 1:] + wide[:, :, :-1]
        kernel = (rows[..., 1:] + rows[..., :-1]).flip(2, 3).transpose(0, 1)
        around = F.pad(x, (1, 1, 1, 1), mode="replicate")
        return F.conv_transpose2d(around, kernel, self.bias, stride=2, padding=3)


def normal_(module: nn.Module, std: float = 0.02, zero_bias: bool = False) -> None:
    """Draw the weights of all convolutions of a network anew from N(0, std), in place.

    Transposed convolutions are included. Other layers, such as norms, stay as they are.

    Args:
        module: the network.
        std: the standard deviation.
        zero_bias: also set the biases of the convolutions to 0 as pix2pix does. Otherwise they keep
            torch's default, as in pix2pixHD.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0.0, std)
            if zero_bias and layer.bias is not None:
                nn.init.zeros_(layer.bias)


def head(in_channels: int, out_channels: int) -> list[nn.Module]:
    """Return the new layers of a 7x7 convolution with a bias and tanh, which keep the size.

    The layers are reflected padding by 3, the convolution and tanh; there is no norm.
    """
    return [nn.ReflectionPad2d(3), nn.Conv2d(in_channels, out_channels, kernel_size=7), nn.Tanh()]


class ResidualBlock(nn.Module):
    """A residual block of two 3x3 convolutions, BCHW to BCHW."""

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
        """Return the features `x` BCHW plus the output of the two convolutions for them, BCHW."""
        return x + self.branch(x)


def run_checkpointed(layers: nn.Sequential, x: Tensor) -> Tensor:
    """Return `layers(x)`; the backward pass computes the activations of the layers again.

    Only the inputs of each residual block, and of the layers between residual blocks, are kept.
    Dropout draws the same numbers again. Running statistics of batch norms see the batch twice.
    With gradients disabled, the layers run as usual.

    Args:
        layers: a chain of layers, some of which may be a `ResidualBlock`.
        x: the input of the chain, BCHW.
    """
    for piece in _pieces(layers):
        x = checkpoint(piece, x, use_reentrant=False) if torch.is_grad_enabled() else piece(x)
    return x


def _pieces(layers: nn.Sequential) -> Iterator[nn.Sequential]:
    """Yield the layers of a chain in order, each ResidualBlock as a piece of its own.

    The layers before, between and behind residual blocks are one piece each.
    """
    begin = 0
    for at, layer in enumerate(layers):
        if isinstance(layer, ResidualBlock):
            if begin < at:
                yield layers[begin:at]
            yield layers[at : at + 1]
            begin = at + 1
    if begin < len(layers):
        yield layers[begin:]
