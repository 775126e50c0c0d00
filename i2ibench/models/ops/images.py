"""Images: between integers and [-1, 1], other numbers of channels, label maps in colour."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from i2ibench.errors import UserError


def to_signed(image: Tensor) -> Tensor:
    """Return a float image in [-1, 1] from one in integers, see `largest_level`; any shape."""
    return (image.float() / largest_level(image) - 0.5) / 0.5


def largest_level(image: Tensor) -> int:
    """Return the value that is white: 255 of uint8 images; 65535 of int32 ones, of 16 bits."""
    return 255 if image.dtype == torch.uint8 else 65535


def to_levels(image: Tensor, bits: int = 8, truncate: bool = False) -> Tensor:
    """Return an image in integers from a float one in [-1, 1], any shape.

    Args:
        image: the image.
        bits: 8 for uint8 in 0..255, 16 for int32 in 0..65535.
        truncate: cut fractions off, as the released pix2pixHD does, instead of rounding.
    """
    largest = 2**bits - 1
    levels = ((image.float() + 1) / 2 * largest).clamp_(0, largest)
    return (levels if truncate else levels.round_()).to(torch.uint8 if bits == 8 else torch.int32)


def as_rgb(image: Tensor, user: str) -> Tensor:
    """Return an image [...,3,H,W]: as it is, or with its one channel three times.

    Args:
        image: [...,C,H,W].
        user: what needs RGB, for the message.

    Raises:
        UserError: the image has neither one nor three channels.
    """
    channels = image.shape[-3]
    if channels not in (1, 3):
        raise UserError(f"{user} needs RGB or grey images, and these have {channels} channels.")
    return image.expand(*image.shape[:-3], 3, *image.shape[-2:]) if channels == 1 else image


def to_shown(image: Tensor) -> Tensor:
    """Return an image in integers [...,C,H,W] as uint8 [...,3,H,W] for people to look at.

    Of 16 bits the upper 8 are shown; of two channels the first, of more than three the first three.
    """
    levels = image if image.dtype == torch.uint8 else (image >> 8).to(torch.uint8)
    if levels.shape[-3] < 3:
        return levels[..., :1, :, :].expand(*levels.shape[:-3], 3, *levels.shape[-2:])
    return levels[..., :3, :, :]


def pixels_of(image: Tensor) -> NDArray[Any]:
    """Return an image in integers [C,H,W] as files hold it: [H,W,C], or [H,W] for one channel."""
    pixels = image.permute(1, 2, 0).cpu().numpy()
    pixels = pixels if image.dtype == torch.uint8 else pixels.astype(np.uint16)
    return pixels[..., 0] if pixels.shape[2] == 1 else pixels


def tensor_of(pixels: NDArray[Any]) -> Tensor:
    """Return pixels uint8 or uint16 [H,W,C] as an image [C,H,W], uint8 or, of 16 bits, int32."""
    kind = np.uint8 if pixels.dtype == np.uint8 else np.int32
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1), kind))


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
