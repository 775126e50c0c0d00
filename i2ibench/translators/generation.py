"""Generation of pictures where more than one call of the generator is needed, and its check."""

import zlib
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from i2ibench.errors import UserError


def one_by_one(
    forward: Callable[[Tensor, Tensor | None], Tensor],
    condition: Tensor,
    features: Tensor | None,
    names: Sequence[str],
) -> Tensor:
    """Images B3HW, each made alone and with random numbers that its name decides.

    For generators whose dropout or batch statistics stay on: what a scene becomes must not depend
    on its neighbours in the batch.

    Args:
        forward: images for a condition and features.
        condition: BCHW.
        features: BCHW, or None.
        names: of the scenes.
    """
    images = []
    device = [condition.device] if condition.is_cuda else []
    for i, name in enumerate(names):
        with torch.random.fork_rng(device):
            torch.manual_seed(zlib.crc32(name.encode()))
            own = None if features is None else features[i : i + 1]
            images.append(forward(condition[i : i + 1], own))
    return torch.cat(images)


def require_finite(images: Tensor, names: Sequence[str]) -> None:
    """Refuse images that hold NaN or infinity.

    Raises:
        UserError: names the scenes.
    """
    if not images.isfinite().all():
        raise UserError(
            f"The networks give NaN or infinity for {', '.join(names)}: the training has diverged; "
            "take an earlier checkpoint or a smaller learning rate."
        )
