"""What a generator promises: an image in [-1, 1] of the condition's size, learnt by all of it."""

import pytest
import torch
from torch import nn

from i2ibench.testing.laws import assert_every_parameter_learns, assert_same_after_loading
from i2ibench.testing.parts import IN_CHANNELS, Workshop


@pytest.mark.contract("generator")
@pytest.mark.parametrize("batch", [1, 3])
def test_a_generator_gives_an_image_of_the_conditions_size(
    name: str, batch: int, contract_part: Workshop
) -> None:
    network = contract_part("generator", name, in_channels=IN_CHANNELS).eval()
    assert isinstance(network, nn.Module), f"a generator must be a torch.nn.Module; {name} is none"
    image = network(torch.randn(batch, IN_CHANNELS, 16, 24))
    wanted = (batch, 3, 16, 24)
    assert isinstance(image, torch.Tensor) and image.shape == wanted, (
        f"a generator must give an image B3HW of the condition's size: {wanted} for a condition "
        f"({batch}, {IN_CHANNELS}, 16, 24); {name} gave {getattr(image, 'shape', type(image))}"
    )
    assert image.isfinite().all(), f"a generator's image must be finite; {name}'s is not"
    extreme = image.abs().max().item()
    assert extreme <= 1, f"a generator's image must lie in [-1, 1]; {name} gave {extreme:.3g}"


@pytest.mark.contract("generator")
def test_a_generator_learns_with_every_parameter_and_is_reproducible(
    name: str, contract_part: Workshop
) -> None:
    def build() -> nn.Module:
        return contract_part("generator", name, in_channels=IN_CHANNELS)

    condition = torch.randn(1, IN_CHANNELS, 16, 32)
    network = build()
    assert_every_parameter_learns(name, network, network(condition).square().sum())
    assert torch.allclose(build()(condition), build()(condition), rtol=1e-4, atol=1e-5), (
        f"a generator built twice with one seed must give the same image in training; {name} does "
        "not (dropout and noise must come from torch's own random numbers)"
    )
    assert_same_after_loading(name, build, condition)


@pytest.mark.contract("generator")
def test_a_generator_does_not_mix_the_images_of_a_batch(name: str, contract_part: Workshop) -> None:
    network = contract_part("generator", name, in_channels=IN_CHANNELS).eval()
    condition = torch.randn(2, IN_CHANNELS, 16, 32)
    torch.manual_seed(1)
    together = network(condition)[:1]
    torch.manual_seed(1)
    gap = (together - network(condition[:1])).abs().max().item()
    assert gap < 1e-4, (
        "when a generator evaluates (.eval()), the image of a condition must not depend on the "
        f"others in its batch; {name}'s differs by {gap:.3g}"
    )
