"""Networks that came as one file with their computation: TorchScript and ONNX."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from i2ibench.errors import UserError
from i2ibench.evaluation.segmenters.framing import (
    IMAGENET,
    Frame,
    Framing,
    Network,
    Pixels,
    Resizing,
    settled,
)
from i2ibench.evaluation.segmenters.loading import optional
from i2ibench.evaluation.segmenters.outputs import rows_of
from i2ibench.io.weights import find_weights, require_whole
from i2ibench.registry import SEGMENTERS
from i2ibench.registry.contracts import Segmenter

View = tuple[Frame, Pixels]

PROBE = 64
"""The side of the image that shows how many outputs a network has, unless its frame says more."""


@SEGMENTERS.register_module()
class TorchScriptSegmenter(Segmenter):
    """Class ids for images from a TorchScript file: float B3HW in, class scores BCHW out.

    Args:
        scored_classes: the names of the classes that count, in row order.
        weights: the file's path, or its name in a folder of weights.
        outputs: see `outputs.rows_of`.
        width, height: what images are resized to for the network; None for their own size.
        resize: what differs from resizing by PIL's bilinear filter, see `framing.Resizing`.
        pixels: what differs from ImageNet's statistics, see `framing.Pixels`.

    Raises:
        MissingWeightsError: there is no such file.
        UserError: the file is no TorchScript, or its outputs belong to other classes.
    """

    executes_weights = True  # the file is a program: see protocols/foreign.py

    def __init__(
        self,
        scored_classes: Sequence[str],
        weights: str,
        outputs: Sequence[str | None] | None = None,
        width: int | None = None,
        height: int | None = None,
        resize: Mapping[str, bool] | None = None,
        pixels: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.weights_file = find_weights(weights)
        self.network = _script(self.weights_file)
        view = _view(width, height, resize, pixels)
        self.framing = _framing(self.network, self.weights_file, view, scored_classes, outputs)

    def forward(self, images: Tensor) -> Tensor:
        """Class ids, int64 BHW in 0..N, for uint8 images B3HW."""
        return self.framing.labels(self.network, images)

    def logits(self, images: Tensor) -> Tensor:
        """Scores of the network's outputs, BCHW at the images' size, for uint8 images B3HW."""
        return self.framing.logits(self.network, images)


@SEGMENTERS.register_module()
class OnnxSegmenter(Segmenter):
    """Class ids for images from an ONNX file, computed by onnxruntime on the CPU.

    The file's first input takes float B3HW, its first output is class scores BCHW. Images go
    through one by one, so that files exported for a batch of one work.

    Args:
        scored_classes: the names of the classes that count, in row order.
        weights: the file's path, or its name in a folder of weights.
        outputs: see `outputs.rows_of`.
        width, height: what images are resized to for the network; None for their own size.
        resize: what differs from resizing by PIL's bilinear filter, see `framing.Resizing`.
        pixels: what differs from ImageNet's statistics, see `framing.Pixels`.

    Raises:
        MissingWeightsError: there is no such file.
        UserError: onnxruntime is not installed, the file is no ONNX, or its outputs belong to
            other classes.
    """

    executes_weights = True  # the file is a program: see protocols/foreign.py

    def __init__(
        self,
        scored_classes: Sequence[str],
        weights: str,
        outputs: Sequence[str | None] | None = None,
        width: int | None = None,
        height: int | None = None,
        resize: Mapping[str, bool] | None = None,
        pixels: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.weights_file = find_weights(weights)
        self.network = _OnnxNetwork(self.weights_file)
        view = _view(width, height, resize, pixels)
        self.framing = _framing(self.network, self.weights_file, view, scored_classes, outputs)

    def forward(self, images: Tensor) -> Tensor:
        """Class ids, int64 BHW in 0..N, for uint8 images B3HW."""
        return self.framing.labels(self.network, images)


class _OnnxNetwork:
    """Class scores BCHW for prepared images B3HW, by onnxruntime, one image after the other."""

    def __init__(self, path: Path) -> None:
        self.session = _session(path)
        self.input = self.session.get_inputs()[0].name

    def __call__(self, prepared: Tensor) -> Tensor:
        pictures = prepared.cpu().split(1)
        scores = [self.session.run(None, {self.input: p.numpy()})[0] for p in pictures]
        return torch.cat([torch.from_numpy(s) for s in scores]).to(prepared.device)


def _script(path: Path) -> torch.jit.ScriptModule:
    require_whole(path)
    try:
        with warnings.catch_warnings():
            # torch advises against making such files; these were made by others.
            warnings.simplefilter("ignore", FutureWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            return torch.jit.load(path, map_location="cpu")
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path} cannot be read as TorchScript: {reason}") from None


def _session(path: Path) -> Any:
    runtime = optional("onnxruntime", "OnnxSegmenter")
    try:
        return runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime has a class of its own for each reason
        reason = str(error).splitlines()[0]
        raise UserError(f"{path} cannot be read as ONNX: {reason}") from None


def _view(
    width: int | None,
    height: int | None,
    resize: Mapping[str, bool] | None,
    pixels: Mapping[str, Any] | None,
) -> View:
    """How the network sees images, for a segmenter's options."""
    frame = Frame(width, height, settled(Resizing(antialias=True), resize))
    return frame, settled(IMAGENET, pixels)


def _framing(
    network: Network,
    path: Path,
    view: View,
    scored_classes: Sequence[str],
    outputs: Sequence[str | None] | None,
) -> Framing:
    """Everything around a network whose number of outputs is found by running it."""
    return Framing(*view, rows_of(_num_outputs(network, view, path), scored_classes, outputs))


@torch.no_grad()
def _num_outputs(network: Network, view: View, path: Path) -> int:
    """How many classes the network tells apart, found by showing it a black image."""
    frame, pixels = view
    black = torch.zeros(1, 3, frame.height or PROBE, frame.width or PROBE)
    try:
        scores = network(pixels.prepared(black))
    except Exception as error:  # whatever a foreign computation raises
        reason = str(error).strip().splitlines()[-1]
        raise UserError(
            f"{path} cannot be run on an image of {black.shape[-1]}x{black.shape[-2]}: {reason}. "
            "If it takes one size only, state it as the segmenter's width and height."
        ) from None
    if not isinstance(scores, Tensor) or scores.ndim != 4:
        raise UserError(f"{path} does not give one tensor of class scores, [B, C, H, W].")
    return scores.shape[1]
