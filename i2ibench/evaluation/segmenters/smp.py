"""Networks of segmentation-models-pytorch as segmenters."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from i2ibench.errors import UserError
from i2ibench.evaluation.segmenters.framing import IMAGENET, Frame, Framing, Resizing, settled
from i2ibench.evaluation.segmenters.loading import fill, optional
from i2ibench.evaluation.segmenters.outputs import rows_of
from i2ibench.io.weights import find_weights, load_state
from i2ibench.registry import SEGMENTERS
from i2ibench.registry.contracts import Segmenter

HEAD = "segmentation_head.0.weight"


@SEGMENTERS.register_module()
class SMPSegmenter(Segmenter):
    """Class ids for images from a network of segmentation-models-pytorch: PSPNet, Unet, FPN, ...

    `i2ibench train_segmenter` trains a PSPNet of this kind. Pixels have ImageNet's statistics.

    Args:
        scored_classes: the names of the classes that count, in row order.
        weights: a state dict on disk, or its name in a folder of weights; None for random weights,
            to be trained: no score is computed with those.
        outputs: see `outputs.rows_of`.
        width, height: what images are resized to for the network; None for their own size.
        resize: what differs from resizing by PIL's bilinear filter, see `framing.Resizing`.
        architecture, encoder: the library's names.

    Raises:
        MissingWeightsError: there is no such file.
        UserError: the library is not installed or has no such network, the weights belong to
            another one, or their outputs to other classes.
    """

    def __init__(
        self,
        scored_classes: Sequence[str],
        weights: str | None = None,
        outputs: Sequence[str | None] | None = None,
        width: int | None = None,
        height: int | None = None,
        resize: Mapping[str, bool] | None = None,
        architecture: str = "PSPNet",
        encoder: str = "resnet18",
    ) -> None:
        super().__init__()
        self.weights_file = None if weights is None else find_weights(weights)
        self.network, num_outputs = _built(
            (architecture, encoder), self.weights_file, len(outputs or scored_classes)
        )
        rows = rows_of(num_outputs, scored_classes, outputs)
        frame = Frame(width, height, settled(Resizing(antialias=True), resize))
        stride = int(self.network.encoder.output_stride)
        self.framing = Framing(frame, IMAGENET, rows, stride)

    def forward(self, images: Tensor) -> Tensor:
        """Class ids, int64 BHW in 0..N, for uint8 images B3HW."""
        return self.framing.labels(self.network, images)

    def logits(self, images: Tensor) -> Tensor:
        """Scores of the network's outputs, BCHW at the images' size, for uint8 images B3HW."""
        return self.framing.logits(self.network, images)


def _built(names: tuple[str, str], path: Path | None, num_outputs: int) -> tuple[Any, int]:
    """The network of a file, or a random one, and how many outputs it has."""
    library = optional("segmentation_models_pytorch", "SMPSegmenter")
    state = load_state(path) if path is not None else {}
    if HEAD in state:
        num_outputs = len(state[HEAD])
    architecture, encoder = names
    try:
        network = library.create_model(
            architecture, encoder, encoder_weights=None, classes=num_outputs
        )
    except (KeyError, ValueError, RuntimeError) as error:
        raise UserError(
            f"segmentation-models-pytorch has no {architecture} on {encoder}: {str(error)[:400]}"
        ) from None
    if path is not None:
        fill(network, state, path)
    return network, num_outputs
