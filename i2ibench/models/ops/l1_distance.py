"""A mean absolute difference that saves memory for the backward pass."""

from typing import Any

import torch
from torch import Tensor


def mean_distance(x: Tensor, target: Tensor) -> Tensor:
    """Return the mean of |x - target|, a scalar in float32 or wider, with a gradient for `x` only.

    torch's `l1_loss` keeps both inputs for the backward pass, in float32 under autocast. This
    function keeps only the sign of the difference, one byte per element.

    Args:
        x: a tensor of any shape.
        target: a tensor of the same shape.
    """
    return _MeanDistance.apply(x, target.detach())


class _MeanDistance(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, target: Tensor) -> Tensor:
        ctx.dtype = x.dtype
        if ctx.needs_input_grad[0]:
            above, below = (x > target), (x < target)
            ctx.save_for_backward(above.view(torch.int8).sub_(below.view(torch.int8)))
        precise = torch.promote_types(x.dtype, torch.float32)
        return x.to(precise).sub(target).abs_().mean()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (signs,) = ctx.saved_tensors
        return signs.to(ctx.dtype) * (gradient / signs.numel()).to(ctx.dtype), None
