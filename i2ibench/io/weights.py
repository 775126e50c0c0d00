"""Pretrained weights: where each file is looked for, and how to get one that is missing."""

import os
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

import torch

from i2ibench.errors import MissingWeightsError, UserError
from i2ibench.io.checksums import zip_damage
from i2ibench.io.provenance import sha256

_ASKED_FOR = re.compile(r"GLOBAL ([\w.]+)")


@dataclass(frozen=True)
class PretrainedWeights:
    """One weights file.

    Attributes:
        name: what it is called in messages.
        filename: the file's name in the folders that are searched.
        purpose: what needs it.
        obtain: what to run, on a machine with internet, to get it.
        licence: the terms that the weights come under.
        sha256: the published file's hash, where it is known.
    """

    name: str
    filename: str
    purpose: str
    obtain: str
    licence: str
    sha256: str | None = None

    def find(self) -> Path | None:
        """The file, or None if no searched folder has it."""
        candidates = (folder / self.filename for folder in search_folders())
        return next((path for path in candidates if path.is_file()), None)

    def require(self) -> Path:
        """The file.

        Raises:
            MissingWeightsError: no searched folder has it; the message says how to get it.
        """
        path = self.find()
        if path is None:
            raise MissingWeightsError(self.missing())
        return path

    def is_genuine(self, path: Path) -> bool:
        """Return whether the bytes of `path` have the published hash; False where none is known."""
        return self.sha256 is not None and sha256(path) == self.sha256

    def missing(self) -> str:
        """One line: what is missing, where it was looked for, how to get it."""
        folders = ", ".join(str(folder) for folder in search_folders())
        return (
            f"{self.purpose} needs {self.name} ({self.filename}), not found in {folders}. "
            f"Get it with: {self.obtain}"
        )


def search_folders() -> list[Path]:
    """The folders searched for weights: $I2IBENCH_WEIGHTS, then torch hub's cache."""
    own = os.environ.get("I2IBENCH_WEIGHTS")
    cache = Path(torch.hub.get_dir()) / "checkpoints"
    return [Path(own), cache] if own else [cache]


TORCHVISION_LICENCE = "BSD-3-Clause (torchvision)"

VGG19 = PretrainedWeights(
    name="torchvision's VGG19",
    filename="vgg19-dcbb9e9d.pth",
    purpose="The perceptual loss",
    obtain="python -c \"import torchvision; torchvision.models.vgg19(weights='IMAGENET1K_V1')\"",
    licence=TORCHVISION_LICENCE,
)
VGG16 = PretrainedWeights(
    name="torchvision's VGG16",
    filename="vgg16-397923af.pth",
    purpose="LPIPS with VGG16",
    obtain="python -c \"import torchvision; torchvision.models.vgg16(weights='IMAGENET1K_V1')\"",
    licence=TORCHVISION_LICENCE,
    sha256="397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
)
ALEXNET = PretrainedWeights(
    name="torchvision's AlexNet",
    filename="alexnet-owt-7be5be79.pth",
    purpose="LPIPS",
    obtain="python -c \"import torchvision; torchvision.models.alexnet(weights='IMAGENET1K_V1')\"",
    licence=TORCHVISION_LICENCE,
)
INCEPTION = PretrainedWeights(
    name="the FID Inception network of 2015-12-05",
    filename="inception-2015-12-05.pt",
    purpose="FID",
    obtain=(
        'python -c "import torch; from cleanfid.inception_torchscript import InceptionV3W; '
        "import os; folder = os.path.join(torch.hub.get_dir(), 'checkpoints'); "
        'os.makedirs(folder, exist_ok=True); InceptionV3W(folder, download=True)"'
    ),
    licence="Apache-2.0 (Google's network); NVIDIA's TorchScript translation states none",
    # As k-diffusion's `evaluation.py` pins the file that NVIDIA serves and clean-fid downloads.
    sha256="f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4",
)
ALL = (VGG19, VGG16, ALEXNET, INCEPTION)

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
"""Ways to get the weights of segmenters that protocols name, by file."""


def find_weights(weights: str) -> Path:
    """Return the file of a segmenter's weights: a path, or a name in the searched folders.

    Raises:
        MissingWeightsError: there is no such file; the message says where it was looked for.
    """
    folders = search_folders()
    for path in (Path(weights), *(folder / weights for folder in folders)):
        if path.is_file():
            return path
    searched = ", ".join(str(folder) for folder in folders)
    obtain = f" To get it: {OBTAIN[weights]}." if weights in OBTAIN else ""
    raise MissingWeightsError(
        f"There are no segmenter weights at {weights!r}, nor by that name in {searched}. Give the "
        f"path of the file, or set I2IBENCH_WEIGHTS to the folder that holds it.{obtain}"
    )


def require_whole(path: Path | str) -> None:
    """Refuse a file of weights in torch's zip format of which a byte has changed.

    Raises:
        UserError: names the file and the part.
    """
    if Path(path).is_file() and zipfile.is_zipfile(path):  # torch's older format has no checksums
        damage = zip_damage(Path(path))
        if damage is not None:
            raise UserError(f"{path} cannot be read as weights: {damage}. Get the file again.")


def load_state(path: Path | str) -> dict[str, torch.Tensor]:
    """The state dict in a weights file, on the CPU, read without executing a pickle.

    Raises:
        MissingWeightsError: there is no such file.
        UserError: the file is broken or holds no state dict.
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
    """Return the reason for which `torch.load(..., weights_only=True)` failed, in one line.

    torch's own messages advise to load the file with `weights_only=False`, which executes whatever
    is in it; that advice is left out.
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
