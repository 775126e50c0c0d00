"""SPADE against the paper's formula, pixel by pixel."""

import pytest
import torch
import torch.nn.functional as F
from i2ibench_plugins.spade import SpatiallyAdaptiveNorm, resized

from i2ibench.errors import UserError
from i2ibench.registry import GENERATORS

SMALL = {"type": "SPADEGenerator", "base_channels": 2, "hidden_channels": 4, "num_upsamplings": 2}


@pytest.mark.parametrize(("norm_type", "over"), [("batch", (0, 2, 3)), ("instance", (2, 3))])
def test_features_are_normalised_without_parameters_then_scaled_and_shifted_by_pixel(
    norm_type, over
):
    layer = SpatiallyAdaptiveNorm(3, in_channels=5, hidden_channels=4, norm_type=norm_type)
    x, condition = torch.randn(2, 3, 6, 7), torch.randn(2, 5, 6, 7)
    mean = x.mean(over, keepdim=True)
    deviation = (x.var(over, unbiased=False, keepdim=True) + 1e-5).sqrt()
    hidden = F.conv2d(condition, layer.shared.weight, layer.shared.bias, padding=1).clamp(min=0)
    gamma, beta = (
        F.conv2d(hidden, layer.modulation.weight[rows], layer.modulation.bias[rows], padding=1)
        for rows in (slice(0, 3), slice(3, 6))
    )
    expected = gamma * (x - mean) / deviation + beta
    torch.testing.assert_close(layer(x, condition), expected, atol=1e-5, rtol=1e-5)
    assert not list(layer.normalise.parameters())


@pytest.mark.parametrize("norm_type", ["batch", "instance"])
def test_one_scene_in_channels_last_order_has_the_same_gradient(norm_type):
    """Check the gradient; the error of torch's instance norm is 1.4 times its length."""
    layer = SpatiallyAdaptiveNorm(3, 5, 4, norm_type).double()
    x = torch.randn(1, 3, 6, 7, dtype=torch.float64, requires_grad=True)
    condition, back = torch.randn(1, 5, 6, 7).double(), torch.randn(1, 3, 6, 7).double()
    gradients = [
        torch.autograd.grad(layer(x, condition), x, back.contiguous(memory_format=order))[0]
        for order in (torch.contiguous_format, torch.channels_last)
    ]
    torch.testing.assert_close(*gradients, rtol=1e-10, atol=1e-12)


def test_a_generator_begins_with_modulations_around_one_and_zero():
    network = GENERATORS.build(SMALL, in_channels=3)
    (scale, shift) = network.trunk.blocks[0].norms[0].modulation.bias.chunk(2)
    assert (scale == 1).all() and (shift == 0).all()


def test_a_resized_label_map_has_no_new_values():
    labels = torch.eye(4)[torch.randint(0, 4, (1, 24, 40))].permute(0, 3, 1, 2)
    small = resized(labels, 6, 10)
    assert small.shape == (1, 4, 6, 10) and (small.sum(1) == 1).all()
    assert set(small.unique().tolist()) == {0.0, 1.0}


def test_the_image_of_a_patch_follows_its_class_where_normalisation_would_wash_it_away():
    """Translate uniform label maps, which instance norm would turn into zeros."""
    network = GENERATORS.build({**SMALL, "norm_type": "instance"}, in_channels=2)
    for layer in network.modules():
        if isinstance(layer, SpatiallyAdaptiveNorm):
            torch.nn.init.normal_(layer.modulation.weight)
    one, other = (torch.eye(2)[c].view(1, 2, 1, 1).expand(1, 2, 16, 16) for c in (0, 1))
    assert (network(one) - network(other)).abs().max() > 0.01


def test_z_makes_images_vary_and_stands_for_the_coarsest_map():
    network = GENERATORS.build({**SMALL, "z_size": 8}, in_channels=3).eval()
    condition = torch.rand(1, 3, 16, 24)
    assert network.draws_noise and not GENERATORS.build(SMALL, in_channels=3).draws_noise
    first = network(condition)
    assert first.shape == (1, 3, 16, 24) and not torch.equal(first, network(condition))
    torch.manual_seed(3)
    again = network(condition)
    torch.manual_seed(3)
    assert torch.equal(again, network(condition))


def test_wrong_options_are_refused():
    with pytest.raises(UserError, match="Did you mean 'instance'"):
        GENERATORS.build({**SMALL, "norm_type": "instence"}, in_channels=3)
    for number in (0, 7):
        with pytest.raises(UserError, match="num_upsamplings is from 1 to 6"):
            GENERATORS.build({**SMALL, "num_upsamplings": number}, in_channels=3)
    with pytest.raises(UserError, match="multiples of 4"):
        GENERATORS.build(SMALL, in_channels=3)(torch.rand(1, 3, 16, 18))
