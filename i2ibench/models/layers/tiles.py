"""The first and last layers of a network, tile by tile, with the whole image's result.

At full size an image has few channels but most of the memory. The layers there see a few pixels
around each, which a tile takes with it; only the norms see the whole image. So every tile is gone
over twice: once for the statistics of the whole, once for the result.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from i2ibench.io.devices import most_precise_dtype

MARGIN = 4
"""Pixels that a tile takes with it on every side: 3 for a 7x7 convolution, 1 for a strided one."""

NUM_FRONT, NUM_UP, NUM_HEAD = 7, 3, 3
"""Layers of `Blocks.stem` with a `Blocks.down`; of a `Blocks.up`; of a `blocks.head`."""


@dataclass(frozen=True)
class Tile:
    """A part of an image, in pixels of its full size, all even.

    Attributes:
        rows: of the tile.
        columns: of the tile.
        around: its rows and columns with the margin, where the image has one.
    """

    rows: slice
    columns: slice
    around: tuple[slice, slice]

    def cut(self, whole: Tensor, shrink: int = 1) -> Tensor:
        """The tile with its margin of a tensor whose sides are 1/shrink of the image's."""
        rows, columns = (slice(s.start // shrink, s.stop // shrink) for s in self.around)
        return whole[..., rows, columns]

    def own(self, part: Tensor, shrink: int = 1) -> Tensor:
        """Without the margin what was computed for the tile with it."""
        rows, columns = (
            slice((own.start - wide.start) // shrink, (own.stop - wide.start) // shrink)
            for own, wide in zip((self.rows, self.columns), self.around, strict=True)
        )
        return part[..., rows, columns]


def tiles_of(height: int, width: int, size: tuple[int, int]) -> list[Tile]:
    """The tiles of an image of even sides, row by row.

    Args:
        height: of the image.
        width: of the image.
        size: (width, height) of a tile, even; those at the right and bottom may be smaller.
    """
    rows, columns = _pieces(height, size[1]), _pieces(width, size[0])
    return [Tile(r, c, (_widened(r, height), _widened(c, width))) for r in rows for c in columns]


def _pieces(side: int, length: int) -> list[slice]:
    return [slice(begin, min(begin + length, side)) for begin in range(0, side, length)]


def _widened(piece: slice, side: int) -> slice:
    return slice(max(piece.start - MARGIN, 0), min(piece.stop + MARGIN, side))


def joined(part: Callable[[Tile], Tensor], tiles: Sequence[Tile], shrink: int = 1) -> Tensor:
    """The whole BCHW of parts that are computed for each tile with its margin.

    Args:
        part: BCHW for a tile, at 1/shrink of its sides.
        tiles: of the image.
        shrink: see above.
    """
    whole = None
    for tile in tiles:
        own = tile.own(part(tile), shrink)
        if whole is None:
            sides = (tiles[-1].rows.stop // shrink, tiles[-1].columns.stop // shrink)
            whole = own.new_empty(*own.shape[:2], *sides)
        rows, columns = (
            slice(s.start // shrink, s.stop // shrink) for s in (tile.rows, tile.columns)
        )
        whole[..., rows, columns] = own
    assert whole is not None
    return whole


def front_in_tiles(
    layers: nn.Sequential, stem: Callable[[Tile], Tensor], tiles: Sequence[Tile]
) -> Tensor:
    """What a stem and a strided convolution with their norms make of an image, at half its sides.

    Args:
        layers: `Blocks.stem` and `Blocks.down`.
        stem: BCHW for a tile with its margin, up to the stem's convolution.
        tiles: of the image.
    """
    normalise = _of_whole(layers[2], (tile.own(stem(tile)) for tile in tiles))

    def half(tile: Tile) -> Tensor:
        return layers[3:5](normalise(stem(tile)))

    return layers[5:](joined(half, tiles, shrink=2))


def back_in_tiles(
    up: nn.Sequential, head: nn.Sequential, features: Tensor, tiles: Sequence[Tile]
) -> Tensor:
    """The image B3HW that `Blocks.up` and a head make of features at half its sides.

    Args:
        up: a transposed convolution, norm and ReLU.
        head: reflected borders, 7x7 convolution and tanh.
        features: BCHW.
        tiles: of the image.
    """

    def doubled(tile: Tile) -> Tensor:
        return up[0](tile.cut(features, shrink=2))

    normalise = _of_whole(up[1], (tile.own(doubled(tile)) for tile in tiles))
    return joined(lambda tile: head(up[2](normalise(doubled(tile)))), tiles)


def _of_whole(layer: nn.Module, parts: Iterator[Tensor]) -> Callable[[Tensor], Tensor]:
    """The norm `layer` with the statistics of all parts together.

    A batch norm that has learnt its statistics is given back as it is.
    """
    if isinstance(layer, nn.BatchNorm2d) and not layer.training:
        return layer
    assert isinstance(layer, nn.BatchNorm2d | nn.InstanceNorm2d)
    mean, variance = _moments(parts, (0, 2, 3) if isinstance(layer, nn.BatchNorm2d) else (2, 3))
    scale = (variance + layer.eps).rsqrt()
    if layer.weight is not None:
        scale = scale * layer.weight.view(1, -1, 1, 1)
    mean, scale = mean.float(), scale.float()

    def normalise(x: Tensor) -> Tensor:
        y = x.float().sub(mean).mul_(scale)
        return (y if layer.bias is None else y.add_(layer.bias.view(1, -1, 1, 1))).to(x.dtype)

    return normalise


def _moments(parts: Iterator[Tensor], dims: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Mean and variance over all parts in `most_precise_dtype`, combined as of Chan et al. 1979."""
    count, mean, squares = 0, torch.zeros(()), torch.zeros(())
    for part in parts:
        own_variance, own_mean = (
            x.to(most_precise_dtype(x.device))
            for x in torch.var_mean(part.float(), dims, correction=0, keepdim=True)
        )
        own = part.numel() // own_mean.numel()
        step = own_mean - mean
        total = count + own
        squares = squares + own_variance * own + step.square() * (count * own / total)
        mean = mean + step * (own / total)
        count = total
    return mean, squares / count
