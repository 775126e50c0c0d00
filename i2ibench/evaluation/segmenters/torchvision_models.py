"""torchvision's segmentation networks as segmenters."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torchvision
from torch import Tensor, nn

from i2ibench.errors import UserError, near_match
from i2ibench.evaluation.segmenters.framing import IMAGENET, Frame, Framing, Resizing, settled
from i2ibench.evaluation.segmenters.loading import fill
from i2ibench.evaluation.segmenters.outputs import rows_of
from i2ibench.io.weights import find_weights, load_state
from i2ibench.registry import SEGMENTERS
from i2ibench.registry.contracts import Segmenter

HEADS = ("classifier.4.weight", "classifier.low_classifier.weight")
"""Where the number of outputs stands: fcn and deeplabv3, lraspp."""


@SEGMENTERS.register_module()
class TorchvisionSegmenter(Segmenter):
    """Class ids for images from torchvision's fcn_*, deeplabv3_* or lraspp_* networks.

    Args:
        scored_classes: the names of the classes that count, in row order.
        weights: a state dict on disk, or its name in a folder of weights; None for random weights:
            no score is computed with those.
        outputs: see `outputs.rows_of`.
        width, height: what images are resized to for the network; None for their own size.
        resize: what differs from resizing by PIL's bilinear filter, see `framing.Resizing`.
        pixels: what differs from ImageNet's statistics, see `framing.Pixels`.
        architecture: torchvision's name.

    Raises:
        MissingWeightsError: there is no such file.
        UserError: torchvision has no such network, the weights belong to another one, or their
            outputs to other classes.
    """

    def __init__(
        self,
        scored_classes: Sequence[str],
        weights: str | None = None,
        outputs: Sequence[str | None] | None = None,
        width: int | None = None,
        height: int | None = None,
        resize: Mapping[str, bool] | None = None,
        pixels: Mapping[str, Any] | None = None,
        architecture: str = "deeplabv3_mobilenet_v3_large",
    ) -> None:
        super().__init__()
        self.weights_file = None if weights is None else find_weights(weights)
        self.network, num_outputs = _built(
            architecture, self.weights_file, len(outputs or scored_classes)
        )
        rows = rows_of(num_outputs, scored_classes, outputs)
        frame = Frame(width, height, settled(Resizing(antialias=True), resize))
        self.framing = Framing(frame, settled(IMAGENET, pixels), rows)

    def forward(self, images: Tensor) -> Tensor:
        """Class ids, int64 BHW in 0..N, for uint8 images B3HW."""
        return self.framing.labels(self._scores, images)

    def logits(self, images: Tensor) -> Tensor:
        """Scores of the network's outputs, BCHW at the images' size, for uint8 images B3HW."""
        return self.framing.logits(self._scores, images)

    def _scores(self, prepared: Tensor) -> Tensor:
        return self.network(prepared)["out"]


def _built(architecture: str, path: Path | None, num_outputs: int) -> tuple[nn.Module, int]:
    """The network of a file, or a random one, and how many outputs it has."""
    known = torchvision.models.list_models(module=torchvision.models.segmentation)
    if architecture not in known:
        raise UserError(
            f"torchvision has no segmentation network {architecture!r}."
            f"{near_match(architecture, known)} Known: {', '.join(known)}."
        )
    state = load_state(path) if path is not None else {}
    num_outputs = next((len(state[head]) for head in HEADS if head in state), num_outputs)
    auxiliary = {"aux_loss": True} if any(n.startswith("aux_classifier") for n in state) else {}
    network = torchvision.models.get_model(
        architecture, weights=None, weights_backbone=None, num_classes=num_outputs, **auxiliary
    )
    if path is not None:
        fill(network, state, path)
    return network, num_outputs
