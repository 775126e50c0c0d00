"""Feature networks: what describes images as vectors whose distributions are compared.

A feature network is chosen by config, `dict(type="InceptionFeatures")`, and has

- `frechet_name`, `kernel_name`: what scores over its features are called,
- `unavailable`: why it cannot be used, or None, and `weight_files`,
- `extract(images)`: float32 [N,D] on the images' device, for uint8 N3HW.

Images go through a network one by one, so that no feature depends on its neighbours.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from i2ibench.errors import UserError
from i2ibench.io.weights import INCEPTION, require_whole
from i2ibench.registry import FEATURES
from i2ibench.registry.contracts import Feature

Resize = Callable[[Any], Any]


@dataclass(frozen=True)
class SetScore:
    """A score of one set of features against another.

    Attributes:
        value: the score.
        low, high: its spread, or None; never a bootstrap interval.
        spread: what `low` and `high` are.
        n, m: how many rows the set and the reference have.
        curve: the score at smaller n.
        warning: why the value should not be relied upon, or nothing.
    """

    value: float
    low: float | None
    high: float | None
    spread: str
    n: int
    m: int
    curve: list[tuple[int, float]] = field(default_factory=list)
    warning: str = ""


@FEATURES.register_module()
class InceptionFeatures(Feature):
    """2048 features of the FID Inception network (Heusel et al. 2017), as clean-fid takes them.

    Only the published file of 2015-12-05, known by its SHA-256, gives scores called `fid` and
    `kid`; those of any other file carry the file's name.

    Args:
        weights: the TorchScript file; None looks for inception-2015-12-05.pt.
        resize: "clean" is clean-fid's antialiased bicubic filter (Parmar et al. 2022); "legacy"
            pytorch-fid's bilinear one without antialiasing, whose scores end in `_legacy`.
    """

    executes_weights = True  # the file is a program: see protocols/foreign.py

    def __init__(
        self, weights: str | None = None, resize: Literal["clean", "legacy"] = "clean"
    ) -> None:
        if resize not in ("clean", "legacy"):
            raise UserError(f"resize is 'clean' or 'legacy', not {resize!r}.")
        self.resize = resize
        file = Path(weights) if weights else INCEPTION.find()
        self.unavailable = absence(file) if file else INCEPTION.missing()
        self.weight_files = [file] if file and not self.unavailable else []
        ending = "_legacy" if resize == "legacy" else ""
        if not file or self.unavailable or INCEPTION.is_genuine(file):
            self.frechet_name, self.kernel_name = f"fid{ending}", f"kid{ending}"
        else:
            self.frechet_name, self.kernel_name = score_names(own_name(file) + ending)
        self._network: nn.Module | None = None

    def extract(self, images: Tensor) -> Tensor:
        """float32 [N,2048] for images uint8 N3HW.

        Raises:
            UserError: the file cannot be read as this network.
        """
        from cleanfid.resize import build_resizer

        if self._network is None:
            self._network = _inception_layers(self.weight_files[0])
        with warnings.catch_warnings():  # the legacy resizer switches every warning off
            resize = build_resizer("clean" if self.resize == "clean" else "legacy_pytorch")
        return describe(images, resize, lambda x: (x - 128) / 128, self._network)


def _inception_layers(path: Path) -> nn.Module:
    """The part of the file behind its own resizer and normalisation, which clean-fid leaves out."""
    layers = getattr(load_script(path), "layers", None)
    if not isinstance(layers, nn.Module):
        raise UserError(f"{path} is not the FID Inception: it has no `layers`.")
    return layers


@FEATURES.register_module()
class TorchScriptFeatures(Feature):
    """The features of any TorchScript network; scores carry the file's name.

    Args:
        weights: a file that maps float B3SS in 0..255 to [B,D].
        size: S; images are resized by clean-fid's antialiased bicubic filter.
    """

    executes_weights = True

    def __init__(self, weights: str, size: int = 299) -> None:
        self.size = size
        file = Path(weights)
        self.unavailable = absence(file)
        self.weight_files = [] if self.unavailable else [file]
        self.frechet_name, self.kernel_name = score_names(own_name(file))
        self._network: nn.Module | None = None

    def extract(self, images: Tensor) -> Tensor:
        """float32 [N,D] for images uint8 N3HW.

        Raises:
            UserError: the file cannot be read as TorchScript.
        """
        if self._network is None:
            self._network = load_script(self.weight_files[0])
        return describe(images, bicubic(self.size), lambda x: x, self._network)


def load_script(path: Path) -> nn.Module:
    """The TorchScript network in a file, on the CPU.

    Raises:
        UserError: the file is broken or holds something else.
    """
    require_whole(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer torch calls TorchScript deprecated
        try:
            return torch.jit.load(path, map_location="cpu").eval()
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"{path} cannot be read as TorchScript: {reason}") from None


def own_name(file: Path) -> str:
    """The name that scores of a file's network carry: the file's, without its ending.

    Raises:
        UserError: it would be taken for the true network's.
    """
    if file.stem == "legacy":
        raise UserError(f"Rename {file}: 'kid_legacy' is the name of the true Inception's score.")
    return file.stem


@torch.inference_mode()
def describe(images: Tensor, resize: Resize, prepare: Resize, network: nn.Module) -> Tensor:
    """float32 [N,D]: each image resized, prepared and sent through the network by itself."""
    network = network.to(images.device).eval()
    rows = []
    for image in images:
        small = torch.from_numpy(resize(image.permute(1, 2, 0).cpu().numpy()))
        x = prepare(small.permute(2, 0, 1)[None].float().to(images.device))
        answer = network(x)
        answer = answer["features"] if isinstance(answer, Mapping) else answer
        rows.append(answer.float().mean((2, 3)) if answer.ndim == 4 else answer.float().flatten(1))
    return torch.cat(rows)


def bicubic(size: int) -> Resize:
    """clean-fid's antialiased bicubic filter: uint8 [H,W,3] to float32 [size,size,3] in 0..255."""
    from cleanfid.resize import make_resizer

    return make_resizer("PIL", False, "bicubic", (size, size))


def score_names(backbone: str) -> tuple[str, str]:
    """What the Fréchet and the kernel distance over this network's features are called."""
    return f"fd_{backbone}", f"kid_{backbone}"


def absence(file: Path) -> str | None:
    """Why there is nothing to read in `file`, or None."""
    return None if file.is_file() else f"There are no weights at {file}."
