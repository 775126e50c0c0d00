"""An encoder promises features in [-1, 1] that are constant on each instance."""

import pytest
import torch

from i2ibench.testing.network_checks import assert_every_parameter_learns


@pytest.mark.contract("encoder")
def test_an_encoder_is_constant_on_each_instance(name, contract_part):
    network = contract_part("encoder", name)
    instance = torch.zeros(2, 1, 32, 48, dtype=torch.int32)
    instance[:, :, 8:20, 8:30] = 24001
    features = network(torch.rand(2, 3, 32, 48) * 2 - 1, instance)
    wanted = (2, network.out_channels, 32, 48)
    assert features.shape == wanted, (
        f"an encoder must give features of the photo's size, {wanted}; {name} gave "
        f"{tuple(features.shape)}"
    )
    extreme = features.abs().max().item()
    assert extreme <= 1, f"an encoder's features must lie in [-1, 1]; {name} gave {extreme:.3g}"
    for b in range(2):
        for i in (0, 24001):
            spread = features[b][:, instance[b, 0] == i].std(1).max().item()
            assert spread < 1e-6, (
                "an encoder's features must be constant on each instance; "
                f"{name}'s deviate by {spread:.3g} on one"
            )
    assert_every_parameter_learns(name, network, features.square().sum())


@pytest.mark.contract("encoder")
def test_an_encoder_takes_the_sizes_that_it_says_also_in_tiles(name, contract_part):
    network = contract_part("encoder", name).eval()
    stride = network.stride
    least = -(-network.smallest_side // stride) * stride
    photo = torch.rand(1, 3, least, least + stride) * 2 - 1
    instance = torch.zeros(1, 1, *photo.shape[-2:], dtype=torch.int32)
    try:
        whole = network(photo, instance)
    except Exception as error:
        raise AssertionError(
            f"{name} says stride = {stride} and smallest_side = {network.smallest_side}, so it "
            f"must take {photo.shape[-1]}x{photo.shape[-2]} pixels, and fails: {error}"
        ) from error
    with torch.no_grad():
        gap = (network.in_tiles(photo, instance, (8, 8)) - whole).abs().max().item()
    assert gap < 1e-3, f"in_tiles must give what forward gives; {name}'s differs by {gap:.3g}"
