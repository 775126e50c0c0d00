"""The U-Net of the Semantic Diffusion Model: noisy image at the encoder, labels at the decoder.

Wang et al. 2022 (https://arxiv.org/abs/2207.00050). The encoder sees the noisy image. The condition
scales and shifts the norms of the decoder, as in SPADE (arXiv 1903.07291, Eq. 1).

Licence: Apache-2.0, like the rest. Written from the papers.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2ibench.errors import UserError

from .spade import SpatiallyAdaptiveNorm, resized
from .time_unet import GROUPS, WAVES, Attention, Level, waves, zeroed

EMBEDDED = 16
"""Channels of the embedded condition."""


class SemanticUNet(nn.Module):
    """A U-Net whose decoder is modulated by the condition, and whose encoder sees the noisy image.

    Blocks of 2x2 pixels of the image and of the embedded condition become channels, at half the
    size; the paper has no such blocks. The time scales and shifts all residual blocks (FiLM). The
    lowest level has self-attention, and the decoder begins there.

    Args:
        condition_channels: channels of the condition.
        image_channels: channels of the noisy image; twice as many are predicted.
        widths: channels of each level, finest first, multiples of 8. Each level has half the size
            of the one before.
        num_blocks: residual blocks of each level, both on the way down and on the way up.
        hidden_channels: channels between the condition and each modulation.

    Attributes:
        stride: height and width must be multiples of this.

    Raises:
        UserError: `widths` is empty, or a width is not a multiple of 8.
    """

    def __init__(
        self,
        condition_channels: int,
        image_channels: int,
        widths: Sequence[int],
        num_blocks: int,
        hidden_channels: int,
    ) -> None:
        super().__init__()
        if not widths or any(width < GROUPS or width % GROUPS for width in widths):
            raise UserError(f"widths are multiples of {GROUPS}, one for a level, not {widths}.")
        self.stride, first, last = 2 ** len(widths), widths[0], widths[-1]
        time_width, steps = 4 * first, list(pairwise(widths))
        sizes = time_width, num_blocks, 4 * EMBEDDED, hidden_channels
        self.clock = nn.Sequential(
            nn.Linear(WAVES, time_width), nn.SiLU(), nn.Linear(time_width, time_width), nn.SiLU()
        )
        self.enter = nn.Conv2d(4 * image_channels, first, 3, padding=1)
        self.down_blocks = nn.ModuleList(Level(w, time_width, num_blocks) for w in widths)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in steps)
        self.attention = Attention(last)
        self.embed = nn.Conv2d(condition_channels, EMBEDDED, kernel_size=1)
        self.bottom = SemanticLevel(last, *sizes)
        self.up = nn.ModuleList(nn.Conv2d(b, a, 3, padding=1) for a, b in steps)
        self.join = nn.ModuleList(nn.Conv2d(2 * a, a, kernel_size=1) for a, _ in steps)
        self.up_blocks = nn.ModuleList(SemanticLevel(a, *sizes) for a, _ in steps)
        self.norm = nn.GroupNorm(GROUPS, first)
        self.leave = zeroed(nn.Conv2d(first, 8 * image_channels, 3, padding=1))

    def forward(self, noisy: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        """Return two predictions for each channel of the image, float32 B,2C,H,W.

        Args:
            noisy: noisy images BCHW; sides are multiples of `stride`.
            time: the time of each image, [B] in 0..1.
            condition: BCHW of the size of the images.
        """
        embedding = self.clock(waves(time))
        labels = F.pixel_unshuffle(self.embed(condition), 2)
        x = self.down_blocks[0](self.enter(F.pixel_unshuffle(noisy, 2)), embedding)
        skips: list[Tensor] = []
        for down, level in zip(self.down, self.down_blocks[1:], strict=True):
            skips.append(x)
            x = level(down(x), embedding)
        x = self.bottom(self.attention(x), embedding, labels)
        for up, join, level in reversed(list(zip(self.up, self.join, self.up_blocks, strict=True))):
            x = up(F.interpolate(x, scale_factor=2.0, mode="nearest"))
            x = level(join(torch.cat([x, skips.pop()], 1)), embedding, labels)
        return F.pixel_shuffle(self.leave(F.silu(self.norm(x))), 2).float()


class SemanticLevel(nn.Module):
    """A chain of residual blocks of the decoder at one size, BCHW to BCHW.

    Args:
        channels: channels of the features.
        time_width: length of the embedding of the time.
        num_blocks: the number of blocks.
        label_channels: channels of the condition.
        hidden_channels: channels between the condition and each modulation.
    """

    def __init__(
        self,
        channels: int,
        time_width: int,
        num_blocks: int,
        label_channels: int,
        hidden_channels: int,
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            SemanticBlock(channels, time_width, label_channels, hidden_channels)
            for _ in range(num_blocks)
        )

    def forward(self, x: Tensor, embedding: Tensor, labels: Tensor) -> Tensor:
        """Return the features `x` BCHW after all residual blocks of this level, BCHW.

        Args:
            x: the features.
            embedding: the embedding of the time, [B,T].
            labels: the condition BCHW, which is resized to the size of the features.
        """
        labels = resized(labels, *x.shape[-2:])
        for block in self.blocks:
            x = block(x, embedding, labels)
        return x


class SemanticBlock(nn.Module):
    """A residual block whose norms the labels modulate, and the second also the time."""

    def __init__(
        self, channels: int, time_width: int, label_channels: int, hidden_channels: int
    ) -> None:
        super().__init__()
        self.norms = nn.ModuleList(
            SemanticNorm(channels, label_channels, hidden_channels) for _ in range(2)
        )
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = zeroed(nn.Conv2d(channels, channels, 3, padding=1))
        self.film = nn.Linear(time_width, 2 * channels)

    def forward(self, x: Tensor, embedding: Tensor, labels: Tensor) -> Tensor:
        """Return the features `x` BCHW plus a residual of time and labels, BCHW.

        Args:
            x: the features.
            embedding: the embedding of the time, [B,T], which scales and shifts the second norm.
            labels: the condition BCHW of the size of the features.
        """
        scale, shift = self.film(embedding)[:, :, None, None].chunk(2, 1)
        change = self.norms[1](self.first(F.silu(self.norms[0](x, labels))), labels)
        return x + self.second(F.silu(change * (1 + scale) + shift))


class SemanticNorm(SpatiallyAdaptiveNorm):
    """A group norm without weights whose scale and shift at each pixel depend on the condition.

    The scale begins around 1 and the shift around 0.

    Args:
        channels: channels of the features.
        in_channels: channels of the condition.
        hidden_channels: channels between the condition and the modulation.
    """

    def __init__(self, channels: int, in_channels: int, hidden_channels: int) -> None:
        super().__init__(channels, in_channels, hidden_channels, norm_type="instance")
        self.normalise = nn.GroupNorm(GROUPS, channels, affine=False)
        assert self.modulation.bias is not None
        nn.init.zeros_(self.modulation.bias)
        nn.init.ones_(self.modulation.bias[:channels])
