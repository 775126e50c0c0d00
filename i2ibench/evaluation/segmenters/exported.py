"""Segmenters from files that contain their computation: TorchScript and ONNX."""

import warnings
from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from i2ibench.errors import UserError
from i2ibench.evaluation.segmenters.framed_segmenter import FramedSegmenter, optional
from i2ibench.evaluation.segmenters.framing import IMAGENET
from i2ibench.io.weights import require_whole
from i2ibench.registry import SEGMENTERS

PROBE = 64
"""Side in pixels of the black image that counts a network's outputs, if no size is given."""


class ExportedSegmenter(FramedSegmenter):
    """A network that is read from a file with its computation, with ImageNet's pixel statistics.

    Args:
        scored_classes: see `FramedSegmenter`.
        weights: the path of the file, or its name in a folder of weights.
        options: see `FramedSegmenter`.

    Raises:
        MissingWeightsError: the file does not exist.
        UserError: the file has another format, or its outputs belong to other classes.
    """

    executes_weights = True  # The file is a program: see `foreign_protocol`.

    def __init__(self, scored_classes: Sequence[str], weights: str, **options: Any) -> None:
        super().__init__(scored_classes, weights, **options)
        assert self.weights_file is not None
        network = self.read(self.weights_file)
        self.attach(network, self._count_outputs(network, self.weights_file))

    @staticmethod
    @abstractmethod
    def read(path: Path) -> Callable[[Tensor], Tensor]:
        """Load the network of a file: a function from prepared images B3HW to class scores BCHW.

        Raises:
            UserError: the file cannot be read.
        """

    @torch.no_grad()
    def _count_outputs(self, network: Callable[[Tensor], Tensor], path: Path) -> int:
        """Run the network on one black image and return the number of its class scores."""
        height, width = self.frame.height or PROBE, self.frame.width or PROBE
        prepared = IMAGENET.prepared(torch.zeros(1, 3, height, width))
        try:
            scores = network(prepared)
        except Exception as error:  # the file may raise any exception
            reason = str(error).strip().splitlines()[-1]
            raise UserError(
                f"{path} cannot be run on an image of {width}x{height}: {reason}. If it takes one "
                "size only, state it as the segmenter's width and height."
            ) from None
        if not isinstance(scores, Tensor) or scores.ndim != 4:
            raise UserError(f"{path} does not give one tensor of class scores, [B, C, H, W].")
        return scores.shape[1]


@SEGMENTERS.register_module()
class TorchScriptSegmenter(ExportedSegmenter):
    """A TorchScript file that computes class scores BCHW for float images B3HW."""

    @staticmethod
    def read(path: Path) -> torch.jit.ScriptModule:
        """Load the module of a TorchScript file to the CPU.

        Raises:
            UserError: the file is incomplete or no TorchScript.
        """
        require_whole(path)
        try:
            with warnings.catch_warnings():
                # torch advises against writing such files; this code only reads them.
                warnings.simplefilter("ignore", FutureWarning)
                warnings.simplefilter("ignore", DeprecationWarning)
                return torch.jit.load(path, map_location="cpu")
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"{path} cannot be read as TorchScript: {reason}") from None


@SEGMENTERS.register_module()
class OnnxSegmenter(ExportedSegmenter):
    """An ONNX file, computed by onnxruntime on the CPU.

    The file's first input takes float images B3HW, and its first output is class scores BCHW.
    Images are computed one by one, so that files exported for a batch of one work.
    """

    @staticmethod
    def read(path: Path) -> "OnnxNetwork":
        """Load the network of an ONNX file; see `OnnxNetwork`.

        Raises:
            UserError: onnxruntime is not installed, or the file is no ONNX.
        """
        return OnnxNetwork(path)


class OnnxNetwork:
    """A function from prepared images B3HW to class scores BCHW, computed by onnxruntime.

    Args:
        path: the ONNX file.

    Raises:
        UserError: onnxruntime is not installed, or the file is no ONNX.
    """

    def __init__(self, path: Path) -> None:
        runtime = optional("onnxruntime", "OnnxSegmenter")
        try:
            self.session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has one exception class for each reason
            reason = str(error).splitlines()[0]
            raise UserError(f"{path} cannot be read as ONNX: {reason}") from None
        self.input = self.session.get_inputs()[0].name

    def __call__(self, prepared: Tensor) -> Tensor:
        """Compute class scores BCHW for prepared images B3HW, one by one, on the CPU.

        The scores are returned on the device of the images.
        """
        images = prepared.cpu().split(1)
        scores = [self.session.run(None, {self.input: i.numpy()})[0] for i in images]
        return torch.cat([torch.from_numpy(s) for s in scores]).to(prepared.device)
