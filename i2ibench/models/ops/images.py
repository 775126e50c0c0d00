"""Operations on images: value ranges, channels, colours of labels, padding, pyramids, edges."""

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from i2ibench.errors import UserError

LUMA = (299, 587, 114)
"""Thousandths of red, green and blue in grey (ITU-R BT.601)."""

STEEPEST = 4 * 255 * 1000
"""The Sobel gradient, in thousandths, at a straight border between black and white of 8 bits."""


def to_signed(image: Tensor) -> Tensor:
    """Return a float image in [-1, 1] for an integer image of any shape.

    Black is -1, and white is 1; see `largest_level`.

    Args:
        image: uint8, or int32 in 0..65535.
    """
    return (image.float() / largest_level(image) - 0.5) / 0.5


def largest_level(image: Tensor) -> int:
    """Return the value of white: 255 for uint8 images, 65535 for int32 images (16 bits)."""
    return 255 if image.dtype == torch.uint8 else 65535


def to_levels(image: Tensor, bits: int = 8, truncate: bool = False) -> Tensor:
    """Return an integer image for a float image of any shape; values outside [-1, 1] are clamped.

    Args:
        image: the image; -1 is black, 1 is white.
        bits: 8 for uint8 in 0..255, 16 for int32 in 0..65535.
        truncate: truncate as the released pix2pixHD does, instead of rounding.
    """
    largest = 2**bits - 1
    levels = ((image.float() + 1) / 2 * largest).clamp_(0, largest)
    return (levels if truncate else levels.round_()).to(torch.uint8 if bits == 8 else torch.int32)


def as_rgb(image: Tensor, user: str) -> Tensor:
    """Return an image [...,3,H,W]; a single channel is repeated three times.

    Args:
        image: [...,C,H,W].
        user: the network or loss that needs RGB, for the message.

    Raises:
        UserError: the image has neither one nor three channels.
    """
    channels = image.shape[-3]
    if channels not in (1, 3):
        raise UserError(f"{user} needs RGB or grey images, and these have {channels} channels.")
    return image.expand(*image.shape[:-3], 3, *image.shape[-2:]) if channels == 1 else image


def to_displayable(image: Tensor) -> Tensor:
    """Return an integer image [...,C,H,W] as uint8 RGB [...,3,H,W] for display.

    16-bit values are reduced to their upper 8 bits. A single channel becomes grey. Of two channels
    only the first is shown, as grey; of more than three the first three.

    Args:
        image: uint8, or int32 of 16 bits.
    """
    levels = image if image.dtype == torch.uint8 else (image >> 8).to(torch.uint8)
    if levels.shape[-3] < 3:
        return levels[..., :1, :, :].expand(*levels.shape[:-3], 3, *levels.shape[-2:])
    return levels[..., :3, :, :]


def pixels_of(image: Tensor) -> NDArray[Any]:
    """Return an image [C,H,W] as pixels [H,W,C] for a file, or [H,W] if it has one channel.

    Args:
        image: uint8, which stays uint8, or int32 in 0..65535, which becomes uint16.
    """
    pixels = image.permute(1, 2, 0).cpu().numpy()
    pixels = pixels if image.dtype == torch.uint8 else pixels.astype(np.uint16)
    return pixels[..., 0] if pixels.shape[2] == 1 else pixels


def tensor_of(pixels: NDArray[Any]) -> Tensor:
    """Return pixels [H,W,C] as an image [C,H,W]: uint8 stays uint8, and uint16 becomes int32."""
    kind = np.uint8 if pixels.dtype == np.uint8 else np.int32
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1), kind))


def colour_labels(label: Tensor, palette: Sequence[Sequence[int]] | Tensor) -> Tensor:
    """Return a label map in the colours of its classes, uint8 [..., 3, H, W].

    Args:
        label: integer [..., 1, H, W] with values below len(palette).
        palette: one (red, green, blue) per class, 0..255. A tensor on the label's device avoids a
            copy that a GPU would wait for.

    Raises:
        IndexError or RuntimeError (from torch): a value is outside the palette.
    """
    shape = label.squeeze(-3).shape
    colours = torch.as_tensor(palette, dtype=torch.uint8, device=label.device).T.contiguous()
    if label.device.type == "cpu" and label.dtype == torch.uint8 and label.numel():
        return _look_up(label.flatten(), colours).view(3, *shape).movedim(0, -3)
    index = label.long().flatten()
    return colours.gather(1, index.expand(3, -1)).view(3, *shape).movedim(0, -3)


def _look_up(label: Tensor, colours: Tensor) -> Tensor:
    """Return the colour of each label by OpenCV's look-up tables, uint8 [3,P]."""
    if int(label.max()) >= colours.shape[1]:  # the tables below have 256 entries
        raise IndexError(f"label {int(label.max())} in a palette of {colours.shape[1]} colours")
    tables = np.zeros((3, 256), np.uint8)
    tables[:, : colours.shape[1]] = colours.numpy()
    planes = torch.empty(3, 1, len(label), dtype=torch.uint8)
    for table, plane in zip(tables, planes, strict=True):
        cv2.LUT(label.numpy()[None], table, dst=plane.numpy())
    return planes


def pad_to_multiple(x: Tensor, stride: int, smallest: int = 1) -> Tensor:
    """Return BCHW padded at the right and bottom by repeating the last column and row.

    The result is `x` itself if no padding is needed.

    Args:
        x: BCHW of any type.
        stride: height and width of the result are multiples of this.
        smallest: the smallest height and width before rounding up.
    """
    height, width = (max(side, smallest) for side in x.shape[-2:])
    new_height, new_width = (-(-side // stride) * stride for side in (height, width))
    height, width = x.shape[-2:]
    if (new_height, new_width) == (height, width):
        return x
    rows = torch.arange(new_height, device=x.device).clamp_(max=height - 1)
    columns = torch.arange(new_width, device=x.device).clamp_(max=width - 1)
    return x[..., rows, :][..., columns]


def require_multiple(x: Tensor, stride: int) -> None:
    """Check that height and width of a tensor BCHW, a scene, are multiples of `stride`.

    Raises:
        UserError: they are not; the message names the nearest valid size.
    """
    height, width = x.shape[-2:]
    if height % stride or width % stride:
        near_height, near_width = (max(round(s / stride), 1) * stride for s in (height, width))
        raise UserError(
            f"Scenes are {width}x{height}, but this generator needs multiples of {stride}; the "
            f"nearest size is {near_width}x{near_height}."
        )


def halve(x: Tensor) -> Tensor:
    """Return BCHW at half size: 3x3 averages of stride 2 that do not count the padding.

    Odd sides are rounded up.
    """
    return F.avg_pool2d(x, kernel_size=3, stride=2, padding=1, count_include_pad=False)


def halve_nearest(x: Tensor) -> Tensor:
    """Return BCHW at half size by nearest-neighbour sampling, which keeps one-hot maps one-hot.

    Odd sides are rounded down.
    """
    return F.interpolate(x, scale_factor=0.5, mode="nearest-exact")


def pyramid(x: Tensor, levels: int, smaller: Callable[[Tensor], Tensor] = halve) -> list[Tensor]:
    """Return an image pyramid of `levels` tensors, finest first.

    Args:
        x: the finest level, BCHW.
        levels: the number of levels.
        smaller: the function that computes each level from the one before.
    """
    result = [x]
    for _ in range(levels - 1):
        result.append(smaller(result[-1]))
    return result


def sobel_edges(image: Tensor) -> Tensor:
    """Return the magnitude of Sobel's 3x3 gradient of the grey levels, float B1HW in [0, 1].

    It is 1 at a border between black and white, and the image's own borders are no edges. Grey
    levels are computed in thousandths. All sums of 8-bit values are then exact, so that a crop has
    the edges of the whole image. Images of other than three channels are averaged.

    Args:
        image: uint8 BCHW, or int32 of 16 bits.
    """
    steepest = STEEPEST * (largest_level(image) // 255)
    if image.shape[1] == 3:
        red, green, blue = (image[:, c : c + 1].float() * LUMA[c] for c in range(3))
        grey = red + green + blue
    else:
        grey = image.float().mean(1, keepdim=True) * 1000
    grey = F.pad(grey, (1, 1, 1, 1), mode="replicate")
    across = grey[..., 2:] - grey[..., :-2]
    down = grey[..., 2:, :] - grey[..., :-2, :]
    x = across[..., :-2, :] + 2 * across[..., 1:-1, :] + across[..., 2:, :]
    y = down[..., :-2] + 2 * down[..., 1:-1] + down[..., 2:]
    return ((x / steepest).square() + (y / steepest).square()).sqrt().clamp_(max=1)
