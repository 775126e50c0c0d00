"""A U-Net that is told the time: it predicts a photo from a mixture of it with something else.

Licence: Apache-2.0, like the rest.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EMBEDDED = 8
"""Channels to which the condition is reduced."""

GROUPS = 8
"""The number of groups of the norms; all widths are multiples of it."""

WAVES = 64
"""Sines and cosines that describe the time."""


class TimeUNet(nn.Module):
    """A prediction of the photo BCHW from a mixture, the time and the condition.

    Mixture and condition are brought to half of their size, each 2x2 pixels as channels. Residual
    blocks are scaled and shifted by the time (FiLM); the lowest level has self-attention.
    Parameters for 36 channels of the condition: 4.0 million at the widths (48, 96, 144, 192) with
    one block a level, 74.7 million at the default widths of FlowTranslator.

    Args:
        condition_channels: of the condition.
        image_channels: of the mixture and the prediction.
        widths: of the levels, finest first, multiples of 8; each has half the size of the last.
        num_blocks: of each level, on the way down and on the way up.

    Attributes:
        stride: height and width have to be multiples of this.
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
        self.up = nn.ModuleList(nn.Conv2d(b, a, 3, padding=1) for a, b in steps)
        self.join = nn.ModuleList(nn.Conv2d(2 * a, a, kernel_size=1) for a, _ in steps)
        self.up_blocks = nn.ModuleList(Level(a, time_width, num_blocks) for a, _ in steps)
        self.norm = nn.GroupNorm(GROUPS, first)
        self.leave = zeroed(nn.Conv2d(first, 4 * image_channels, 3, padding=1))

    def forward(self, mixture: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        """Return the photo, float BCHW, for a mixture BCHW at the times [B], each 0 to 1."""
        told = self.clock(waves(time))
        x = self.enter(F.pixel_unshuffle(torch.cat([mixture, self.embed(condition)], 1), 2))
        x, kept = self.down_blocks[0](x, told), []
        for down, level in zip(self.down, self.down_blocks[1:], strict=True):
            kept.append(x)
            x = level(down(x), told)
        x = self.bottom(self.attention(x), told)
        for up, join, level in reversed(list(zip(self.up, self.join, self.up_blocks, strict=True))):
            x = up(F.interpolate(x, scale_factor=2.0, mode="nearest"))
            x = level(join(torch.cat([x, kept.pop()], 1)), told)
        return F.pixel_shuffle(self.leave(F.silu(self.norm(x))), 2).float()


class Level(nn.Module):
    """Residual blocks at one size, BCHW to BCHW."""

    def __init__(self, channels: int, time_width: int, num_blocks: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(channels, time_width) for _ in range(num_blocks))

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        """Return the features at the time that is described by `told`, [B,T]."""
        for block in self.blocks:
            x = block(x, told)
        return x


class Block(nn.Module):
    """A residual block whose second norm is scaled and shifted by the time, BCHW to BCHW."""

    def __init__(self, channels: int, time_width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.GroupNorm(GROUPS, channels) for _ in range(2))
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = zeroed(nn.Conv2d(channels, channels, 3, padding=1))
        self.film = nn.Linear(time_width, 2 * channels)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        """Return the features at the time that is described by `told`, [B,T]."""
        scale, shift = self.film(told)[:, :, None, None].chunk(2, 1)
        change = self.norms[1](self.first(F.silu(self.norms[0](x))))
        return x + self.second(F.silu(change * (1 + scale) + shift))


class Attention(nn.Module):
    """Residual self-attention among all pixels, BCHW to BCHW, with heads of up to 64 channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.heads = channels // math.gcd(channels, 64)
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.ask = nn.Conv2d(channels, 3 * channels, kernel_size=1)
        self.answer = zeroed(nn.Conv2d(channels, channels, kernel_size=1))

    def forward(self, x: Tensor) -> Tensor:
        """Return the features, each with what it has found in the others."""
        batch, channels, height, width = x.shape
        parts = self.ask(self.norm(x)).view(batch, 3 * self.heads, -1, height * width).mT
        found = F.scaled_dot_product_attention(*parts.chunk(3, 1))
        return x + self.answer(found.mT.reshape(batch, channels, height, width))


def waves(time: Tensor) -> Tensor:
    """Return sines and cosines [B,64] of times [B], of periods from 2 pi / 1000 to 2 pi."""
    steps = torch.arange(WAVES // 2, device=time.device) / (WAVES // 2 - 1)
    angles = time[:, None] * 1000 ** (1 - steps)
    return torch.cat([angles.sin(), angles.cos()], 1)


def zeroed(layer: nn.Conv2d) -> nn.Conv2d:
    """Return a layer that gives zeros until it has learnt."""
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
