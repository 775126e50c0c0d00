"""Load what a segmenter needs from outside: its weights file, and a package of its own."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from i2ibench.errors import UserError
from i2ibench.registry.contracts import Segmenter

TRAIN = "train one with `i2ibench train_segmenter CONFIG FILE.pth`"
"""How to get any others."""


def locate_weights(part: Any, weights: str) -> Path:
    """Return the file that a segmenter's option `weights` means.

    Args:
        part: the segmenter's class, or a function that makes one.
        weights: the option.

    Raises:
        MissingWeightsError: there is no such file; the message says how to get it.
    """
    known = isinstance(part, type) and issubclass(part, Segmenter)
    return (part if known else Segmenter).locate(weights)


def fill(network: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    """Load the state dict of the file `path`; every name and shape must fit.

    Raises:
        UserError: it belongs to another network.
    """
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path} does not fit {type(network).__name__}: {reason[:300]}") from None


def optional(module: str, part: str) -> Any:
    """The module of a package that only `part` needs.

    Raises:
        UserError: it is not installed; the message says what to run.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise UserError(
            f'{part} needs {module} ({error}): pip install "i2ibench[segmenters]"'
        ) from None
