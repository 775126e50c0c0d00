"""Every registered loss keeps the promises that the registry table makes."""

import inspect

import pytest
import torch
from torchvision.models import vgg19

from i2ibench.registry import LOSSES
from i2ibench.structures import Step
from tests.contract.cases import config

ADVERSARIAL = [n for n in LOSSES.names() if hasattr(LOSSES.find(n), "discriminator")]
OTHERS = [n for n in LOSSES.names() if n not in ADVERSARIAL]


@pytest.fixture(scope="session")
def vgg_weights(tmp_path_factory):
    """Random weights in torchvision's VGG19 layout, so that the real loading code runs."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "vgg19.pth"
    torch.save(vgg19(weights=None).state_dict(), path)
    return str(path)


@pytest.fixture
def build(vgg_weights):
    def build(name):
        cfg = config(name)
        if "weights" in inspect.signature(LOSSES.find(name)).parameters:
            cfg["weights"] = vgg_weights
        return LOSSES.build(cfg)

    return build


def scales(requires_grad=False):
    return [
        [torch.randn(2, c, 4, 5, requires_grad=requires_grad) for c in (4, 1)] for _ in range(2)
    ]


def step():
    fake = torch.rand(2, 3, 32, 32, requires_grad=True)
    return Step(torch.rand(2, 6, 32, 32), fake, torch.rand(2, 3, 32, 32), scales(True), scales())


@pytest.mark.parametrize("name", OTHERS)
def test_a_loss_is_a_finite_scalar_with_gradient(name, build):
    loss = build(name)(step())
    assert loss.shape == () and loss.isfinite() and loss.requires_grad


@pytest.mark.parametrize("name", OTHERS)
def test_a_loss_is_zero_for_a_perfect_fake_and_positive_otherwise(name, build):
    some = step()
    perfect = Step(some.condition, some.real, some.real, some.real_scales, some.real_scales)
    loss = build(name)
    assert loss(perfect).item() == pytest.approx(0, abs=1e-6) and loss(some).item() > 0


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_an_adversarial_loss_gives_scalars_for_both_sides(name, build):
    loss, fake = build(name), scales(True)
    on_real, on_fake = loss.discriminator(scales(), fake)
    for value in (loss.generator(fake), on_real, on_fake):
        assert value.shape == () and value.isfinite()


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_an_adversarial_loss_rewards_what_its_side_wants(name, build):
    loss = build(name)
    high, low = ([[torch.full((1, 1, 3, 3), v)]] for v in (1.0, 0.0))
    assert loss.generator(high) < loss.generator(low)
    assert loss.discriminator(high, low)[0] < loss.discriminator(low, low)[0]
    assert loss.discriminator(high, low)[1] < loss.discriminator(high, high)[1]


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_an_adversarial_loss_counts_every_scale(name, build):
    loss = build(name)
    one = [[torch.full((1, 1, 2, 2), 0.3)]]
    torch.testing.assert_close(loss.generator(one * 3), 3 * loss.generator(one))
