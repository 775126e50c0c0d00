"""pix2pix's U-Net against a second implementation in the official nested form."""

import pytest
import torch
from torch import nn

from i2ibench.errors import UserError
from i2ibench.generators import CoarseToFineGenerator, UNetGenerator
from i2ibench.interop import pix2pix, pix2pixhd


class Level(nn.Module):
    """One level with the next inside it; its own input is joined to its output."""

    def __init__(self, outer, inner, norm, inside=None, outermost=False, in_channels=None):
        super().__init__()
        biased = norm is nn.InstanceNorm2d
        down = nn.Conv2d(in_channels or outer, inner, 4, 2, 1, bias=biased)
        below = inner if inside is None else 2 * inner
        up = nn.ConvTranspose2d(below, outer, 4, 2, 1, bias=biased or outermost)
        leak, relu = nn.LeakyReLU(0.2, True), nn.ReLU(True)
        if outermost:
            layers = [down, inside, relu, up, nn.Tanh()]
        elif inside is None:
            layers = [leak, down, relu, up, norm(outer)]
        else:
            layers = [leak, down, norm(inner), inside, relu, up, norm(outer)]
        self.model, self.outermost = nn.Sequential(*layers), outermost

    def forward(self, x):
        return self.model(x) if self.outermost else torch.cat([x, self.model(x)], 1)


class Nested(nn.Module):
    def __init__(self, in_channels, levels, base, norm):
        super().__init__()
        widths = [base * min(2**k, 8) for k in range(levels)]
        block = None
        for k in range(levels - 1, 0, -1):
            block = Level(widths[k - 1], widths[k], norm, block)
        self.model = Level(3, widths[0], norm, block, outermost=True, in_channels=in_channels)

    def forward(self, x):
        return self.model(x)


@pytest.mark.parametrize("norm", [nn.BatchNorm2d, nn.InstanceNorm2d])
@pytest.mark.parametrize("levels", [3, 5])
def test_the_u_net_equals_the_nested_form(levels, norm):
    torch.manual_seed(0)
    nested = Nested(6, levels, 4, norm)
    state = {f"module.{k}": v for k, v in nested.state_dict().items()}
    generator = pix2pix.generator_from_official(state)
    assert isinstance(generator, UNetGenerator) and len(generator.downs) == levels
    for module in generator.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    x = torch.randn(2, 6, 64, 64)
    torch.testing.assert_close(generator(x), nested(x), atol=1e-5, rtol=1e-4)
    written = pix2pix.generator_to_official(generator)
    assert written.keys() == nested.state_dict().keys()


def test_the_resnet_generator_with_instance_norm_is_pix2pixhds_global_one():
    resnet = CoarseToFineGenerator(3, base_channels=4, num_downsamplings=2, num_blocks=9)
    state = pix2pixhd.generator_to_official(resnet)
    generator = pix2pix.generator_from_official(state)
    x = torch.randn(1, 3, 16, 16)
    assert torch.equal(generator(x), resnet(x))


def test_old_files_without_counters_or_with_idle_statistics_are_read():
    batch = Nested(6, 3, 4, nn.BatchNorm2d).state_dict()
    old = {k: v for k, v in batch.items() if not k.endswith("num_batches_tracked")}
    assert isinstance(pix2pix.generator_from_official(old), UNetGenerator)
    instance = Nested(6, 3, 4, nn.InstanceNorm2d).state_dict()
    instance["model.model.1.model.2.running_mean"] = torch.zeros(8)
    assert isinstance(pix2pix.generator_from_official(instance), UNetGenerator)


def test_another_file_is_refused():
    with pytest.raises(UserError, match="no official pix2pix generator; it holds fc"):
        pix2pix.generator_from_official({"fc.weight": torch.zeros(1)})
    state = Nested(6, 3, 4, nn.BatchNorm2d).state_dict()
    state["model.model.9.weight"] = state.pop("model.model.0.weight")
    with pytest.raises(UserError, match="no official pix2pix generator"):
        pix2pix.generator_from_official(state)
