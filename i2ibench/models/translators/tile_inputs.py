"""The inputs of a generator tile by tile; the condition of each tile is computed on demand."""

from typing import Any

import torch
from torch import Tensor

from i2ibench.data.kinds import KINDS
from i2ibench.errors import UserError
from i2ibench.models.layers.tiles import Tile
from i2ibench.models.ops.one_hot_convolution import OneHot
from i2ibench.registry.contracts import Preprocessor
from i2ibench.structures import Batch


def no_tiles(part: object) -> UserError:
    """Return, without raising, the error for a network or method that cannot work in tiles.

    Args:
        part: the network or method; the message names its class.
    """
    return UserError(
        f"{type(part).__name__} cannot work in tiles. --amp bf16 or a smaller --size also need "
        "less memory."
    )


class SceneView:
    """A function from a tile of one scene to the generator's inputs for the tile.

    Args:
        preprocessor: computes the condition.
        scene: a batch of one. Without a condition, the condition is computed tile by tile.
        one_hot_channels: the number of one-hot channels at the beginning of the condition, if the
            generator accepts labels in their place; else 0.
    """

    def __init__(self, preprocessor: Preprocessor, scene: Batch, one_hot_channels: int) -> None:
        self.preprocessor, self.scene = preprocessor, scene
        self.one_hot_channels = one_hot_channels

    def __call__(self, tile: Tile) -> tuple[Tensor, OneHot | None]:
        """Return the generator's input 1CHW for a tile with its margin, and its label map or None.

        The encoder's features are appended to the condition if the scene has any. Pixels beyond the
        scene repeat its border.
        """
        inputs = self._condition(tile)
        if "features" in self.scene:
            inputs = torch.cat([inputs, _at(self.scene["features"], tile)], 1)
        if not self.one_hot_channels:
            return inputs, None
        return inputs, OneHot(_at(self.scene["label"], tile), self.one_hot_channels)

    def _condition(self, tile: Tile) -> Tensor:
        """Return the condition 1CHW of a tile with its margin.

        It is cut out of the scene's condition if there is one. Otherwise it is computed from the
        tile's maps and images with one more pixel on each side, on which instance boundaries
        depend. Pixels beyond the scene repeat its border.
        """
        if "condition" in self.scene:
            return _at(self.scene["condition"], tile)
        height, width = sized_tensor(self.scene).shape[-2:]
        spans = [
            (max(min(s.start, side - 1) - 1, 0), min(s.stop + 1, side))
            for s, side in zip(tile.around, (height, width), strict=True)
        ]
        (top, bottom), (left, right) = spans
        values: Any = self.scene
        data: Any = {"name": self.scene["names"]}
        for kind in KINDS.keys() & values.keys():
            data[kind] = values[kind][..., top:bottom, left:right]
        return _at(self.preprocessor(data)["condition"], tile, top, left)


def sized_tensor(batch: Batch) -> Tensor:
    """Return a tensor BCHW of the batch that has the height and width of the scenes.

    This is the condition or, without one, a map or image of the data.
    """
    values: Any = batch
    return next(values[kind] for kind in ("condition", *KINDS) if kind in values)


def _at(whole: Tensor, tile: Tile, top: int = 0, left: int = 0) -> Tensor:
    """Return a tile with its margin of a tensor BCHW; pixels beyond it repeat its border."""
    height, width = whole.shape[-2:]
    y, x = (
        slice(s.start - begin, s.stop - begin)
        for s, begin in zip(tile.around, (top, left), strict=True)
    )
    if y.stop <= height and x.stop <= width:
        return whole[..., y, x]
    rows, columns = (
        torch.arange(s.start, s.stop, device=whole.device).clamp_(max=side - 1)
        for s, side in ((y, height), (x, width))
    )
    return whole[..., rows, :][..., columns]
