"""The contract of segmenters, with which metrics score images."""

from abc import ABCMeta, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor, nn

from i2ibench.io.weights import find_weights


class Segmenter(nn.Module, metaclass=ABCMeta):
    """A network that assigns a class to each pixel of an image.

    The constructor may take `num_classes`, the number of scored classes, and `scored_classes`,
    their names in row order.

    Attributes:
        needs_weights: score nothing as long as `weights_file` is None.
        weights_file: the file of its weights, or None for random weights.
        weight_files: further files that its labels depend on. Results record the hashes of all.
        executes_weights: run the file of the option `weights` as a program (TorchScript, ONNX). A
            protocol from a checkpoint may not use such a part.
    """

    needs_weights: bool = True
    weights_file: Path | None = None
    weight_files: Sequence[Path] = ()
    executes_weights: bool = False

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """Return class ids, int64 BHW in 0..N, for images uint8 B3HW; N is any other class."""

    @staticmethod
    def locate(weights: str) -> Path:
        """Return the file of the option `weights`, a path or a name of known weights.

        By default known weights are looked for in $I2IBENCH_WEIGHTS and torch hub's cache.

        Raises:
            MissingWeightsError: there is no such file. The message says how to get it.
        """
        return find_weights(weights)
