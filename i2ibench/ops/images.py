"""Images: between uint8 and [-1, 1], and label maps in colour."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from i2ibench.errors import UserError


def to_signed(image: Tensor) -> Tensor:
    """Float image in [-1, 1] from a uint8 one in 0..255, any shape."""
    return (image.float() / 255 - 0.5) / 0.5


def to_uint8(image: Tensor, truncate: bool = False) -> Tensor:
    """uint8 image in 0..255 from a float one in [-1, 1], any shape.

    Args:
        image: the image.
        truncate: cut fractions off, as the released pix2pixHD does, instead of rounding.
    """
    levels = ((image.float() + 1) / 2 * 255).clamp_(0, 255)
    return (levels if truncate else levels.round_()).to(torch.uint8)


def colour_labels(label: Tensor, palette: Sequence[Sequence[int]] | Tensor) -> Tensor:
    """uint8 [..., 3, H, W] in which every class has its palette colour.

    Args:
        label: integer [..., 1, H, W] with values below len(palette).
        palette: one (red, green, blue) per class, 0..255; as a tensor on the label's device, or a
            GPU waits for it.

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
    """`colours` [3,N] at each of `label` [P], uint8 [3,P], by OpenCV's tables of 256 bytes."""
    if int(label.max()) >= colours.shape[1]:  # 256 is no uint8
        raise IndexError(f"label {int(label.max())} in a palette of {colours.shape[1]} colours")
    tables = np.zeros((3, 256), np.uint8)
    tables[:, : colours.shape[1]] = colours.numpy()
    planes = torch.empty(3, 1, len(label), dtype=torch.uint8)
    for table, plane in zip(tables, planes, strict=True):
        cv2.LUT(label.numpy()[None], table, dst=plane.numpy())
    return planes


def pad_to_multiple(x: Tensor, stride: int, smallest: int = 1) -> Tensor:
    """BCHW enlarged at the right and bottom by repeating the edge until `stride` divides it.

    `x` itself where nothing is missing.

    Args:
        x: BCHW of any type.
        stride: what both sides will be multiples of.
        smallest: what both sides will be at least.
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
    """Refuse a BCHW whose sides `stride` does not divide.

    Raises:
        UserError: names the size and the nearest legal one.
    """
    height, width = x.shape[-2:]
    if height % stride or width % stride:
        near_height, near_width = (max(round(s / stride), 1) * stride for s in (height, width))
        raise UserError(
            f"Scenes are {width}x{height}, but this generator needs multiples of {stride}; the "
            f"nearest size is {near_width}x{near_height}."
        )
