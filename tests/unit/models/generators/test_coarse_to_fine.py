"""The coarse-to-fine generator: look-up and checkpointing change no values."""

import pytest
import torch

from i2ibench.errors import UserError
from i2ibench.models.ops.labels import one_hot
from i2ibench.models.ops.one_hot_convolution import OneHot
from i2ibench.registry import GENERATORS

SMALL = dict(base_channels=4, num_downsamplings=2, num_blocks=2, num_enhancer_blocks=1)
PARTS = ("coarse", "enhancers", "head")


def generator(**options):
    torch.manual_seed(0)
    return GENERATORS.build({"type": "CoarseToFineGenerator", **SMALL, **options}, in_channels=8)


@pytest.mark.parametrize("num_enhancers", [0, 1, 2])
@pytest.mark.parametrize("hard", [False, True])
def test_an_image_from_looked_up_labels_is_that_of_the_convolution(num_enhancers, hard):
    network = generator(num_enhancers=num_enhancers, hard_condition=hard)
    label = torch.randint(0, 5, (2, 1, 4, 8)).repeat_interleave(8, 2).repeat_interleave(8, 3)
    condition = torch.cat([one_hot(label, 5), torch.randn(2, 3, 32, 64)], 1)
    with torch.inference_mode():
        found = network(condition, OneHot(label, 5))
        torch.testing.assert_close(found, network(condition), atol=1e-5, rtol=0)
    assert network(condition, OneHot(label, 5)).requires_grad


@pytest.mark.parametrize("parts", [("coarse",), ("enhancers",), ("head",), PARTS])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_checkpointing_changes_no_image_no_gradient_and_no_name(parts, dropout):
    condition = torch.randn(1, 8, 32, 64, requires_grad=True)
    results = []
    for chosen in ((), parts):
        network = generator(num_enhancers=1, dropout=dropout, checkpointed=chosen)
        torch.manual_seed(1)
        image = network(condition)
        gradients = torch.autograd.grad(image.square().sum(), [condition, *network.parameters()])
        results.append((image, gradients, list(network.state_dict())))
    (image, gradients, names), again = results
    assert torch.equal(again[0], image) and again[2] == names
    for one, other in zip(again[1], gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_an_unknown_part_to_checkpoint_is_refused():
    with pytest.raises(UserError, match="Did you mean 'coarse'"):
        generator(checkpointed=["coarce"])


def test_switches_change_the_image():
    condition = torch.rand(1, 8, 16, 32)
    plain = generator(num_enhancers=1)(condition)
    for switch in (
        {"padding_mode": "reflect"},
        {"upsampling": "nearest"},
        {"hard_condition": True},
        {"zero_bias": True},
    ):
        assert not torch.allclose(plain, generator(num_enhancers=1, **switch)(condition)), switch
