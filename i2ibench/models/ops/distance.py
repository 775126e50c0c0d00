"""Mean absolute difference that keeps little for the backward pass."""

from typing import Any

import torch
from torch import Tensor


def mean_distance(x: Tensor, target: Tensor) -> Tensor:
    """Mean of |x - target|, a scalar of float32 at least; the gradient flows to `x` alone.

    As torch's `l1_loss`, which keeps both of its inputs, under autocast as copies in float32;
    this keeps the sign of the difference, a byte for each element.

    Args:
        x: any shape.
        target: the same shape.
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
