"""The mean distance is torch's l1_loss."""

import pytest
import torch
import torch.nn.functional as F

from i2ibench.models.ops.l1_distance import mean_distance


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_values_and_gradients_are_those_of_l1_loss(dtype):
    x = torch.randn(2, 3, 5, 7).to(dtype).requires_grad_()
    target = torch.randn(2, 3, 5, 7).to(dtype)
    target[0, 0] = x[0, 0].detach()  # a sign of 0
    own, other = mean_distance(x, target), F.l1_loss(x.to(torch.float64), target.double())
    close = {"check_dtype": False, "rtol": 1e-5, "atol": 1e-8}
    torch.testing.assert_close(own, other, **close)
    assert own.dtype == torch.promote_types(dtype, torch.float32)
    gradients = [torch.autograd.grad(3 * loss, x)[0] for loss in (own, other)]
    rtol = 2**-7 if dtype == torch.bfloat16 else 1e-5
    torch.testing.assert_close(*gradients, **{**close, "rtol": rtol})


def test_the_target_gets_no_gradient():
    x, target = (torch.randn(4, requires_grad=True) for _ in range(2))
    mean_distance(x, target).backward()
    assert target.grad is None and x.grad is not None
