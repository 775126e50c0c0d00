"""The instance-wise feature encoder (Sec. 3.4)."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from i2ibench.models.layers.blocks import Blocks, head
from i2ibench.models.layers.initialise import normal_
from i2ibench.models.layers.tiles import (
    NUM_FRONT,
    NUM_HEAD,
    NUM_UP,
    back_in_tiles,
    front_in_tiles,
    tiles_of,
)
from i2ibench.models.ops.labels import instance_average
from i2ibench.registry import ENCODERS
from i2ibench.registry.contracts import Encoder


@ENCODERS.register_module()
class InstanceEncoder(Encoder):
    """A few numbers for each instance's appearance, constant over its pixels.

    Args:
        out_channels: numbers per instance; 3 in the paper.
        in_channels: channels of the photo.
        base_channels: width of the first layer.
        num_downsamplings: strided convolutions, mirrored by as many transposed ones.
        num_styles: K of the style bank that is clustered from these numbers; 10 in the paper.
        norm_type: "instance" as in the paper, or "batch".
        always_train: give each photo its own batch statistics when translating, as the released
            code does with batch norm, which never leaves training mode.
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
        """BCHW in [-1, 1], one value per instance and channel.

        Args:
            image: the photo, B3HW in [-1, 1]; sides are multiples of `stride`.
            instance: integer B1HW.
        """
        if self._takes_one and len(image) > 1:
            return torch.cat([self.forward(x, i) for x, i in _singles(image, instance)])
        return instance_average(self.layers(image), instance)

    @property
    def _takes_one(self) -> bool:
        """Return whether photos must not see each other's statistics."""
        return self.always_train and not self.training

    def compile(self, *arguments: Any, **options: Any) -> None:
        """Compile the convolutions in place; the averages over instances stay as they are."""
        self.layers.compile(*arguments, **options)

    def in_tiles(self, image: Tensor, instance: Tensor, tile: tuple[int, int]) -> Tensor:
        """What `forward` gives, up to rounding, with less memory; without gradients only.

        Args:
            image: as in `forward`.
            instance: as in `forward`.
            tile: (width, height) of a tile, even.
        """
        if self._takes_one and len(image) > 1:
            pairs = _singles(image, instance)
            return torch.cat([self.in_tiles(x, i, tile) for x, i in pairs])
        if self.stride == 1:  # every layer is at full size
            return self.forward(image, instance)
        tiles = tiles_of(image.shape[-2], image.shape[-1], tile)
        end = len(self.layers) - NUM_HEAD
        x = front_in_tiles(self.layers[:NUM_FRONT], lambda t: self.layers[:2](t.cut(image)), tiles)
        for layer in self.layers[NUM_FRONT : end - NUM_UP]:
            x = layer(x)
        x = back_in_tiles(self.layers[end - NUM_UP : end], self.layers[end:], x, tiles)
        return instance_average(x, instance)


def _singles(image: Tensor, instance: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Return each photo of a batch with its instance map, as batches of one."""
    return zip(image.split(1), instance.split(1), strict=True)
