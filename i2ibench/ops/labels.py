"""Label and instance maps: one-hot, boundaries, averages over instances."""

import torch
from torch import Tensor


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
    batch, channels, height, width = features.shape
    members, num_instances = _number_instances(instance)
    rows = features.permute(0, 2, 3, 1).reshape(-1, channels)
    rows = rows.to(torch.promote_types(rows.dtype, torch.float32))  # sums overflow in half
    sums = rows.new_zeros(num_instances, channels).index_add(0, members, rows)
    sizes = torch.bincount(members, minlength=num_instances).to(rows.dtype)
    means = sums / sizes[:, None]
    averaged = means[members].reshape(batch, height, width, channels).permute(0, 3, 1, 2)
    return averaged.to(features.dtype)


def _number_instances(instance: Tensor) -> tuple[Tensor, int]:
    """Consecutive numbers for the (image, id) pairs of a batch: one per pixel, and their count."""
    ids = instance.long().flatten(1)
    spread = ids.max() - ids.min() + 1
    image = torch.arange(len(ids), device=ids.device)[:, None]
    values, members = torch.unique(ids - ids.min() + image * spread, return_inverse=True)
    return members.flatten(), len(values)
