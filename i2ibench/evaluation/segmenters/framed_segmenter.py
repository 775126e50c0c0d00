"""The base class of segmenters with a `Framing`, and functions that load weights and packages."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from i2ibench.errors import UserError
from i2ibench.evaluation.segmenters.framing import (
    IMAGENET,
    Frame,
    Framing,
    Pixels,
    Resizing,
    override,
    rows_of,
)
from i2ibench.registry.contracts import Segmenter

TRAIN = "train one with `i2ibench train_segmenter CONFIG FILE.pth`"
"""How to get weights for a segmenter that has no published ones."""


class FramedSegmenter(Segmenter):
    """A network together with the resizing, the pixel values and the classes around it.

    A subclass calls this constructor, builds its network and hands it to `attach`.

    Args:
        scored_classes: the names of the N scored classes, in row order.
        weights: a weights file, or its name in a folder of weights. None for random weights, with
            which no score is computed.
        outputs: the class of each output of the network, see `framing.rows_of`.
        width, height: the size in pixels to which images are resized for the network. None keeps
            the size of the images.
        resize: overrides of `resizing` by name, see `framing.Resizing`.
        pixels: overrides of the published pixel values by name, see `framing.Pixels`.

    Attributes:
        resizing: how images are resized by default.
        network: the network, a module or a function; set by `attach`.
        num_described: the number of outputs that the options describe, for random weights.

    Raises:
        MissingWeightsError: the weights file does not exist.
        UserError: an option has an impossible value.
    """

    resizing = Resizing(antialias=True)

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
        self.weights_file = None if weights is None else self.locate(weights)
        self.num_described = len(outputs or scored_classes)
        self.frame = Frame(width, height, override(self.resizing, resize))
        self._classes = (scored_classes, outputs)
        self._pixel_changes = pixels

    def attach(
        self, network: Any, num_outputs: int, published: Pixels = IMAGENET, stride: int = 1
    ) -> None:
        """Set the segmenter's network, and its framing from the network's outputs and pixel values.

        Args:
            network: a module or function from prepared images B3HW to class scores BCHW.
            num_outputs: the number C of class scores.
            published: the pixel values that the network was trained with. The option `pixels`
                changes them.
            stride: the number that must divide both sides of the network's input.

        Raises:
            UserError: the outputs do not fit the classes, or a pixel value is impossible.
        """
        self.network: Any = network
        rows = rows_of(num_outputs, *self._classes)
        pixels = override(published, self._pixel_changes)
        self.framing = Framing(self.frame, pixels, rows, stride)

    def forward(self, images: Tensor) -> Tensor:
        """Segment images uint8 B3HW; return their pixels' classes, int64 BHW in 0..N.

        Classes are positions among the N scored classes; N is "something else".

        Raises:
            UserError: the network has another number of outputs than the options describe.
        """
        return self.framing.labels(self.class_scores, images)

    def logits(self, images: Tensor) -> Tensor:
        """Return the network's class scores, BCHW at the images' size, for images uint8 B3HW.

        C is the number of outputs of the network, which may be other classes than the scored ones.
        """
        return self.framing.logits(self.class_scores, images)

    def class_scores(self, prepared: Tensor) -> Tensor:
        """Run the network on prepared images B3HW and return its class scores BCHW.

        A subclass whose network has another form of output overrides this.
        """
        return self.network(prepared)


def locate_weights(part: Any, weights: str) -> Path:
    """Return the path of the file that a segmenter's option `weights` names, by its `locate`.

    Args:
        part: the segmenter's class, or a function that makes a segmenter; a function looks in the
            usual folders of weights.
        weights: the option: a path or a name.

    Raises:
        MissingWeightsError: there is no such file; the message says how to get it.
    """
    is_class = isinstance(part, type) and issubclass(part, Segmenter)
    return (part if is_class else Segmenter).locate(weights)


def fill(network: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    """Load a state dict into a network; every weight must be there.

    Args:
        network: the network, which is changed.
        state: the state dict.
        path: the file of the state dict, for the message.

    Raises:
        UserError: a name or a shape does not fit.
    """
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path} does not fit {type(network).__name__}: {reason[:300]}") from None


def optional(module: str, part: str) -> Any:
    """Import a module of an optional package and return it.

    Args:
        module: the name of the module.
        part: the name of the segmenter that needs the module, for the message.

    Raises:
        UserError: the package is not installed; the message has the command that installs it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise UserError(
            f'{part} needs {module} ({error}): pip install "i2ibench[segmenters]"'
        ) from None
