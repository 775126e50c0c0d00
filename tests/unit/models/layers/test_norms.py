"""Norms: their gradients are those of the formula in any memory order."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from i2ibench.models.discriminators import MultiScaleDiscriminator
from i2ibench.models.encoders import InstanceEncoder
from i2ibench.models.generators import CoarseToFineGenerator, UNetGenerator
from i2ibench.models.layers.norms import InstanceNorm, norm

FORMATS = (torch.contiguous_format, torch.channels_last)
CASES = [(batch, one, two) for batch in (1, 2) for one in FORMATS for two in FORMATS]


def formula(x):
    mean = x.mean((2, 3), keepdim=True)
    variance = (x - mean).square().mean((2, 3), keepdim=True)
    return (x - mean) / (variance + 1e-5).sqrt()


def assert_gradient_is_right(batch, format_in, format_back, device="cpu"):
    shape = (batch, 5, 6, 7)
    x = torch.randn(shape, dtype=torch.float64, device=device)
    x = x.contiguous(memory_format=format_in).requires_grad_()
    back = torch.randn(shape, dtype=torch.float64, device=device)
    back = back.contiguous(memory_format=format_back)
    layer = norm("instance", 5)
    torch.testing.assert_close(layer(x), formula(x))
    for after in (nn.Identity(), nn.ReLU(inplace=True)):
        own, expected = (torch.autograd.grad(after(f(x)), x, back)[0] for f in (layer, formula))
        torch.testing.assert_close(own, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("batch", "format_in", "format_back"), CASES)
def test_the_gradient_is_that_of_the_formula(batch, format_in, format_back):
    assert_gradient_is_right(batch, format_in, format_back)


def test_it_is_torchs_norm_bit_by_bit():
    x = torch.randn(2, 3, 8, 9, requires_grad=True)
    back = torch.randn_like(x)
    own, torchs = norm("instance", 3)(x), F.instance_norm(x)
    assert torch.equal(own, torchs)
    gradients = (torch.autograd.grad(y, x, back)[0] for y in (own, torchs))
    assert torch.equal(*gradients)
    assert not list(norm("instance", 3).state_dict())


NETWORKS = {
    "coarse to fine": lambda: CoarseToFineGenerator(4, base_channels=4, num_enhancers=1,
                                                    num_downsamplings=2, num_blocks=1),
    "U-Net": lambda: UNetGenerator(4, num_levels=4, base_channels=4, norm_type="instance",
                                   dropout=0.0),
    "discriminator": lambda: MultiScaleDiscriminator(4, num_scales=2, base_channels=4),
    "encoder": lambda: InstanceEncoder(in_channels=4, base_channels=4, num_downsamplings=2).layers,
}  # fmt: skip


@pytest.mark.parametrize("network", NETWORKS)
def test_networks_in_channels_last_have_the_same_gradients_for_one_image(network):
    """Check that networks in channels_last order train with right gradients."""
    layers = NETWORKS[network]().double()
    assert all(
        type(m) is InstanceNorm for m in layers.modules() if isinstance(m, nn.InstanceNorm2d)
    )
    x = torch.randn(1, 4, 32, 64, dtype=torch.float64)
    gradients = []
    for memory_format in FORMATS:
        layers.to(memory_format=memory_format).zero_grad()
        y = layers(x.contiguous(memory_format=memory_format))
        while isinstance(y, list):  # the finest scale's scores
            y = y[0] if isinstance(y[0], list) else y[-1]
        y.square().sum().backward()
        gradients.append([p.grad.clone() for p in layers.parameters() if p.grad is not None])
    torch.testing.assert_close(*gradients, rtol=1e-8, atol=1e-10)
