"""A time-conditioned U-Net, which predicts an image from its mixture with a source.

Licence: Apache-2.0, like the rest.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2ibench.models.layers.blocks import NearestUpConv2d

EMBEDDED = 8
"""Channels of the embedded condition."""

GROUPS = 8
"""Groups of the group norms; all widths are multiples of it."""

WAVES = 64
"""Sines and cosines in the embedding of the time."""


class TimeUNet(nn.Module):
    """A U-Net that predicts an image from a mixture, the time and the condition.

    Blocks of 2x2 pixels of mixture and condition become channels, at half the size. The time scales
    and shifts residual blocks (FiLM), and the lowest level has self-attention. Parameters for 36
    channels of the condition: 4.0 million at the widths (48, 96, 144, 192) with one block per
    level, 74.7 million at the default widths of FlowTranslator.

    Args:
        condition_channels: channels of the condition.
        image_channels: channels of the mixture and of the prediction.
        widths: channels of each level, finest first, multiples of 8. Each level has half the size
            of the one before.
        num_blocks: residual blocks of each level, both on the way down and on the way up.

    Attributes:
        stride: height and width must be multiples of this.
    """

    def __init__(
        self, condition_channels: int, image_channels: int, widths: Sequence[int], num_blocks: int
    ) -> None:
        super().__init__()
        self.stride, first, last = 2 ** len(widths), widths[0], widths[-1]
        time_width = 4 * first
        self.embed = nn.Conv2d(condition_channels, EMBEDDED, kernel_size=1)
        self.enter = nn.Conv2d(4 * (EMBEDDED + image_channels), first, 3, padding=1)
        self.clock = nn.Sequential(
            nn.Linear(WAVES, time_width), nn.SiLU(), nn.Linear(time_width, time_width), nn.SiLU()
        )
        steps = list(pairwise(widths))
        self.down_blocks = nn.ModuleList(Level(w, time_width, num_blocks) for w in widths)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in steps)
        self.attention = Attention(last)
        self.bottom = Level(last, time_width, num_blocks)
        self.up = nn.ModuleList(NearestUpConv2d(b, a) for a, b in steps)
        self.join = nn.ModuleList(nn.Conv2d(2 * a, a, kernel_size=1) for a, _ in steps)
        self.up_blocks = nn.ModuleList(Level(a, time_width, num_blocks) for a, _ in steps)
        self.norm = nn.GroupNorm(GROUPS, first)
        self.leave = zeroed(nn.Conv2d(first, 4 * image_channels, 3, padding=1))

    def forward(self, mixture: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        """Return the predicted image, float32 BCHW.

        Args:
            mixture: a mixture of the image and its source, BCHW; sides are multiples of `stride`.
            time: the time of each mixture, [B] in 0..1.
            condition: BCHW of the size of the mixture.
        """
        embedding = self.clock(waves(time))
        x = self.enter(F.pixel_unshuffle(torch.cat([mixture, self.embed(condition)], 1), 2))
        x, skips = self.down_blocks[0](x, embedding), []
        for down, level in zip(self.down, self.down_blocks[1:], strict=True):
            skips.append(x)
            x = level(down(x), embedding)
        x = self.bottom(self.attention(x), embedding)
        for up, join, level in reversed(list(zip(self.up, self.join, self.up_blocks, strict=True))):
            x = level(join(torch.cat([up(x), skips.pop()], 1)), embedding)
        return F.pixel_shuffle(self.leave(F.silu(self.norm(x))), 2).float()


class Level(nn.Module):
    """A chain of residual blocks at one size, BCHW to BCHW."""

    def __init__(self, channels: int, time_width: int, num_blocks: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(TimeBlock(channels, time_width) for _ in range(num_blocks))

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Return the features `x` BCHW after all residual blocks of this level, BCHW.

        Args:
            x: the features.
            embedding: the embedding of the time, [B,T].
        """
        for block in self.blocks:
            x = block(x, embedding)
        return x


class TimeBlock(nn.Module):
    """A residual block whose second norm is scaled and shifted by the time, BCHW to BCHW."""

    def __init__(self, channels: int, time_width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.GroupNorm(GROUPS, channels) for _ in range(2))
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = zeroed(nn.Conv2d(channels, channels, 3, padding=1))
        self.film = nn.Linear(time_width, 2 * channels)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Return the features `x` BCHW plus a residual that depends on the time, BCHW.

        Args:
            x: the features.
            embedding: the embedding of the time, [B,T], which scales and shifts the second norm.
        """
        scale, shift = self.film(embedding)[:, :, None, None].chunk(2, 1)
        change = self.norms[1](self.first(F.silu(self.norms[0](x))))
        return x + self.second(F.silu(change * (1 + scale) + shift))


class Attention(nn.Module):
    """Residual self-attention over all pixels, BCHW to BCHW, with heads of up to 64 channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.heads = channels // math.gcd(channels, 64)
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.ask = nn.Conv2d(channels, 3 * channels, kernel_size=1)
        self.answer = zeroed(nn.Conv2d(channels, channels, kernel_size=1))

    def forward(self, x: Tensor) -> Tensor:
        """Return the features `x` BCHW plus the output of self-attention over all their pixels."""
        batch, channels, height, width = x.shape
        parts = self.ask(self.norm(x)).view(batch, 3 * self.heads, -1, height * width).mT
        attended = F.scaled_dot_product_attention(*parts.chunk(3, 1))
        return x + self.answer(attended.mT.reshape(batch, channels, height, width))


def waves(time: Tensor) -> Tensor:
    """Return 32 sines, then 32 cosines, of times [B] as [B,64].

    Their periods go from 2 pi / 1000 to 2 pi.
    """
    steps = torch.arange(WAVES // 2, device=time.device) / (WAVES // 2 - 1)
    angles = time[:, None] * 1000 ** (1 - steps)
    return torch.cat([angles.sin(), angles.cos()], 1)


def zeroed(layer: nn.Conv2d) -> nn.Conv2d:
    """Set the weights and the bias of a layer to zero in place, and return the layer."""
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
