"""The image pyramid that coarser generators and discriminators see."""

import torch.nn.functional as F
from torch import Tensor


def halve(x: Tensor) -> Tensor:
    """BCHW at half size: 3x3 average, stride 2, whose padding is not counted."""
    return F.avg_pool2d(x, kernel_size=3, stride=2, padding=1, count_include_pad=False)


def pyramid(x: Tensor, levels: int) -> list[Tensor]:
    """`levels` versions of `x` (BCHW), finest first, each half the size of the one before."""
    result = [x]
    for _ in range(levels - 1):
        result.append(halve(result[-1]))
    return result
