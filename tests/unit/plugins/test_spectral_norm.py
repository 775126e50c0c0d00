"""Spectral normalisation: weights of norm 1, one for all images of a step."""

import pytest
import torch

from i2ibench.registry import DISCRIMINATORS

INNER = {"type": "MultiScaleDiscriminator", "num_scales": 2, "base_channels": 4}


def discriminator():
    config = {"type": "SpectralNormDiscriminator", "discriminator": INNER}
    return DISCRIMINATORS.build(config, in_channels=6)


def test_every_convolution_has_spectral_norm_1():
    network = discriminator()
    for _ in range(50):
        network(torch.rand(1, 6, 32, 32))
    for layer in network.eval().modules():
        if hasattr(layer, "parametrizations"):
            norm = torch.linalg.matrix_norm(layer.weight.flatten(1), 2)
            assert norm.item() == pytest.approx(1, abs=0.02)


def test_the_state_dict_has_the_trained_weight_and_the_vectors():
    keys = discriminator().state_dict().keys()
    place = "network.scales.0.layers.0.0.parametrizations.weight"
    assert {f"{place}.original", f"{place}.0._u", f"{place}.0._v"} <= keys
    assert "network.scales.0.layers.0.0.weight" not in keys


def test_images_scored_together_take_one_step_of_the_power_iteration():
    network, twin = discriminator(), discriminator()
    twin.load_state_dict(network.state_dict())
    condition, images = torch.rand(1, 3, 32, 32), list(torch.rand(2, 1, 3, 32, 32))
    network.of_several(condition, images)
    twin(torch.cat([condition, images[0]], 1))
    for one, other in zip(network.buffers(), twin.buffers(), strict=True):
        assert torch.equal(one, other)


def test_it_trains_in_bf16():
    network = discriminator()
    with torch.autocast("cpu", torch.bfloat16):
        scales = network(torch.rand(1, 6, 32, 32))
    torch.stack([layers[-1].float().square().mean() for layers in scales]).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
