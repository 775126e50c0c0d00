"""Feature networks that torchvision provides: one layer of an ImageNet classifier."""

from pathlib import Path

import torch
from torch import Tensor, nn

from i2ibench.errors import UserError
from i2ibench.evaluation.features.networks import (
    FEATURES,
    absence,
    bicubic,
    describe,
    own_name,
    score_names,
)
from i2ibench.io.weights import ALEXNET, VGG16, VGG19, load_state
from i2ibench.models.layers.vgg import IMAGENET_MEAN, IMAGENET_STD
from i2ibench.registry.contracts import Feature

TORCHVISION = {
    "vgg16": (VGG16, "features.29"),
    "vgg19": (VGG19, "features.35"),
    "alexnet": (ALEXNET, "features.11"),
}
"""The networks whose weights are searched for, and the layer that is taken: the last ReLU."""


@FEATURES.register_module()
class TorchvisionFeatures(Feature):
    """One layer of a torchvision classifier, averaged over the image.

    Images are resized to 224x224 by clean-fid's antialiased bicubic filter. Scores carry the
    network's name, and the layer's and the file's where they are not the usual ones.

    Args:
        name: one of torchvision's models.
        weights: its state dict; None looks for torchvision's own (vgg16, vgg19, alexnet).
        layer: a node of torchvision's `get_graph_node_names`; None takes the last ReLU of those.
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
        """float32 [N,D] for images uint8 N3HW.

        Raises:
            UserError: there is no such model or layer, or the file does not fit it.
        """
        if self._network is None:
            self._network = tapped(self.model, str(self.layer), self.weight_files[0])
        return describe(images, bicubic(224), _normalise, self._network)


def tapped(name: str, layer: str, file: Path) -> nn.Module:
    """torchvision's model `name` up to `layer`, with the weights of `file`; gives a dict.

    Weights of later layers may be absent.

    Raises:
        UserError: there is no such model or layer, or the file does not fit it.
    """
    from torchvision.models import get_model
    from torchvision.models.feature_extraction import create_feature_extractor

    try:
        with torch.device("meta"):  # no time for random weights that are replaced anyway
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
