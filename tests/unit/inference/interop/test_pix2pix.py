"""pix2pix's networks against second implementations in the official form."""

import pytest
import torch
from torch import nn

from i2ibench.errors import UserError
from i2ibench.inference import Inference
from i2ibench.inference.checkpoints import open_checkpoint
from i2ibench.inference.interop import pix2pix
from i2ibench.inference.interop.conversion_options import ConversionOptions
from i2ibench.inference.interop.export_official import export_folder
from i2ibench.inference.interop.import_official import import_folder
from i2ibench.models.generators import UNetGenerator


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
    written = pix2pix.generator_names(generator.state_dict())
    assert written.keys() == nested.state_dict().keys()


class ResNetBlock(nn.Module):
    def __init__(self, width, norm, dropout):
        super().__init__()
        biased = norm is nn.InstanceNorm2d

        def conv():
            return [nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3, bias=biased), norm(width)]

        drop = [nn.Dropout(0.5)] if dropout else []
        self.conv_block = nn.Sequential(*conv(), nn.ReLU(True), *drop, *conv())

    def forward(self, x):
        return x + self.conv_block(x)


class ResNet(nn.Module):
    """pix2pix's ResNet generator as its documentation describes it."""

    def __init__(self, in_channels, base, norm, dropout, blocks=9):
        super().__init__()
        biased = norm is nn.InstanceNorm2d
        layers = [nn.ReflectionPad2d(3), nn.Conv2d(in_channels, base, 7, bias=biased)]
        layers += [norm(base), nn.ReLU(True)]
        for k in (1, 2):
            layers.append(nn.Conv2d(base * k, base * 2 * k, 3, 2, 1, bias=biased))
            layers += [norm(base * 2 * k), nn.ReLU(True)]
        layers += [ResNetBlock(4 * base, norm, dropout) for _ in range(blocks)]
        for k in (4, 2):
            up = nn.ConvTranspose2d(base * k, base * k // 2, 3, 2, 1, 1, bias=biased)
            layers += [up, norm(base * k // 2), nn.ReLU(True)]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(base, 3, 7), nn.Tanh()]
        self.model = nn.Sequential(*layers)

    def forward(self, x):
        return self.model(x)


@pytest.mark.parametrize("dropout", [False, True])
@pytest.mark.parametrize("norm", [nn.BatchNorm2d, nn.InstanceNorm2d])
def test_the_resnet_generator_equals_a_second_implementation(norm, dropout):
    torch.manual_seed(0)
    official = ResNet(3, 4, norm, dropout)
    generator = pix2pix.generator_from_official(official.state_dict())
    x = torch.randn(2, 3, 16, 24)
    torch.manual_seed(1)
    expected = official(x)
    torch.manual_seed(1)
    assert torch.equal(generator.eval()(x), expected)  # the official code never calls eval()
    official.eval()
    written = pix2pix.generator_names(generator.state_dict())
    before = official.state_dict()
    assert written.keys() == before.keys()
    assert all(torch.equal(written[name], before[name]) for name in before)


def test_the_discriminator_equals_a_second_implementation():
    torch.manual_seed(0)
    leak = nn.LeakyReLU(0.2)
    layers = [nn.Conv2d(6, 4, 4, 2, 1), leak]
    for narrow, wide, stride in ((4, 8, 2), (8, 16, 2), (16, 32, 1)):
        conv = nn.Conv2d(narrow, wide, 4, stride, 1, bias=False)
        layers += [conv, nn.BatchNorm2d(wide), leak]
    official = nn.Module()
    official.model = nn.Sequential(*layers, nn.Conv2d(32, 1, 4, 1, 1))
    discriminator = pix2pix.discriminator_from_official(official.state_dict())
    x = torch.randn(1, 6, 32, 48)
    assert torch.equal(discriminator(x)[-1][-1], official.model(x))
    written = pix2pix.discriminator_names(discriminator.state_dict())
    assert written.keys() == official.state_dict().keys()


@pytest.mark.parametrize("labels", [None, 35])
def test_a_pix2pix_folder_becomes_a_checkpoint_that_translates(tmp_path, labels):
    official = ResNet(3, 4, nn.BatchNorm2d, dropout=True)
    (tmp_path / "official").mkdir()
    torch.save(official.state_dict(), tmp_path / "official" / "latest_net_G.pth")
    options = ConversionOptions(num_labels=labels)
    import_folder(tmp_path / "official", tmp_path / "native.pth", options)
    translator = open_checkpoint(tmp_path / "native.pth").translator
    data = {"name": ["s"], "source": torch.zeros(1, 3, 16, 24, dtype=torch.uint8)}
    if labels:
        data = {"name": ["s"], "label": torch.zeros(1, 1, 16, 24, dtype=torch.uint8)}
    first = Inference(translator).predict(data)[0]["fake"]
    assert first.shape == (3, 16, 24)
    assert torch.equal(
        first, Inference(translator).predict(data)[0]["fake"]
    )  # dropout by the scene's name
    export_folder(tmp_path / "native.pth", tmp_path / "back")
    after = torch.load(tmp_path / "back" / "latest_net_G.pth", weights_only=True)
    # The first translation moved no running statistics that inference would use.
    assert after.keys() == official.state_dict().keys()
    assert all(torch.equal(v, after[k]) for k, v in official.state_dict().items())


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
