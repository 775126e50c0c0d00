"""The image pyramid that coarser generators and discriminators see."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor


def halve(x: Tensor) -> Tensor:
    """BCHW at half size: 3x3 average, stride 2, whose padding is not counted."""
    return F.avg_pool2d(x, kernel_size=3, stride=2, padding=1, count_include_pad=False)


def halve_nearest(x: Tensor) -> Tensor:
    """BCHW at half size by the nearest-neighbour rule: a one-hot map stays one."""
    return F.interpolate(x, scale_factor=0.5, mode="nearest-exact")


def pyramid(x: Tensor, levels: int, smaller: Callable[[Tensor], Tensor] = halve) -> list[Tensor]:
    """`levels` versions of `x` (BCHW), finest first, each `smaller` than the one before."""
    result = [x]
    for _ in range(levels - 1):
        result.append(smaller(result[-1]))
    return result
