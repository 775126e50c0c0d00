"""The convolution blocks that pix2pixHD's generator and encoder are made of."""

from typing import Literal

from torch import Tensor, nn

PaddingMode = Literal["zeros", "reflect"]


def stem(in_channels: int, out_channels: int) -> list[nn.Module]:
    """7x7 convolution over reflected borders, norm, ReLU: size kept."""
    conv = nn.Conv2d(in_channels, out_channels, kernel_size=7)
    return [nn.ReflectionPad2d(3), conv, nn.InstanceNorm2d(out_channels), nn.ReLU(inplace=True)]


def down(
    in_channels: int, out_channels: int, padding_mode: PaddingMode = "zeros"
) -> list[nn.Module]:
    """3x3 convolution of stride 2, norm, ReLU: ceil(size / 2)."""
    conv = nn.Conv2d(
        in_channels, out_channels, kernel_size=3, stride=2, padding=1, padding_mode=padding_mode
    )
    return [conv, nn.InstanceNorm2d(out_channels), nn.ReLU(inplace=True)]


def up(in_channels: int, out_channels: int) -> list[nn.Module]:
    """3x3 transposed convolution of stride 2, norm, ReLU: size doubled."""
    conv = nn.ConvTranspose2d(
        in_channels, out_channels, kernel_size=3, stride=2, padding=1, output_padding=1
    )
    return [conv, nn.InstanceNorm2d(out_channels), nn.ReLU(inplace=True)]


def head(in_channels: int, out_channels: int) -> list[nn.Module]:
    """7x7 convolution over reflected borders and tanh: values in [-1, 1], size kept."""
    return [nn.ReflectionPad2d(3), nn.Conv2d(in_channels, out_channels, kernel_size=7), nn.Tanh()]


class ResidualBlock(nn.Module):
    """Input plus two 3x3 convolutions of it, BCHW; no activation after the sum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, kernel_size=3),
            nn.InstanceNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, kernel_size=3),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """BCHW in, BCHW out."""
        return x + self.branch(x)
