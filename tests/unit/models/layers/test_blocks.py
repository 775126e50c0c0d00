"""Blocks: nearest-neighbour upsampling with its convolution, in one layer."""

import pytest
import torch
import torch.nn.functional as F

from i2ibench.errors import UserError
from i2ibench.models.layers.blocks import Blocks, NearestUpConv2d


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (6, 8)])
@pytest.mark.parametrize("bias", [True, False])
def test_nearest_upsampling_and_a_convolution_equal_the_two_steps(size, bias):
    torch.manual_seed(0)
    layer = NearestUpConv2d(3, 5, bias).double()
    x = torch.randn(2, 3, *size, dtype=torch.double, requires_grad=True)
    enlarged = F.interpolate(x, scale_factor=2, mode="nearest")
    expected = F.conv2d(F.pad(enlarged, (1, 1, 1, 1), mode="reflect"), layer.weight, layer.bias)
    torch.testing.assert_close(layer(x), expected)
    inputs = [x, *layer.parameters()]
    for got, wanted in zip(
        torch.autograd.grad(layer(x).square().sum(), inputs),
        torch.autograd.grad(expected.square().sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(got, wanted)


def test_every_output_pixel_of_nearest_upsampling_reads_equally_many_weights():
    transposed, nearest = Blocks().up(1, 1)[0], Blocks(upsampling="nearest").up(1, 1)[0]
    for layer in (transposed, nearest):
        torch.nn.init.ones_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    x = torch.ones(1, 1, 8, 8)
    assert transposed(x)[..., 2:-2, 2:-2].unique().tolist() == [1, 2, 4]  # the checkerboard
    assert nearest(x).unique().tolist() == [9]


def test_an_unknown_kind_of_upsampling_is_refused():
    with pytest.raises(UserError, match="Did you mean 'nearest'"):
        Blocks(upsampling="nearst")
