"""The first convolution over one-hot labels, as a look-up of its weights."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2ibench.models.ops.tensor_memory import is_fake

PIXELS_AT_ONCE = 2**16
"""Of those whose windows hold several classes; each takes 49 indices for a 7x7 convolution."""


@dataclass(frozen=True)
class OneHot:
    """What the first channels of a condition are: `label`, integer B1HW, in one-hot form.

    Attributes:
        label: below `channels`.
        channels: how many.
    """

    label: Tensor
    channels: int


def is_faster(condition: Tensor) -> bool:
    """Return whether looking up is faster than the convolution of a condition BCHW, and possible.

    It is on the CPU in float32; gradients, bf16 and tensors without contents are left to the
    convolution.
    """
    low = condition.is_cpu and torch.is_autocast_enabled("cpu")
    usable = condition.is_cpu and not is_fake(condition)
    return usable and not low and not torch.is_grad_enabled()


def convolve_one_hot(conv: nn.Conv2d, condition: Tensor, labels: OneHot) -> Tensor:
    """What `conv` gives for a condition BCHW with borders reflected so that the size is kept.

    A pixel whose whole window is of one class gets that class's row of a table; for the others
    the weights of every place of the window are added up. The condition's other channels, which
    are not one-hot, are convolved. Equal to the convolution up to the order of sums.

    Args:
        conv: of odd size and stride 1, without padding of its own.
        condition: float BCHW.
        labels: what its first channels are.
    """
    side, out_channels = conv.kernel_size[0], conv.out_channels
    border = (side // 2,) * 4
    weight = conv.weight[:, : labels.channels]
    by_place = weight.permute(1, 2, 3, 0).reshape(-1, out_channels).contiguous()
    padded = F.pad(labels.label.float(), border, mode="reflect")
    several = _highest(padded, side) != -_highest(-padded, side)
    rows = F.embedding(labels.label.long().flatten(), weight.sum((2, 3)).T.contiguous())
    for places, windows in _windows(padded.long(), several, side):
        rows[places] = F.embedding_bag(windows, by_place, mode="sum")
    batch, _, height, width = condition.shape
    result = rows.view(batch, height, width, out_channels).permute(0, 3, 1, 2)
    others = condition[:, labels.channels :]
    if others.shape[1]:
        own = conv.weight[:, labels.channels :]
        return F.conv2d(F.pad(others, border, mode="reflect"), own, conv.bias).add_(result)
    result = result.contiguous()
    return result if conv.bias is None else result.add_(conv.bias.view(1, -1, 1, 1))


def _highest(x: Tensor, side: int) -> Tensor:
    """The highest value of each window."""
    return F.max_pool2d(F.max_pool2d(x, (side, 1), stride=1), (1, side), stride=1)


def _windows(padded: Tensor, several: Tensor, side: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The places of pixels and, for each, the rows of the table that its window adds up."""
    _, _, height, width = padded.shape
    rows, columns = (torch.arange(side) * step for step in (width, 1))
    offsets = (rows[:, None] + columns).flatten()
    taps = torch.arange(side * side)
    image, _, y, x = several.nonzero().unbind(1)
    corners = (image * height + y) * width + x
    flat = padded.flatten()
    for chosen, corner in zip(
        several.flatten().nonzero()[:, 0].split(PIXELS_AT_ONCE),
        corners.split(PIXELS_AT_ONCE),
        strict=True,
    ):
        yield chosen, flat[corner[:, None] + offsets] * (side * side) + taps
