"""Computation of a network's first and last layers tile by tile, with the same result.

The layers at full size take most of the memory. Their convolutions see only a few pixels around
each pixel, and each tile includes these as its margin. Only the norms see the whole image. Each
tile is therefore computed twice: first for the statistics of the whole image, then for the result.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from i2ibench.io.devices import most_precise_dtype

MARGIN = 4
"""Pixels around a tile on every side: 3 for a 7x7 convolution, and 1 for a strided one."""

NUM_FRONT, NUM_UP, NUM_HEAD = 7, 3, 3
"""Number of layers of `Blocks.stem` plus `Blocks.down`, of `Blocks.up`, and of `blocks.head`."""


@dataclass(frozen=True)
class Tile:
    """A rectangle of an image, in pixels at full size; all limits are even.

    Attributes:
        rows: the rows of the tile.
        columns: the columns of the tile.
        around: the rows and the columns with the margin, cropped at the image's borders.
    """

    rows: slice
    columns: slice
    around: tuple[slice, slice]

    def cut(self, whole: Tensor, shrink: int = 1) -> Tensor:
        """Return this tile with its margin, cut out of a tensor of the whole image; a view.

        Args:
            whole: the tensor [...,H,W], whose height and width are the image's divided by `shrink`.
            shrink: 1 for a tensor at full size, 2 for one at half size.
        """
        rows, columns = (slice(s.start // shrink, s.stop // shrink) for s in self.around)
        return whole[..., rows, columns]

    def own(self, part: Tensor, shrink: int = 1) -> Tensor:
        """Return a layer's output for this tile without the margin, cut out of the output with it.

        Args:
            part: the output [...,h,w] for the tile with its margin, at 1/shrink of the image's
                size.
            shrink: 1 for an output at full size, 2 for one at half size.

        Returns:
            A view of `part`.
        """
        rows, columns = (
            slice((own.start - wide.start) // shrink, (own.stop - wide.start) // shrink)
            for own, wide in zip((self.rows, self.columns), self.around, strict=True)
        )
        return part[..., rows, columns]


def split_into_tiles(height: int, width: int, size: tuple[int, int]) -> list[Tile]:
    """Return tiles that cover an image without overlap, row by row; only their margins overlap.

    Args:
        height: the image's height, even.
        width: the image's width, even.
        size: the (width, height) of a tile, even. Tiles at the right and bottom may be smaller.
    """
    rows, columns = _pieces(height, size[1]), _pieces(width, size[0])
    return [Tile(r, c, (_widened(r, height), _widened(c, width))) for r in rows for c in columns]


def _pieces(side: int, length: int) -> list[slice]:
    return [slice(begin, min(begin + length, side)) for begin in range(0, side, length)]


def _widened(piece: slice, side: int) -> slice:
    return slice(max(piece.start - MARGIN, 0), min(piece.stop + MARGIN, side))


def compute_in_tiles(
    part: Callable[[Tile], Tensor], tiles: Sequence[Tile], shrink: int = 1
) -> Tensor:
    """Compute a tensor tile by tile and return the whole tensor, BCHW.

    Args:
        part: a function from a tile to its output with the margin, BCHW at 1/shrink of the size.
            The margin is cut off. Each tile is computed once.
        tiles: all tiles of the image, as `split_into_tiles` returns them.
        shrink: the factor by which the output is smaller than the image.
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
    """Return the output BCHW of the first layers of a network, at half the image's size.

    The first norm uses the statistics of the whole image. `stem` therefore computes each tile
    twice, unless the norm is a batch norm in eval mode.

    Args:
        layers: the layers of `Blocks.stem` and `Blocks.down`. Their padding and 7x7 convolution are
            not run, since `stem` stands for them.
        stem: a function from a tile to the output BCHW of the stem's convolution, with the margin.
        tiles: all tiles of the image.
    """
    normalise = _norm_of_whole(layers[2], (tile.own(stem(tile)) for tile in tiles))

    def half(tile: Tile) -> Tensor:
        return layers[3:5](normalise(stem(tile)))

    return layers[5:](compute_in_tiles(half, tiles, shrink=2))


def back_in_tiles(
    up: nn.Sequential, head: nn.Sequential, features: Tensor, tiles: Sequence[Tile]
) -> Tensor:
    """Return the output BCHW of the last layers of a network, at the image's size.

    The norm uses the statistics of the whole image. Its input is therefore computed twice, unless
    the norm is a batch norm in eval mode.

    Args:
        up: the layers of `Blocks.up`.
        head: the layers of `blocks.head`.
        features: the input of `up`, BCHW at half the image's size.
        tiles: all tiles of the image.
    """

    def doubled(tile: Tile) -> Tensor:
        return up[0](tile.cut(features, shrink=2))

    normalise = _norm_of_whole(up[1], (tile.own(doubled(tile)) for tile in tiles))
    return compute_in_tiles(lambda tile: head(up[2](normalise(doubled(tile)))), tiles)


def _norm_of_whole(layer: nn.Module, parts: Iterator[Tensor]) -> Callable[[Tensor], Tensor]:
    """Return a function that normalises BCHW with the statistics of all parts together.

    A batch norm in eval mode has running statistics, so it is returned itself, and no part is
    computed. Instance norm has statistics for each image, batch norm in training mode for the whole
    batch; running statistics are not updated. The function computes in float32 and returns its
    input's type.
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
    """Return the mean and the variance over all parts together (Chan et al. 1979).

    The variance is the sum of squares divided by the number of values. Both are float64, or float32
    on devices without float64, and the reduced dimensions have size 1.
    """
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
