"""The layers that ESPNet and ESPNetv2 share; their names are those of the released weights."""

import torch.nn.functional as F
from torch import Tensor, nn


class Conv(nn.Module):
    """A convolution without bias: ceil(size / stride)."""

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
        """BCHW for BCHW."""
        return self.conv(x)


class NormAct(nn.Module):
    """Batch norm and PReLU with a slope for each channel: BCHW, size kept."""

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(channels, eps=eps)
        self.act = nn.PReLU(channels)

    def forward(self, x: Tensor) -> Tensor:
        """BCHW for BCHW."""
        return self.act(self.bn(x))


class ConvNorm(nn.Module):
    """Convolution and batch norm without activation: size kept."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, groups: int = 1
    ) -> None:
        super().__init__()
        self.conv = convolution(in_channels, out_channels, kernel_size, groups=groups)
        self.bn = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """BCHW for BCHW."""
        return self.bn(self.conv(x))


class ConvNormAct(nn.Module):
    """Convolution, batch norm, PReLU: ceil(size / stride)."""

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
        """BCHW for BCHW."""
        return self.act(self.bn(self.conv(x)))


def convolution(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
) -> nn.Conv2d:
    """A convolution without bias whose zero padding gives ceil(size / stride)."""
    padding = (kernel_size - 1) // 2 * dilation
    return nn.Conv2d(
        in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias=False
    )


def halved(x: Tensor) -> Tensor:
    """BCHW at half the size, rounded up: 3x3 means that count zeros beyond the border."""
    return F.avg_pool2d(x, 3, stride=2, padding=1)
