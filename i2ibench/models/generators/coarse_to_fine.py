"""The coarse-to-fine generator of pix2pixHD (Sec. 3.2)."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from i2ibench.errors import UserError, near_match
from i2ibench.models.layers.blocks import (
    Blocks,
    PaddingMode,
    Upsampling,
    head,
    normal_,
    run_checkpointed,
)
from i2ibench.models.layers.tiles import (
    NUM_FRONT,
    NUM_UP,
    Tile,
    back_in_tiles,
    compute_in_tiles,
    front_in_tiles,
    split_into_tiles,
)
from i2ibench.models.ops.images import halve, halve_nearest, pyramid, require_multiple
from i2ibench.models.ops.one_hot_convolution import OneHot, convolve_one_hot, is_faster
from i2ibench.registry import GENERATORS
from i2ibench.registry.contracts import Generator

PARTS = ("coarse", "enhancers", "head")

View = Callable[[Tile], tuple[Tensor, OneHot | None]]
"""A function from a tile to its condition with the margin, and the label map of that or None."""


@GENERATORS.register_module()
class CoarseToFineGenerator(Generator):
    """A generator of a global network G1 and any number of local enhancers around it.

    G1 works at the coarsest size. Each enhancer doubles the size and adds its features to those of
    the coarser level (Fig. 3). Without enhancers this is G1 alone.

    Args:
        in_channels: channels of the condition.
        out_channels: channels of the image.
        base_channels: width of the finest level. G1 is 2^num_enhancers times as wide: for the
            paper's 2048x1024 system it is 32 with one enhancer, so that G1 has 64.
        num_enhancers: local enhancers around G1: 0 for G1, 1 for {G1, G2}, 2 for {G1, G2, G3}.
        num_downsamplings: strided convolutions of G1.
        num_blocks: residual blocks of G1.
        num_enhancer_blocks: residual blocks of each enhancer.
        padding_mode: padding of the strided convolutions: "zeros" as in the released code, or
            "reflect", which its author advises against bright spots (issue 46).
        upsampling: "transposed" for the transposed convolutions of the paper, or "nearest" for
            nearest-neighbour upsampling and a convolution, which leaves no checkerboard.
        hard_condition: resize label maps for the coarser levels by nearest-neighbour sampling, as
            in the training of G1 alone. The released code averages them.
        zero_bias: initialise biases with 0 instead of torch's default.
        norm_type: "instance" as in the paper, or "batch".
        bias_before_norm: give a bias to convolutions that a norm follows. pix2pix's ResNet with
            batch norm has none.
        dropout: the dropout probability in G1's residual blocks, as in pix2pix's ResNet.
        always_train: keep dropout and the batch's own statistics in inference, as pix2pix and the
            released code do with batch norm.
        checkpointed: parts ("coarse", "enhancers", "head") whose activations the backward pass
            computes again. This saves memory, takes more time, and gives the same gradients.

    Raises:
        UserError: `checkpointed` names an unknown part.
    """

    accepts_labels = True
    works_in_tiles = True

    def __init__(  # noqa: PLR0913  each is a size or a switch of docs/paper-to-code.md
        self,
        in_channels: int,
        out_channels: int = 3,
        base_channels: int = 64,
        num_enhancers: int = 0,
        num_downsamplings: int = 4,
        num_blocks: int = 9,
        num_enhancer_blocks: int = 3,
        padding_mode: PaddingMode = "zeros",
        upsampling: Upsampling = "transposed",
        hard_condition: bool = False,
        zero_bias: bool = False,
        norm_type: str = "instance",
        bias_before_norm: bool = True,
        dropout: float = 0.0,
        always_train: bool = False,
        checkpointed: Sequence[str] = (),
    ) -> None:
        super().__init__()
        for part in checkpointed:
            if part not in PARTS:
                raise UserError(
                    f"checkpointed names parts of {PARTS}, not {part!r}.{near_match(part, PARTS)}"
                )
        self.checkpointed = frozenset(checkpointed)
        self.stride = 2 ** (num_downsamplings + num_enhancers)
        self.smallest_side = 2 * self.stride  # instance norm needs two values at the bottleneck
        coarse_channels = base_channels * 2**num_enhancers
        self.smaller = halve_nearest if hard_condition else halve
        self.always_train = always_train
        blocks = Blocks(padding_mode, norm_type, bias_before_norm, dropout, upsampling)
        self.coarse = _global_trunk(
            in_channels, coarse_channels, num_downsamplings, num_blocks, blocks
        )
        blocks = replace(blocks, dropout=0.0)
        self.enhancers: Any = nn.ModuleList(
            _Enhancer(in_channels, coarse_channels >> level, num_enhancer_blocks, blocks)
            for level in range(1, num_enhancers + 1)
        )
        self.head = nn.Sequential(*head(base_channels, out_channels))
        normal_(self, zero_bias=zero_bias)

    def forward(self, condition: Tensor, labels: OneHot | None = None) -> Tensor:
        """Return the image, B3HW in [-1, 1].

        The condition is reduced here to the sizes of the coarser levels.

        Args:
            condition: the generator's input at full size, BCHW.
            labels: the label map of the condition's one-hot channels, or None. On the CPU without
                gradients this saves most of the first convolution's time. The image is the same up
                to rounding.

        Raises:
            UserError: height or width is not a multiple of `stride`.
        """
        require_multiple(condition, self.stride)
        levels = pyramid(condition, len(self.enhancers) + 1, self.smaller)
        coarse, enhance, finish = (self._runner(part) for part in PARTS)
        features = _front(self.coarse, levels[-1], None if self.enhancers else labels, coarse)
        for enhancer, level in zip(self.enhancers, reversed(levels[:-1]), strict=True):
            own = labels if level is condition else None
            features = _front(enhancer.front, level, own, enhance) + features
            features = enhance(enhancer.back, features)
        return finish(self.head, features)

    def in_tiles(self, view: View, size: tuple[int, int], tile: tuple[int, int]) -> Tensor:
        """Return the image of `forward`, up to rounding, using less memory. Has no gradient.

        The layers at full size are computed tile by tile; their norms use the statistics of the
        whole image. The layers between them, at half the size and below, see the whole image.

        Args:
            view: a function from a tile to the condition BCHW of the tile with its margin, and to
                the label map of its one-hot channels or None. It is called several times for each
                tile.
            size: the (height, width) of the image, multiples of `stride`.
            tile: the (width, height) of a tile, even.
        """
        tiles = split_into_tiles(*size, tile)
        layers, features = self.coarse[NUM_FRONT:], None
        if self.enhancers:
            features = self._below(
                compute_in_tiles(lambda t: self.smaller(view(t)[0]), tiles, 2), tile
            )
            front, layers = self.enhancers[-1].front, self.enhancers[-1].back
        else:
            front = self.coarse[:NUM_FRONT]
        own = front_in_tiles(front, lambda t: _stem(front, *view(t)), tiles)
        if features is not None:
            own = own.add_(features)
            del features
        for layer in layers[:-NUM_UP]:  # one by one, so that inputs are freed
            own = layer(own)
        return back_in_tiles(layers[-NUM_UP:], self.head, own, tiles)

    def _below(self, condition: Tensor, tile: tuple[int, int]) -> Tensor:
        """Return the features BCHW that the finest enhancer adds to its own, at half size.

        They come from G1 and from all other enhancers. The enhancers' first layers run tile by
        tile.
        """
        levels = pyramid(condition, len(self.enhancers), self.smaller)
        del condition  # each level is freed after its use
        features = self.coarse(levels.pop())
        for enhancer in self.enhancers[:-1]:
            stem = _stem_in_tiles(enhancer.front, levels.pop(), tile)  # once, as it fits in memory
            tiles = split_into_tiles(stem.shape[-2], stem.shape[-1], tile)
            part = partial(Tile.cut, whole=stem)
            features = front_in_tiles(enhancer.front, part, tiles).add_(features)
            del stem, part
            for layer in enhancer.back:
                features = layer(features)
        return features

    def _runner(self, part: str) -> Callable[[nn.Sequential, Tensor], Tensor]:
        """Return the function that runs the layers of a part of this generator on its input.

        It is `run_checkpointed` for the parts in `checkpointed`, and a plain call for the others.
        """
        return run_checkpointed if part in self.checkpointed else _run


class _Enhancer(nn.Module):
    """A local enhancer, which doubles the size of the coarser features (G2 of Fig. 3).

    The input of its back is the sum of the front's output and the coarser features.
    """

    def __init__(self, in_channels: int, channels: int, num_blocks: int, blocks: Blocks) -> None:
        super().__init__()
        self.front = nn.Sequential(
            *blocks.stem(in_channels, channels), *blocks.down(channels, 2 * channels)
        )
        residuals = [blocks.residual(2 * channels) for _ in range(num_blocks)]
        self.back = nn.Sequential(*residuals, *blocks.up(2 * channels, channels))


def _front(
    layers: nn.Sequential,
    condition: Tensor,
    labels: OneHot | None,
    apply: Callable[[nn.Sequential, Tensor], Tensor],
) -> Tensor:
    """Return `layers(condition)`, BCHW, by a look-up of labels if that is faster."""
    if labels is None or not is_faster(condition):
        return apply(layers, condition)
    return layers[2:](_stem(layers, condition, labels))


def _stem(layers: nn.Sequential, condition: Tensor, labels: OneHot | None = None) -> Tensor:
    """Return the output BCHW of the first padding and 7x7 convolution of some layers only."""
    conv = layers[1]
    assert isinstance(conv, nn.Conv2d)
    if labels is None or not is_faster(condition):
        return layers[:2](condition)
    return convolve_one_hot(conv, condition, labels)


def _stem_in_tiles(layers: nn.Sequential, level: Tensor, tile: tuple[int, int]) -> Tensor:
    tiles = split_into_tiles(level.shape[-2], level.shape[-1], tile)
    return compute_in_tiles(lambda t: _stem(layers, t.cut(level)), tiles)


def _run(layers: nn.Sequential, x: Tensor) -> Tensor:
    return layers(x)


def _global_trunk(
    in_channels: int, channels: int, num_downsamplings: int, num_blocks: int, blocks: Blocks
) -> nn.Sequential:
    """Return the layers of G1 without its output layers, for a condition BCHW.

    Their output has the size of the condition.
    """
    widths = [channels * 2**level for level in range(num_downsamplings + 1)]
    layers = blocks.stem(in_channels, channels)
    for narrow, wide in pairwise(widths):
        layers += blocks.down(narrow, wide)
    layers += [blocks.residual(widths[-1]) for _ in range(num_blocks)]
    for wide, narrow in pairwise(reversed(widths)):
        layers += blocks.up(wide, narrow)
    return nn.Sequential(*layers)
