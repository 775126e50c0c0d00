"""A generator promises an image in [-1, 1] of the condition's size, learnt by all of it."""

import pytest
import torch
from torch import nn

from i2ibench.models.ops.labels import one_hot_into
from i2ibench.models.ops.one_hot_convolution import OneHot
from i2ibench.testing.network_checks import assert_every_parameter_learns, assert_same_after_loading
from i2ibench.testing.parts import IN_CHANNELS


@pytest.mark.contract("generator")
@pytest.mark.parametrize("batch", [1, 3])
def test_a_generator_gives_an_image_of_the_conditions_size(name, batch, contract_part):
    network = contract_part("generator", name, in_channels=IN_CHANNELS).eval()
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
def test_a_generator_learns_with_every_parameter_and_is_reproducible(name, contract_part):
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
@pytest.mark.parametrize("strides", [0, 1])
def test_a_generator_takes_the_sizes_that_it_says(name, strides, contract_part):
    network = contract_part("generator", name, in_channels=IN_CHANNELS).eval()
    stride, smallest = network.stride, network.smallest_side
    least = -(-smallest // stride) * stride
    height, width = network.height or least, least + strides * stride
    said = f"{name} says stride = {stride}, smallest_side = {smallest}, height = {network.height}"
    try:
        image = network(torch.randn(1, IN_CHANNELS, height, width))
    except Exception as error:
        raise AssertionError(
            f"{said}, so it must take {width}x{height} pixels, and fails: {error}"
        ) from error
    assert image.shape[-2:] == (height, width), (
        f"{said}, so an image of {width}x{height} pixels must keep its size; it has "
        f"{image.shape[-1]}x{image.shape[-2]}"
    )


@pytest.mark.contract("generator")
def test_a_generator_says_whether_it_draws_noise(name, contract_part):
    network = contract_part("generator", name, in_channels=IN_CHANNELS).eval()
    condition, images = torch.randn(1, IN_CHANNELS, 16, 32), []
    for seed in (1, 2):
        torch.manual_seed(seed)
        images.append(network(condition))
    varies = not torch.allclose(images[0], images[1], rtol=1e-4, atol=1e-5)
    if network.draws_noise:
        assert varies, (
            f"{name} says draws_noise = True and gives one image for all random numbers: let it "
            "say draws_noise = False"
        )
    else:
        assert not varies or network.always_train, (
            f"{name} gives different images of one condition, so that its images would depend on "
            "the scenes beside them: let it say draws_noise = True (or always_train = True, if it "
            "is dropout that stays on)"
        )


@pytest.mark.contract("generator")
def test_a_generator_that_works_in_tiles_gives_the_same_image(name, contract_part):
    network = contract_part("generator", name, in_channels=IN_CHANNELS).eval()
    if not network.works_in_tiles:
        pytest.skip("it does not work in tiles")
    condition = torch.randn(1, IN_CHANNELS, 64, 128)
    with torch.no_grad():
        whole = network(condition)
        tiled = network.in_tiles(lambda tile: (tile.cut(condition), None), (64, 128), (64, 64))
    gap = (whole - tiled).abs().max().item()
    assert gap < 1e-3, f"in_tiles must give what forward gives; {name}'s differs by {gap:.3g}"


@pytest.mark.contract("generator")
def test_a_generator_that_looks_labels_up_gives_the_same_image(name, contract_part):
    network = contract_part("generator", name, in_channels=IN_CHANNELS).eval()
    if not network.accepts_labels:
        pytest.skip("it does not look labels up")
    label = torch.randint(0, IN_CHANNELS - 1, (2, 1, 32, 64))
    condition = torch.randn(2, IN_CHANNELS, 32, 64)
    condition[:, :-1] = one_hot_into(torch.zeros(2, IN_CHANNELS - 1, 32, 64), label)
    with torch.no_grad():
        gap = (network(condition) - network(condition, OneHot(label, IN_CHANNELS - 1))).abs().max()
    assert gap < 1e-4, (
        f"forward(condition, labels) must give what forward(condition) gives; {name}'s differs by "
        f"{gap.item():.3g}"
    )


@pytest.mark.contract("generator")
def test_a_generator_does_not_mix_the_images_of_a_batch(name, contract_part):
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
