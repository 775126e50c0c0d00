"""The looked-up first convolution is the convolution."""

import pytest
import torch
from torch import nn

from i2ibench.models.ops import one_hot_convolution as lookup
from i2ibench.models.ops.labels import one_hot
from i2ibench.models.ops.one_hot_convolution import OneHot, convolve_one_hot


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("others", [0, 4])
@pytest.mark.parametrize("at_once", [7, 2**16])
def test_a_look_up_equals_the_convolution_over_reflected_borders(
    monkeypatch, bias, others, at_once
):
    monkeypatch.setattr(lookup, "PIXELS_AT_ONCE", at_once)
    torch.manual_seed(0)
    label = torch.randint(0, 5, (2, 1, 4, 6)).repeat_interleave(8, 2).repeat_interleave(5, 3)
    condition = torch.cat([one_hot(label, 5), torch.randn(2, others, 32, 30)], 1)
    conv = nn.Conv2d(5 + others, 6, 7, bias=bias)
    with torch.no_grad():
        expected = nn.Sequential(nn.ReflectionPad2d(3), conv)(condition)
        result = convolve_one_hot(conv, condition, OneHot(label.to(torch.uint8), 5))
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=0)
