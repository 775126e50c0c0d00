"""Pretrained weights: where each file is looked for, and how to get one that is missing."""

import os
from dataclasses import dataclass
from pathlib import Path

import torch

from i2ibench.errors import MissingWeightsError, UserError


@dataclass(frozen=True)
class PretrainedWeights:
    """One weights file.

    Attributes:
        name: what it is called in messages.
        filename: the file's name in the folders that are searched.
        purpose: what needs it.
        obtain: what to run, on a machine with internet, to get it.
    """

    name: str
    filename: str
    purpose: str
    obtain: str

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


VGG19 = PretrainedWeights(
    name="torchvision's VGG19",
    filename="vgg19-dcbb9e9d.pth",
    purpose="The perceptual loss",
    obtain="python -c \"import torchvision; torchvision.models.vgg19(weights='IMAGENET1K_V1')\"",
)
ALEXNET = PretrainedWeights(
    name="torchvision's AlexNet",
    filename="alexnet-owt-7be5be79.pth",
    purpose="LPIPS",
    obtain="python -c \"import torchvision; torchvision.models.alexnet(weights='IMAGENET1K_V1')\"",
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
)
ALL = (VGG19, ALEXNET, INCEPTION)


def load_state(path: Path | str) -> dict[str, torch.Tensor]:
    """The state dict in a weights file, on the CPU, read without executing a pickle.

    Raises:
        MissingWeightsError: there is no such file.
        UserError: the file is broken or holds no state dict.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise MissingWeightsError(f"There are no weights at {path}.") from None
    except Exception as error:  # whatever a foreign file makes the unpickler raise
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(f"{path} cannot be read as weights: {reason}") from None
    pairs = state.items() if isinstance(state, dict) else [(None, None)]
    if not all(isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in pairs):
        raise UserError(f"{path} holds no state dict: weights by name.")
    return state
