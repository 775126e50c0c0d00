"""What an encoder promises: features in [-1, 1] that are constant on each instance."""

import pytest
import torch

from i2ibench.testing.laws import assert_every_parameter_learns
from i2ibench.testing.parts import Workshop


@pytest.mark.contract("encoder")
def test_an_encoder_is_constant_on_each_instance(name: str, contract_part: Workshop) -> None:
    network = contract_part("encoder", name)
    instance = torch.zeros(2, 1, 32, 48, dtype=torch.int32)
    instance[:, :, 8:20, 8:30] = 24001
    features = network(torch.rand(2, 3, 32, 48) * 2 - 1, instance)
    assert isinstance(getattr(network, "out_channels", None), int), (
        f"an encoder must tell its number of features as .out_channels; {name} does not"
    )
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
