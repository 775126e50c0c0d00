"""Feature networks, which describe images as vectors whose distributions are compared."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from i2ibench.errors import UserError
from i2ibench.io.weights import ALEXNET, INCEPTION, VGG16, VGG19, load_state, require_whole
from i2ibench.models.layers.imagenet_features import IMAGENET_MEAN, IMAGENET_STD
from i2ibench.registry import FEATURES
from i2ibench.registry.contracts import Feature

Resize = Callable[[Any], Any]


@dataclass(frozen=True)
class SetScore:
    """A distance of a set of features from a reference set.

    Attributes:
        value: the distance.
        low, high: the bounds of the spread, or None. They are no bootstrap interval.
        spread: a text that says how `low` and `high` were computed.
        n, m: the numbers of rows of the set and of the reference.
        curve: pairs of a smaller n and the distance of so many rows.
        warning: the reason why the value is unreliable, or "".
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
    """The 2048 features of the FID Inception network (Heusel et al. 2017), as in clean-fid.

    Images are computed one by one, so that the features of an image do not depend on the others.
    Only the published file of 2015-12-05, recognised by its SHA-256, gives scores with the names
    `fid` and `kid`. The scores of other files have the file's name.

    Args:
        weights: the TorchScript file; None looks for inception-2015-12-05.pt.
        resize: "clean" for clean-fid's antialiased bicubic filter (Parmar et al. 2022); "legacy"
            for pytorch-fid's bilinear filter without antialiasing. The names of legacy scores end
            in `_legacy`.

    Raises:
        UserError: `resize` has another value, or the file has a reserved name.
    """

    executes_weights = True  # the file is a program: see `foreign_protocol`

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
        """Return the network's features, float32 [N,2048], of images uint8 N3HW on their device.

        The first call loads the file.

        Raises:
            UserError: the file cannot be read as this network.
        """
        from cleanfid.resize import build_resizer

        if self._network is None:
            self._network = _inception_layers(self.weight_files[0])
        with warnings.catch_warnings():  # the legacy resizer disables all warnings
            resize = build_resizer("clean" if self.resize == "clean" else "legacy_pytorch")
        return describe(images, resize, lambda x: (x - 128) / 128, self._network)


def _inception_layers(path: Path) -> nn.Module:
    """Load a TorchScript file and return its network without its resizer and normalisation."""
    layers = getattr(load_script(path), "layers", None)
    if not isinstance(layers, nn.Module):
        raise UserError(f"{path} is not the FID Inception: it has no `layers`.")
    return layers


@FEATURES.register_module()
class TorchScriptFeatures(Feature):
    """The output of any TorchScript network; the scores have the file's name.

    Args:
        weights: a TorchScript file that maps float B3SS in 0..255 to [B,D].
        size: the side S in pixels, to which clean-fid's antialiased bicubic filter resizes images.

    Raises:
        UserError: the file has a reserved name.
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
        """Return the network's output for images uint8 N3HW, float32 [N,D], on the images' device.

        The first call loads the file. An output BCHW is averaged over the image, any other is
        flattened.

        Raises:
            UserError: the file cannot be read as TorchScript.
        """
        if self._network is None:
            self._network = load_script(self.weight_files[0])
        return describe(images, bicubic(self.size), lambda x: x, self._network)


def load_script(path: Path) -> nn.Module:
    """Load a TorchScript network from a file to the CPU, in evaluation mode.

    Raises:
        UserError: the file is damaged or no TorchScript.
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
    """Return the name that a network's file has in score names: the file name without its suffix.

    Raises:
        UserError: the name is "legacy", which is reserved for scores of the FID Inception network.
    """
    if file.stem == "legacy":
        raise UserError(f"Rename {file}: 'kid_legacy' is the name of the true Inception's score.")
    return file.stem


@torch.inference_mode()
def describe(images: Tensor, resize: Resize, prepare: Resize, network: nn.Module) -> Tensor:
    """Compute the features of images, float32 [N,D], each image separately.

    The network is moved to the images' device. A dict as output must have the key "features". An
    output BCHW is averaged over the image, any other is flattened.

    Args:
        images: uint8 N3HW.
        resize: a function from uint8 [H,W,3] to an array [S,S,3] of the network's size, 0..255.
        prepare: a function from the resized image, float 13SS in 0..255, to the network's input.
        network: the network.
    """
    network = network.to(images.device).eval()
    rows = []
    for image in images:
        small = torch.from_numpy(resize(image.permute(1, 2, 0).cpu().numpy()))
        x = prepare(small.permute(2, 0, 1)[None].float().to(images.device))
        output = network(x)
        output = output["features"] if isinstance(output, Mapping) else output
        rows.append(output.float().mean((2, 3)) if output.ndim == 4 else output.float().flatten(1))
    return torch.cat(rows)


def bicubic(size: int) -> Resize:
    """Return clean-fid's antialiased bicubic filter.

    The filter is a function from uint8 [H,W,3] to float32 [size,size,3].
    """
    from cleanfid.resize import make_resizer

    return make_resizer("PIL", False, "bicubic", (size, size))


def score_names(backbone: str) -> tuple[str, str]:
    """Return the names of the Fréchet and kernel distance: `fd_<backbone>`, `kid_<backbone>`."""
    return f"fd_{backbone}", f"kid_{backbone}"


def absence(file: Path) -> str | None:
    """Return a sentence that the file does not exist, or None if it exists."""
    return None if file.is_file() else f"There are no weights at {file}."


TORCHVISION = {
    "vgg16": (VGG16, "features.29"),
    "vgg19": (VGG19, "features.35"),
    "alexnet": (ALEXNET, "features.11"),
}
"""The networks whose weights files are known, with the name of their last ReLU."""


@FEATURES.register_module()
class TorchvisionFeatures(Feature):
    """A layer of a torchvision classifier, averaged over the image.

    Images are resized to 224x224 by clean-fid's antialiased bicubic filter. The scores have the
    network's name, and the names of the layer and the file if they differ from the defaults.

    Args:
        name: the name of a model of torchvision.
        weights: its state dict; None looks for torchvision's file (vgg16, vgg19, alexnet).
        layer: a node of torchvision's `get_graph_node_names`; None for the last ReLU (vgg16, vgg19,
            alexnet).

    Raises:
        UserError: weights or layer must be given for this model.
    """

    def __init__(
        self, name: str = "vgg16", weights: str | None = None, layer: str | None = None
    ) -> None:
        known, usual = TORCHVISION.get(name, (None, None))
        if (known is None and weights is None) or (usual is None and layer is None):
            raise UserError(
                f"TorchvisionFeatures {name!r} needs weights and layer; both are known for "
                f"{', '.join(TORCHVISION)} only."
            )
        self.model, self.layer = name, layer or usual
        file = Path(weights) if weights else known.find() if known else None
        self.unavailable = absence(file) if file else known.missing() if known else None
        self.weight_files = [file] if file and not self.unavailable else []
        parts = [name, layer if layer != usual else None]
        if file and not (known and file.name == known.filename):
            parts.append(own_name(file))
        backbone = "_".join(part for part in parts if part)
        self.frechet_name, self.kernel_name = score_names(backbone)
        self._network: nn.Module | None = None

    def extract(self, images: Tensor) -> Tensor:
        """Return the layer's features of images uint8 N3HW, averaged over the image, float32 [N,D].

        The first call loads the file.

        Raises:
            UserError: there is no such model or layer, or the file does not fit it.
        """
        if self._network is None:
            self._network = model_up_to(self.model, str(self.layer), self.weight_files[0])
        return describe(images, bicubic(224), _normalise, self._network)


def model_up_to(name: str, layer: str, file: Path) -> nn.Module:
    """Build torchvision's model `name` up to the node `layer`, with the weights of `file`.

    The output of the returned network is a dict with the key "features". Weights of later layers
    may be missing.

    Raises:
        UserError: there is no such model or layer, or the file does not fit it.
    """
    from torchvision.models import get_model
    from torchvision.models.feature_extraction import create_feature_extractor

    try:
        with torch.device("meta"):  # random weights would be replaced anyway
            network = create_feature_extractor(get_model(name, weights=None), {layer: "features"})
        state = load_state(file)
        own = network.state_dict()
        network.load_state_dict({key: state[key] for key in own if key in state}, assign=True)
    except (ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{file} cannot be used as {name} up to {layer!r}: {reason}") from None
    return network


def _normalise(x: Tensor) -> Tensor:
    mean, deviation = (x.new_tensor(v).view(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    return (x / 255 - mean) / deviation
