"""A compact segmenter that is trained on the images of a data set in minutes."""

import shlex
from importlib.resources import files
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2ibench.errors import MissingWeightsError
from i2ibench.evaluation.segmenters.framed_segmenter import fill
from i2ibench.io.weights import load_state
from i2ibench.registry import SEGMENTERS
from i2ibench.registry.contracts import Segmenter

SHIPPED = files("i2ibench.evaluation.segmenters") / "weights"


@SEGMENTERS.register_module()
class CompactSegmenter(Segmenter):
    """A small network of three strided convolutions, dilated residual blocks and a skip decoder.

    Args:
        num_classes: the number of scored classes.
        weights: a weights file, or the name of weights in this package ("toystreet"). None for
            random weights, with which no score is computed.
        base_channels: channels at 1/2 of the size. They double at 1/4 and at 1/8.
        dilations: the dilation of each residual block at 1/8 of the size.

    Raises:
        MissingWeightsError: the weights file does not exist.
        UserError: the weights belong to another network.
    """

    def __init__(
        self,
        num_classes: int,
        weights: str | None = None,
        base_channels: int = 24,
        dilations: tuple[int, ...] = (1, 2, 4, 8),
    ) -> None:
        super().__init__()
        half, quarter, eighth = base_channels, 2 * base_channels, 4 * base_channels
        self.at_half = _conv(3, half, stride=2)
        self.at_quarter = nn.Sequential(_conv(half, quarter, stride=2), _conv(quarter, quarter))
        self.at_eighth = nn.Sequential(
            _conv(quarter, eighth, stride=2), *[_DilatedBlock(eighth, d) for d in dilations]
        )
        self.back_to_quarter = _conv(eighth + quarter, quarter)
        self.back_to_half = _conv(quarter + half, half)
        self.classify = nn.Conv2d(half, num_classes, kernel_size=1)
        self.weights_file = self.locate(weights) if weights is not None else None
        if self.weights_file is not None:
            fill(self, load_state(self.weights_file), self.weights_file)

    @staticmethod
    def locate(weights: str) -> Path:
        """Return the path of a weights file, given a path or the name of weights in this package.

        A file at the path is preferred to weights of the package.

        Raises:
            MissingWeightsError: there is no such file; the message lists the weights in the
                package.
        """
        for path in (Path(weights), Path(str(SHIPPED / f"{weights}.pth"))):
            if path.is_file():
                return path
        shipped = sorted(p.name.removesuffix(".pth") for p in Path(str(SHIPPED)).glob("*.pth"))
        raise MissingWeightsError(
            f"No segmenter weights at {weights!r}; shipped: {', '.join(shipped) or 'none'}. Train "
            "them on your images with: i2ibench train_segmenter CONFIG "
            f"{shlex.quote(weights)}"
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return each pixel's most probable class, int64 BHW in 0..N-1, for images uint8 B3HW."""
        return self.logits(images).argmax(1)

    def logits(self, images: Tensor) -> Tensor:
        """Return unnormalised log probabilities of the N classes, BNHW, for images uint8 B3HW."""
        half = self.at_half(images.float() / 127.5 - 1)
        quarter = self.at_quarter(half)
        eighth = self.at_eighth(quarter)
        x = self.back_to_quarter(torch.cat([_resize_like(eighth, quarter), quarter], 1))
        x = self.back_to_half(torch.cat([_resize_like(x, half), half], 1))
        return _resize_like(self.classify(x), images)


class _DilatedBlock(nn.Module):
    """A residual block with a dilated and a plain convolution. Keeps size and channels."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            _conv(channels, channels, dilation=dilation), _conv(channels, channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)


def _conv(in_channels: int, out_channels: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(
        in_channels, out_channels, 3, stride, padding=dilation, dilation=dilation, bias=False
    )
    return nn.Sequential(conv, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True))


def _resize_like(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)
