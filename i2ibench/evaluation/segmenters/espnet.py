"""ESPNet as a segmenter (Mehta et al. 2018, arXiv 1803.06815)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from i2ibench.errors import UserError
from i2ibench.evaluation.segmenters.espnet_network import LEVEL1_CHANNELS, ESPNetwork
from i2ibench.evaluation.segmenters.framing import Frame, Framing, Pixels, Resizing, settled
from i2ibench.evaluation.segmenters.loading import fill
from i2ibench.evaluation.segmenters.outputs import rows_of
from i2ibench.io.weights import find_weights, load_state
from i2ibench.registry import SEGMENTERS
from i2ibench.registry.contracts import Segmenter

CITYSCAPES = Pixels(mean=(72.39, 82.91, 73.16), std=(45.32, 46.15, 44.91), bgr=True, divisor=255.0)
CAMVID = Pixels(mean=(110.33, 108.41, 105.03), std=(72.13, 72.69, 69.90), bgr=True, divisor=255.0)
PUBLISHED = {20: CITYSCAPES, 12: CAMVID}
"""The released code's values, blue first, by the outputs that its weights have."""


@SEGMENTERS.register_module()
class ESPNet(Segmenter):
    """Class ids for images from ESPNet, whose released weights load as they are.

    The number of outputs, the depth (p and q in file names) and what the decoder fuses last are
    read off the weights; random ones have the paper's p=2, q=8.

    Args:
        scored_classes: the names of the classes that count, in row order.
        weights: a state dict on disk, or its name in a folder of weights; None for random weights:
            no score is computed with those.
        outputs: see `outputs.rows_of`.
        width, height: what images are resized to for the network; None for their own size. The
            released Cityscapes weights see 1024x512, the CamVid ones 480x360.
        resize: what differs from plain bilinear resizing, see `framing.Resizing`.
        pixels: what differs from the released code's values, see `framing.Pixels`. It has one mean
            and std for Cityscapes (20 outputs) and one for CamVid (12); weights with other outputs
            need both.

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
        if self.weights_file is not None:
            _require_statistics(self.network.num_outputs, pixels or {})
        rows = rows_of(self.network.num_outputs, scored_classes, outputs)
        frame = Frame(width, height, settled(Resizing(), resize))
        published = PUBLISHED.get(len(rows), CITYSCAPES)
        self.framing = Framing(frame, settled(published, pixels), rows, stride=8)

    def forward(self, images: Tensor) -> Tensor:
        """Class ids, int64 BHW in 0..N, for uint8 images B3HW."""
        return self.framing.labels(self.network, images)

    def logits(self, images: Tensor) -> Tensor:
        """Scores of the network's outputs, BCHW at the images' size, for uint8 images B3HW."""
        return self.framing.logits(self.network, images)


def _built(path: Path | None, num_outputs: int) -> ESPNetwork:
    """The network of a file, or a random one with so many outputs."""
    if path is None:
        return ESPNetwork(num_outputs)
    state = load_state(path)
    network = ESPNetwork(**_architecture(path, state))
    fill(network, state, path)
    return network


def _require_statistics(num_outputs: int, pixels: Mapping[str, Any]) -> None:
    if num_outputs not in PUBLISHED and not {"mean", "std"} <= pixels.keys():
        raise UserError(
            f"ESPNet's weights have {num_outputs} outputs; the released ones have "
            f"{' or '.join(map(str, PUBLISHED))}. State the mean and std of the photos that others "
            "were trained on: pixels=dict(mean=..., std=...), blue first."
        )


def _architecture(path: Path, state: Mapping[str, Tensor]) -> dict[str, Any]:
    """The options of `ESPNetwork` that a state dict shows."""
    fusion = state.get("conv.conv.weight")
    if fusion is None:
        raise UserError(f"{path} does not fit ESPNet: it has no weight 'conv.conv.weight'.")
    outputs, fused = fusion.shape[:2]
    return {
        "num_outputs": outputs,
        "num_level2_blocks": _count(state, "encoder.level2."),
        "num_level3_blocks": _count(state, "encoder.level3."),
        "fuses_image": fused > outputs + LEVEL1_CHANNELS,
    }


def _count(state: Mapping[str, Tensor], prefix: str) -> int:
    return len(
        {name.removeprefix(prefix).split(".")[0] for name in state if name.startswith(prefix)}
    )
