"""Operations on label and instance maps: one-hot, boundaries, averages over instances."""

from typing import Any

import torch
from torch import Tensor

from i2ibench.models.ops.peak_memory import is_fake


def one_hot(label: Tensor, num_classes: int) -> Tensor:
    """Return one channel per class, float BNHW of zeros and ones.

    Args:
        label: integer B1HW with values in 0..num_classes-1.
        num_classes: N.

    Raises:
        IndexError or RuntimeError (from torch): a value is outside that range. Data sets check
            their files first and name the file.
    """
    batch, _, height, width = label.shape
    planes = torch.zeros(batch, num_classes, height, width, device=label.device)
    return one_hot_into(planes, label)


def one_hot_into(planes: Tensor, label: Tensor) -> Tensor:
    """Write the one-hot form of a label map into `planes` in place, and return `planes`.

    Args:
        planes: float BNHW of zeros, such as a slice of a larger tensor.
        label: integer B1HW with values in 0..N-1.

    Raises:
        IndexError or RuntimeError (from torch): see `one_hot`.
    """
    return planes.scatter_(1, label.long(), 1.0)


def instance_boundaries(instance: Tensor) -> Tensor:
    """Return 1 where a pixel differs from any of its four neighbours, else 0 (Sec. 3.3).

    Both sides of a boundary are marked. The image's borders are no boundaries.

    Args:
        instance: integer B1HW.

    Returns:
        The boundary map, float B1HW.
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
    """Return features averaged over each instance (Sec. 3.4), BCHW.

    Each image of the batch is averaged separately. Separate regions of one id share one mean. The
    gradient flows through the means.

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
"""The largest range of ids that are used as table indices directly."""


def _number_instances(instance: Tensor) -> tuple[Tensor, int]:
    """Return an instance number from 0 on for each pixel, int64 [B,1,HW], and their upper bound.

    The bound is larger than every number; some numbers may not occur. On the CPU, numbers are
    usually ids minus the smallest id, since gaps in the table cost less than sorting. On a GPU the
    ids are sorted, because reading the smallest id would synchronise the host. Fake tensors, which
    serve to count memory, are treated as on a GPU.
    """
    ids = instance.long().flatten(2)
    if ids.device.type == "cpu" and not is_fake(ids):
        smallest, largest = int(instance.numpy().min()), int(instance.numpy().max())
        if largest - smallest < MOST_NUMBERS:
            return ids - smallest, largest - smallest + 1
    return _ranks(ids), ids.shape[2]


def _ranks(ids: Tensor) -> Tensor:
    """Return the rank of each id, from 0 on, among the distinct ids along the last dimension.

    The result is int64 of the same shape.
    """
    ordered, places = ids.sort(dim=-1)
    steps = torch.zeros_like(ids)
    steps[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    return torch.empty_like(ids).scatter_(-1, places, steps.cumsum(-1))


class _Average(torch.autograd.Function):
    """Averages over instances, BCHW. Averaging is symmetric, so its gradient also averages."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, numbers: Tensor, sizes: Tensor) -> Tensor:
        ctx.save_for_backward(numbers, sizes)
        batch, channels, height, width = features.shape
        members = numbers.expand(-1, channels, -1)
        # Sums would overflow in half precision.
        values = features.flatten(2).to(torch.promote_types(features.dtype, torch.float32))
        sums = values.new_zeros(batch, channels, sizes.shape[2]).scatter_add_(2, members, values)
        means = sums.div_(sizes.clamp(min=1)).to(features.dtype)
        return means.gather(2, members).view(batch, channels, height, width)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return _Average.apply(gradients[0], *ctx.saved_tensors), None, None
