"""FID and LPIPS through the real loading code, on stand-in weights that the tests make.

No number made here is a FID or an LPIPS: the weights are random.
"""

import warnings

import lpips
import numpy as np
import pytest
import torch
from cleanfid.resize import build_resizer
from torch import nn
from torchvision.models import alexnet

from i2ibench.metrics import FrechetInceptionDistance, PerceptualDistance
from i2ibench.metrics.frechet import frechet_distance
from i2ibench.ops.images import to_signed
from i2ibench.weights import ALEXNET, INCEPTION


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("I2IBENCH_WEIGHTS", str(tmp_path))
    return tmp_path


def predictions(count):
    pictures = torch.randint(0, 255, (2, count, 3, 64, 64), dtype=torch.uint8)
    rows = zip(*pictures, strict=True)
    return [{"name": str(i), "fake": f, "real": r} for i, (f, r) in enumerate(rows)]


class StandIn(nn.Module):
    """Has the parts of the Inception file that clean-fid uses: 2048 features from 299x299."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 8, 1), nn.AdaptiveAvgPool2d(16), nn.Flatten())

    def forward(self, x):
        return self.layers(x)


def test_frechet_distance_of_clean_fids_features(folder):
    network = StandIn().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated, and the official file is one
        torch.jit.script(network).save(str(folder / INCEPTION.filename))
    metric, some = FrechetInceptionDistance(), predictions(5)
    assert metric.unavailable is None
    metric.process(None, some[:2])
    metric.process(None, some[2:])
    result = metric.evaluate(5)
    resize = build_resizer("clean")

    def features(kind):
        small = [resize(p[kind].permute(1, 2, 0).numpy()) for p in some]
        x = torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2).float()
        return network.layers((x - 128) / 128).detach().double().numpy()

    expected = frechet_distance(features("fake"), features("real"))
    assert result["fid/fid"] == pytest.approx(expected, rel=1e-4)
    assert result["fid/n"] == 5


def test_lpips_is_that_of_the_package_with_torchvisions_trunk(folder):
    trunk = alexnet(weights=None)
    torch.save(trunk.state_dict(), folder / ALEXNET.filename)
    metric, some = PerceptualDistance(), predictions(3)
    metric.process(None, some)
    value = metric.evaluate(3)["lpips/lpips_alex"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        package = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
    convolutions = iter(m for m in trunk.features if isinstance(m, nn.Conv2d))
    for module in package.net.modules():
        if isinstance(module, nn.Conv2d):
            module.load_state_dict(next(convolutions).state_dict())
    pairs = [[to_signed(p[k][None]) for k in ("fake", "real")] for p in some]
    expected = np.mean([package(*pair).item() for pair in pairs])
    assert value == pytest.approx(expected, rel=1e-5)


def test_lpips_of_a_picture_from_itself_is_zero(folder):
    torch.save(alexnet(weights=None).state_dict(), folder / ALEXNET.filename)
    metric = PerceptualDistance()
    metric.process(None, [{**p, "real": p["fake"]} for p in predictions(2)])
    assert metric.evaluate(2)["lpips/lpips_alex"] == 0
