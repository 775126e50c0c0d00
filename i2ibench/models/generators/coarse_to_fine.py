"""The coarse-to-fine generator of pix2pixHD (Sec. 3.2)."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from i2ibench.errors import UserError, near_match
from i2ibench.models.layers.blocks import Blocks, PaddingMode, head, recomputed
from i2ibench.models.layers.initialise import normal_
from i2ibench.models.layers.tiles import (
    NUM_FRONT,
    NUM_UP,
    Tile,
    back_in_tiles,
    front_in_tiles,
    joined,
    tiles_of,
)
from i2ibench.models.ops.images import require_multiple
from i2ibench.models.ops.one_hot_convolution import OneHot, convolve_one_hot, is_faster
from i2ibench.models.ops.pyramid import halve, halve_nearest, pyramid
from i2ibench.registry import GENERATORS
from i2ibench.registry.contracts import Generator

PARTS = ("coarse", "enhancers", "head")

View = Callable[[Tile], tuple[Tensor, OneHot | None]]
"""The condition of a tile with its margin, and what its first channels are."""


@GENERATORS.register_module()
class CoarseToFineGenerator(Generator):
    """An image from a condition: global generator G1 and any number of local enhancers.

    G1 works at the coarsest size; each enhancer doubles the size and adds detail to what comes
    from below (Fig. 3). With no enhancer this is G1 alone.

    Args:
        in_channels: channels of the condition.
        out_channels: channels of the image.
        base_channels: width of the finest level; G1 is 2^num_enhancers times as wide. The paper's
            2048x1024 system is 32 with one enhancer, so that its G1 has 64.
        num_enhancers: local enhancers around G1: 0 for G1, 1 for {G1, G2}, 2 for {G1, G2, G3}.
        num_downsamplings: strided convolutions of G1.
        num_blocks: residual blocks of G1.
        num_enhancer_blocks: residual blocks of each enhancer.
        padding_mode: of the strided convolutions: "zeros" as in the released code, or "reflect",
            its author's advice against bright spots (issue 46).
        hard_condition: show the coarser levels the nearest-neighbour label map, as G1 alone is
            trained on, instead of the released code's averaged one.
        zero_bias: begin with biases of 0 instead of torch's default.
        norm_type: "instance" as in the paper, or "batch".
        bias_before_norm: a bias in the convolutions that a norm follows; pix2pix's ResNet with
            batch norm has none.
        dropout: probability within G1's residual blocks, as in pix2pix's ResNet.
        always_train: keep dropout on and the test batch's own statistics when translating, as
            pix2pix and the released code do with batch norm.
        checkpointed: parts whose activations are not kept for the backward pass but computed
            again: "coarse", "enhancers", "head". Less memory, more time, the same gradients.

    Raises:
        UserError: `checkpointed` names another part.
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
        blocks = Blocks(padding_mode, norm_type, bias_before_norm, dropout)
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
        """The image, B3HW in [-1, 1], for a condition BCHW.

        Args:
            condition: BCHW.
            labels: what the condition's first channels are, if they are one-hot; without
                gradients on the CPU this saves most of the first convolution.

        Raises:
            UserError: height or width is not a multiple of `stride`.
        """
        require_multiple(condition, self.stride)
        levels = pyramid(condition, len(self.enhancers) + 1, self.smaller)
        coarse, enhance, finish = (self._way(part) for part in PARTS)
        features = _front(self.coarse, levels[-1], None if self.enhancers else labels, coarse)
        for enhancer, level in zip(self.enhancers, reversed(levels[:-1]), strict=True):
            own = labels if level is condition else None
            features = _front(enhancer.front, level, own, enhance) + features
            features = enhance(enhancer.back, features)
        return finish(self.head, features)

    def in_tiles(self, view: View, size: tuple[int, int], tile: tuple[int, int]) -> Tensor:
        """What `forward` gives, up to rounding, with less memory; without gradients only.

        The layers at full size work tile by tile, their norms with the statistics of the whole
        image; what lies between them, at half its sides and less, is computed as a whole.

        Args:
            view: the condition where it is asked for.
            size: (height, width) of the image, multiples of `stride`.
            tile: (width, height) of a tile, even.
        """
        tiles = tiles_of(*size, tile)
        layers, features = self.coarse[NUM_FRONT:], None
        if self.enhancers:
            features = self._below(joined(lambda t: self.smaller(view(t)[0]), tiles, 2), tile)
            front, layers = self.enhancers[-1].front, self.enhancers[-1].back
        else:
            front = self.coarse[:NUM_FRONT]
        own = front_in_tiles(front, lambda t: _stem(front, *view(t)), tiles)
        if features is not None:
            own = own.add_(features)
            del features
        for layer in layers[:-NUM_UP]:  # called at once they would hold on to what goes in
            own = layer(own)
        return back_in_tiles(layers[-NUM_UP:], self.head, own, tiles)

    def _below(self, condition: Tensor, tile: tuple[int, int]) -> Tensor:
        """What comes to the last enhancer from below, for the condition at half the sides."""
        levels = pyramid(condition, len(self.enhancers), self.smaller)
        del condition  # the levels are let go of as they have been used
        features = self.coarse(levels.pop())
        for enhancer in self.enhancers[:-1]:
            stem = _stem_in_tiles(enhancer.front, levels.pop(), tile)  # once: there is room for it
            tiles = tiles_of(stem.shape[-2], stem.shape[-1], tile)
            part = partial(Tile.cut, whole=stem)
            features = front_in_tiles(enhancer.front, part, tiles).add_(features)
            del stem, part
            for layer in enhancer.back:
                features = layer(features)
        return features

    def _way(self, part: str) -> Callable[[nn.Sequential, Tensor], Tensor]:
        """How the layers of a part are applied."""
        return recomputed if part in self.checkpointed else _applied


class _Enhancer(nn.Module):
    """Features at twice the size of the coarser ones, at `channels` channels (G2 of Fig. 3).

    The back takes the sum of the front's and the coarser features.
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
    """What layers that begin with padding and a 7x7 convolution make of a condition."""
    if labels is None or not is_faster(condition):
        return apply(layers, condition)
    return layers[2:](_stem(layers, condition, labels))


def _stem(layers: nn.Sequential, condition: Tensor, labels: OneHot | None = None) -> Tensor:
    """What the padding and the 7x7 convolution alone make of a condition."""
    conv = layers[1]
    assert isinstance(conv, nn.Conv2d)
    if labels is None or not is_faster(condition):
        return layers[:2](condition)
    return convolve_one_hot(conv, condition, labels)


def _stem_in_tiles(layers: nn.Sequential, level: Tensor, tile: tuple[int, int]) -> Tensor:
    """`_stem` of a condition that is there as a whole."""
    tiles = tiles_of(level.shape[-2], level.shape[-1], tile)
    return joined(lambda t: _stem(layers, t.cut(level)), tiles)


def _applied(layers: nn.Sequential, x: Tensor) -> Tensor:
    return layers(x)


def _global_trunk(
    in_channels: int, channels: int, num_downsamplings: int, num_blocks: int, blocks: Blocks
) -> nn.Sequential:
    """G1 without its output layers: `channels` features at full size."""
    widths = [channels * 2**level for level in range(num_downsamplings + 1)]
    layers = blocks.stem(in_channels, channels)
    for narrow, wide in pairwise(widths):
        layers += blocks.down(narrow, wide)
    layers += [blocks.residual(widths[-1]) for _ in range(num_blocks)]
    for wide, narrow in pairwise(reversed(widths)):
        layers += blocks.up(wide, narrow)
    return nn.Sequential(*layers)
