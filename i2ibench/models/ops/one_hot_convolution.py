"""Convolution of one-hot labels by looking up its weights."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2ibench.models.ops.peak_memory import is_fake

PIXELS_AT_ONCE = 2**16
"""Pixels per chunk whose windows hold several classes; a 7x7 window takes 49 indices a pixel."""


@dataclass(frozen=True)
class OneHot:
    """A label map that a condition holds in one-hot form in its first channels.

    Attributes:
        label: integer B1HW with values below `channels`.
        channels: the number of one-hot channels.
    """

    label: Tensor
    channels: int


def is_faster(condition: Tensor) -> bool:
    """Return whether `convolve_one_hot` is possible and faster than convolving a condition BCHW.

    This is the case on the CPU in float32, without gradients, autocast and fake tensors.
    """
    low = condition.is_cpu and torch.is_autocast_enabled("cpu")
    usable = condition.is_cpu and not is_fake(condition)
    return usable and not low and not torch.is_grad_enabled()


def convolve_one_hot(conv: nn.Conv2d, condition: Tensor, labels: OneHot) -> Tensor:
    """Return the convolution of a condition BCHW with reflected borders, at the same size.

    The one-hot channels are not convolved: weights are looked up by label. If all pixels of a
    window have one class, the output is that class's row of a table. For other windows, the weights
    of all positions are summed. The condition's remaining channels are convolved. The result equals
    the convolution up to the order of summation.

    Args:
        conv: a convolution of odd size and stride 1, without padding.
        condition: float BCHW.
        labels: the label map of the condition's first channels.
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
    """Return the maximum of each window of `side` x `side` pixels of a tensor BCHW.

    Windows move by one pixel and do not reach over the border. Height and width of the result are
    smaller by side - 1.
    """
    return F.max_pool2d(F.max_pool2d(x, (side, 1), stride=1), (1, side), stride=1)


def _windows(padded: Tensor, several: Tensor, side: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield positions of pixels and, for each of them, the rows of the weight table that it sums.

    Each item is (positions [P], rows [P, side * side]), both int64, for up to PIXELS_AT_ONCE
    pixels. Positions are indices into the flattened `several`. The table has a row for each label
    and each place in a window: row label * side * side + place.
    """
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
