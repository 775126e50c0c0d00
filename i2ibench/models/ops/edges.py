"""Edges of images, computed where the images are."""

import torch.nn.functional as F
from torch import Tensor

from i2ibench.models.ops.images import largest_level

LUMA = (299, 587, 114)
"""Thousandths of red, green and blue in grey (ITU-R BT.601)."""

STEEPEST = 4 * 255 * 1000
"""The gradient of a straight border between black and white of 8 bits."""


def sobel_edges(image: Tensor) -> Tensor:
    """How steep the grey levels are, float B1HW in [0, 1]; 1 between black and white.

    The magnitude of Sobel's 3x3 gradient; the image's borders are none. Grey levels are counted
    in thousandths, so that every sum of 8 bits is exact and a part of an image has the whole's
    edges. Other than three channels are averaged.

    Args:
        image: uint8 BCHW, or int32 of 16 bits.
    """
    steepest = STEEPEST * (largest_level(image) // 255)
    grey = F.pad(_grey(image), (1, 1, 1, 1), mode="replicate")
    across = grey[..., 2:] - grey[..., :-2]
    down = grey[..., 2:, :] - grey[..., :-2, :]
    x = across[..., :-2, :] + 2 * across[..., 1:-1, :] + across[..., 2:, :]
    y = down[..., :-2] + 2 * down[..., 1:-1] + down[..., 2:]
    return ((x / steepest).square() + (y / steepest).square()).sqrt().clamp_(max=1)


def _grey(image: Tensor) -> Tensor:
    """Return thousandths of grey levels, float B1HW."""
    if image.shape[1] != 3:
        return image.float().mean(1, keepdim=True) * 1000
    red, green, blue = (image[:, c : c + 1].float() * LUMA[c] for c in range(3))
    return red + green + blue
