"""Label and instance maps: one-hot, boundaries, averages over instances."""

from typing import Any

import torch
from torch import Tensor

from i2ibench.models.ops.tensor_memory import is_fake


def one_hot(label: Tensor, num_classes: int) -> Tensor:
    """One channel per class, float BNHW of zeros and ones.

    Args:
        label: integer B1HW with values in 0..num_classes-1.

    Raises:
        IndexError or RuntimeError (from torch): a value is outside that range. Data sets check
            their files first and name the file.
    """
    batch, _, height, width = label.shape
    planes = torch.zeros(batch, num_classes, height, width, device=label.device)
    return one_hot_into(planes, label)


def one_hot_into(planes: Tensor, label: Tensor) -> Tensor:
    """`one_hot` written where it stays: joining it with others would copy every channel.

    Args:
        planes: float BNHW of zeros, which is changed and returned.
        label: integer B1HW with values in 0..N-1.

    Raises:
        IndexError or RuntimeError (from torch): see `one_hot`.
    """
    return planes.scatter_(1, label.long(), 1.0)


def instance_boundaries(instance: Tensor) -> Tensor:
    """1 where a pixel differs from any of its four neighbours, else 0 (Sec. 3.3).

    Both sides of a boundary are marked; the image border is none.

    Args:
        instance: integer B1HW.

    Returns:
        float B1HW.
    """
    boundary = torch.zeros_like(instance, dtype=torch.bool)
    horizontal = instance[..., 1:] != instance[..., :-1]
    vertical = instance[..., 1:, :] != instance[..., :-1, :]
    boundary[..., 1:] |= horizontal
    boundary[..., :-1] |= horizontal
    boundary[..., 1:, :] |= vertical
    boundary[..., :-1, :] |= vertical
    return boundary.float()


def instance_average(features: Tensor, instance: Tensor) -> Tensor:
    """Each feature replaced by its mean over the instance it belongs to (Sec. 3.4), BCHW.

    Every image of the batch is averaged for itself; pieces of one id share one mean. The gradient
    flows through the means.

    Args:
        features: float BCHW.
        instance: integer B1HW.
    """
    numbers, count = _number_instances(instance)
    sizes = torch.zeros(len(numbers), 1, count, dtype=torch.int64, device=numbers.device)
    sizes.scatter_add_(2, numbers, torch.ones_like(numbers))
    averaged: Tensor = _Average.apply(features, numbers, sizes)
    return averaged


MOST_NUMBERS = 2**17
"""The largest range of ids that a table takes as it is: 16-bit ids always, 32-bit ones rarely."""


def _number_instances(instance: Tensor) -> tuple[Tensor, int]:
    """Instance numbers from 0 on, int64 [B,1,HW], and what they stay below.

    Mostly they are the ids less the smallest: a table with gaps costs less than sorting. A GPU
    sorts, because asking it for the smallest id would make the host wait; ids without contents,
    of which only memory is counted, are treated as there.
    """
    ids = instance.long().flatten(2)
    if ids.device.type == "cpu" and not is_fake(ids):
        smallest, largest = int(instance.numpy().min()), int(instance.numpy().max())
        if largest - smallest < MOST_NUMBERS:
            return ids - smallest, largest - smallest + 1
    return _ranks(ids), ids.shape[2]


def _ranks(ids: Tensor) -> Tensor:
    """Each id's place among the distinct ones of its row, int64 of the same shape."""
    ordered, places = ids.sort(dim=-1)
    steps = torch.zeros_like(ids)
    steps[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    return torch.empty_like(ids).scatter_(-1, places, steps.cumsum(-1))


class _Average(torch.autograd.Function):
    """Means over instances, BCHW; averaging is symmetric, so its gradient is averaging again."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, numbers: Tensor, sizes: Tensor) -> Tensor:
        ctx.save_for_backward(numbers, sizes)
        batch, channels, height, width = features.shape
        members = numbers.expand(-1, channels, -1)
        # Sums overflow in half precision.
        values = features.flatten(2).to(torch.promote_types(features.dtype, torch.float32))
        sums = values.new_zeros(batch, channels, sizes.shape[2]).scatter_add_(2, members, values)
        means = sums.div_(sizes.clamp(min=1)).to(features.dtype)
        return means.gather(2, members).view(batch, channels, height, width)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return _Average.apply(gradients[0], *ctx.saved_tensors), None, None
