"""The instance-wise feature encoder (Sec. 3.4)."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from i2ibench.models.layers.blocks import Blocks, head, normal_
from i2ibench.models.layers.tiles import (
    NUM_FRONT,
    NUM_HEAD,
    NUM_UP,
    back_in_tiles,
    front_in_tiles,
    split_into_tiles,
)
from i2ibench.models.ops.labels import instance_average
from i2ibench.registry import ENCODERS
from i2ibench.registry.contracts import Encoder


@ENCODERS.register_module()
class InstanceEncoder(Encoder):
    """An encoder of each instance's appearance by a few features, constant over its pixels.

    Args:
        out_channels: features per instance; 3 in the paper.
        in_channels: channels of the real image.
        base_channels: width of the first layer.
        num_downsamplings: the number of strided convolutions, and of transposed ones after them.
        num_styles: K of the style bank that is clustered from the features; 10 in the paper.
        norm_type: "instance" as in the paper, or "batch".
        always_train: use each image's own batch statistics in inference, too. The released code's
            batch norm never leaves training mode.
    """

    def __init__(
        self,
        out_channels: int = 3,
        in_channels: int = 3,
        base_channels: int = 16,
        num_downsamplings: int = 4,
        num_styles: int = 10,
        norm_type: str = "instance",
        always_train: bool = False,
    ) -> None:
        super().__init__()
        self.always_train = always_train
        self.out_channels = out_channels
        self.num_styles = num_styles
        self.stride = 2**num_downsamplings
        self.smallest_side = 2 * self.stride  # instance norm needs two values at the bottleneck
        widths = [base_channels * 2**level for level in range(num_downsamplings + 1)]
        blocks = Blocks(norm_type=norm_type)
        layers = blocks.stem(in_channels, base_channels)
        for narrow, wide in pairwise(widths):
            layers += blocks.down(narrow, wide)
        for wide, narrow in pairwise(reversed(widths)):
            layers += blocks.up(wide, narrow)
        self.layers = nn.Sequential(*layers, *head(base_channels, out_channels))
        normal_(self)

    def forward(self, image: Tensor, instance: Tensor) -> Tensor:
        """Return the features of real images, BCHW in [-1, 1], averaged over each instance.

        C is `out_channels`. With `always_train`, an encoder in eval mode computes the images one by
        one, so that each has batch statistics of its own.

        Args:
            image: the real images, B3HW in [-1, 1]; sides are multiples of `stride`.
            instance: the instance ids, integer B1HW.
        """
        if self._one_by_one and len(image) > 1:
            return torch.cat([self.forward(x, i) for x, i in _singles(image, instance)])
        return instance_average(self.layers(image), instance)

    @property
    def _one_by_one(self) -> bool:
        """Return True for an encoder with `always_train` in eval mode, else False.

        Each image then needs batch statistics of its own.
        """
        return self.always_train and not self.training

    def compile(self, *arguments: Any, **options: Any) -> None:
        """Compile the encoder's layers in place, but not the averages over instances.

        torch.compile does its work at the first call.

        Args:
            arguments, options: those of torch.nn.Module.compile.
        """
        self.layers.compile(*arguments, **options)

    def in_tiles(self, image: Tensor, instance: Tensor, tile: tuple[int, int]) -> Tensor:
        """Return the features of `forward`, up to rounding, using less memory. Has no gradient.

        Only the layers at full size are computed tile by tile. An encoder without strided
        convolutions has no others, so it runs as `forward` does and saves nothing.

        Args:
            image: see `forward`.
            instance: see `forward`.
            tile: the (width, height) of a tile, even.
        """
        if self._one_by_one and len(image) > 1:
            pairs = _singles(image, instance)
            return torch.cat([self.in_tiles(x, i, tile) for x, i in pairs])
        if self.stride == 1:  # every layer is at full size
            return self.forward(image, instance)
        tiles = split_into_tiles(image.shape[-2], image.shape[-1], tile)
        end = len(self.layers) - NUM_HEAD
        x = front_in_tiles(self.layers[:NUM_FRONT], lambda t: self.layers[:2](t.cut(image)), tiles)
        for layer in self.layers[NUM_FRONT : end - NUM_UP]:
            x = layer(x)
        x = back_in_tiles(self.layers[end - NUM_UP : end], self.layers[end:], x, tiles)
        return instance_average(x, instance)


def _singles(image: Tensor, instance: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Return an iterator over the scenes of a batch: (image 1CHW, instance map 11HW), in order."""
    return zip(image.split(1), instance.split(1), strict=True)
