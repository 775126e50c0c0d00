"""Stand-in weights, so that the real loading code runs; nothing made here is a FID or an LPIPS."""

import warnings

import pytest
import torch
from torch import nn
from torchvision.models import alexnet

from i2ibench.io.weights import ALEXNET, INCEPTION


class StandIn(nn.Module):
    """Has the part of the Inception file that clean-fid uses, with 48 features."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 12, 3), nn.AdaptiveAvgPool2d(2), nn.Flatten())

    def forward(self, x):
        return self.layers(x)


def save_script(network, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated, and the official file is one
        torch.jit.script(network.eval()).save(str(path))


@pytest.fixture
def weights_folder(tmp_path, monkeypatch):
    """The only folder that is searched for weights."""
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setenv("I2IBENCH_WEIGHTS", str(folder))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return folder


@pytest.fixture
def inception(weights_folder):
    """A stand-in in the Inception file's place."""
    network = StandIn()
    save_script(network, weights_folder / INCEPTION.filename)
    return network


@pytest.fixture
def instant_weights(monkeypatch):
    """Networks are built without the seconds that random weights take; the tests set their own."""
    for name in ("kaiming_uniform_", "uniform_", "kaiming_normal_", "normal_", "trunc_normal_"):
        monkeypatch.setattr(nn.init, name, lambda tensor, *_, **__: tensor)


def seeded_trunk(build, path):
    """A classifier whose convolutions are random, saved without the rest as `path`."""
    network = build(weights=None, num_classes=1).eval()
    for parameter in network.features.parameters():
        width = parameter[0].numel()
        nn.init.zeros_(parameter).add_(torch.randn_like(parameter), alpha=1.4 / width**0.5)
    torch.save(network.features.state_dict(prefix="features."), path)
    return network


@pytest.fixture
@torch.no_grad()
def trunk(instant_weights, weights_folder):
    """An AlexNet with random weights in torchvision's file."""
    return seeded_trunk(alexnet, weights_folder / ALEXNET.filename)


@pytest.fixture
def predictions():
    """Six scenes of 64x48 with their photos, smooth enough to differ after resizing."""
    noise = torch.rand(2, 6, 3, 6, 8)
    images = nn.functional.interpolate(noise.flatten(0, 1), (48, 64), mode="bicubic")
    images = (images * 255).clamp(0, 255).to(torch.uint8).unflatten(0, (2, 6))
    rows = zip(*images, strict=True)
    return [{"name": f"s{i}", "fake": f, "real": r} for i, (f, r) in enumerate(rows)]
