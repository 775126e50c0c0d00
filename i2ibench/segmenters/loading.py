"""What a segmenter needs from outside: its weights file, and a package that it alone needs."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from i2ibench.errors import MissingWeightsError, UserError
from i2ibench.weights import search_folders


def find_weights(weights: str) -> Path:
    """The file for a path, or for a file's name in the folders that are searched for weights.

    Raises:
        MissingWeightsError: there is no such file; the message says where it was looked for.
    """
    folders = search_folders()
    for path in (Path(weights), *(folder / weights for folder in folders)):
        if path.is_file():
            return path
    searched = ", ".join(str(folder) for folder in folders)
    raise MissingWeightsError(
        f"There are no segmenter weights at {weights!r}, nor by that name in {searched}. Give the "
        "path of the file, or set I2IBENCH_WEIGHTS to the folder that holds it."
    )


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
