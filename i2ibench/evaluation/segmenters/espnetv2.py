"""ESPNetv2 as a segmenter (Mehta et al. 2019, arXiv 1811.11431)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from i2ibench.errors import UserError
from i2ibench.evaluation.segmenters.espnetv2_network import ESPNetv2Network
from i2ibench.evaluation.segmenters.framing import IMAGENET, Frame, Framing, Resizing, settled
from i2ibench.evaluation.segmenters.loading import fill
from i2ibench.evaluation.segmenters.outputs import rows_of
from i2ibench.io.weights import find_weights, load_state
from i2ibench.registry import SEGMENTERS
from i2ibench.registry.contracts import Segmenter

SCORES = "bu_dec_l4.merge_layer.3.bias"
AT_HALF, AT_QUARTER = "base_net.level1.act.weight", "base_net.level2_0.act.weight"


@SEGMENTERS.register_module()
class ESPNetv2(Segmenter):
    """Class ids for images from ESPNetv2, whose released Cityscapes weights load as they are.

    The number of outputs and the widths (the paper's s) are read off the weights; random ones have
    s=2. Pixels have ImageNet's statistics.

    Args:
        scored_classes: the names of the classes that count, in row order.
        weights: a state dict on disk, or its name in a folder of weights; None for random weights:
            no score is computed with those.
        outputs: see `outputs.rows_of`.
        width, height: what images are resized to for the network; None for their own size. It
            stands in the names of the released weights' files.
        resize: what differs from resizing by PIL's bilinear filter, see `framing.Resizing`.
        pixels: what differs from ImageNet's statistics, see `framing.Pixels`.

    Raises:
        MissingWeightsError: there is no such file.
        UserError: the weights belong to another network, or their outputs to other classes.
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
    ) -> None:
        super().__init__()
        self.weights_file = None if weights is None else find_weights(weights)
        self.network = _built(self.weights_file, len(outputs or scored_classes))
        rows = rows_of(self.network.num_outputs, scored_classes, outputs)
        frame = Frame(width, height, settled(Resizing(antialias=True), resize))
        self.framing = Framing(frame, settled(IMAGENET, pixels), rows, stride=16)

    def forward(self, images: Tensor) -> Tensor:
        """Class ids, int64 BHW in 0..N, for uint8 images B3HW."""
        return self.framing.labels(self.network, images)

    def logits(self, images: Tensor) -> Tensor:
        """Scores of the network's outputs, BCHW at the images' size, for uint8 images B3HW."""
        return self.framing.logits(self.network, images)


def _built(path: Path | None, num_outputs: int) -> ESPNetv2Network:
    """The network of a file, or a random one with so many outputs."""
    if path is None:
        return ESPNetv2Network(num_outputs)
    state = load_state(path)
    known = [state.get(name) for name in (SCORES, AT_HALF, AT_QUARTER)]
    counts = [len(weight) for weight in known if weight is not None]
    if len(counts) < len(known):
        raise UserError(f"{path} does not fit ESPNetv2: {SCORES}, {AT_HALF} or {AT_QUARTER} lacks.")
    network = ESPNetv2Network(*counts)
    fill(network, state, path)
    return network
