"""Views of a scene tile by tile: the condition where a tile lies, made as it is needed."""

from typing import Any

import torch
from torch import Tensor

from i2ibench.data.kinds import KINDS
from i2ibench.errors import UserError
from i2ibench.models.layers.tiles import Tile
from i2ibench.models.ops.one_hot_convolution import OneHot
from i2ibench.registry.contracts import Generator, Preprocessor
from i2ibench.structures import Batch


def no_tiles(part: object) -> UserError:
    """Return the error that a network or a method cannot work in tiles."""
    return UserError(
        f"{type(part).__name__} cannot work in tiles. --amp bf16 or a smaller --size take less "
        "memory, too."
    )


def require_tiles(generator: Generator) -> None:
    """Refuse a generator that cannot work in tiles.

    Raises:
        UserError: says why it cannot.
    """
    if not generator.works_in_tiles:
        raise no_tiles(generator)
    if generator.stride == 1:
        raise UserError(
            "A generator with num_downsamplings=0 and no enhancers cannot work in tiles: all its "
            "layers are at full size."
        )


class SceneView:
    """A scene as a generator sees it in a tile: its inputs, and the labels that it looks up.

    Args:
        preprocessor: makes the condition.
        scene: a batch of one; its condition is made tile by tile where it is left out.
        looked_up: channels of the condition that are one-hot labels to be looked up, or 0.
    """

    def __init__(self, preprocessor: Preprocessor, scene: Batch, looked_up: int) -> None:
        self.preprocessor, self.scene, self.looked_up = preprocessor, scene, looked_up

    def __call__(self, tile: Tile) -> tuple[Tensor, OneHot | None]:
        """Return the inputs 1CHW in a tile with its margin, and its labels or None."""
        inputs = self._condition(tile)
        if "features" in self.scene:
            inputs = torch.cat([inputs, _at(self.scene["features"], tile)], 1)
        if not self.looked_up:
            return inputs, None
        return inputs, OneHot(_at(self.scene["label"], tile), self.looked_up)

    def _condition(self, tile: Tile) -> Tensor:
        """The condition where a tile of the enlarged image lies.

        Made from the maps there and one pixel around, which boundaries depend on.
        """
        if "condition" in self.scene:
            return _at(self.scene["condition"], tile)
        height, width = reference(self.scene).shape[-2:]
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


def reference(batch: Batch) -> Tensor:
    """Return a tensor BCHW of the batch that has the scenes' size."""
    values: Any = batch
    return next(values[kind] for kind in ("condition", *KINDS) if kind in values)


def _at(whole: Tensor, tile: Tile, top: int = 0, left: int = 0) -> Tensor:
    """A tile with its margin of BCHW that begins at `top` and `left`; edges are repeated."""
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
