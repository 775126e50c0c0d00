"""What a segmenter needs from outside: its weights file, and a package that it alone needs."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from i2ibench.errors import MissingWeightsError, UserError
from i2ibench.weights import search_folders

OBTAIN = {
    "espnetv2_s_2.0_city_1024x512.pth": "download model/segmentation/model_zoo/espnetv2/"
    "espnetv2_s_2.0_city_1024x512.pth of github.com/sacmehta/EdgeNets",
    "espnet_p_2_q_8_camvid.pth": "download pretrained/decoder/espnet_p_2_q_8_camvid.pth of "
    "github.com/sacmehta/ESPNet",
    "pspnet_cityscapes.ts": "the paper's weights were never published; export a PSPNet of yours "
    "with torch.jit",
    "drn_d_105_cityscapes.ts": "the paper's weights are not published in this form; export a "
    "DRN-D-105 of yours with torch.jit",
}
"""How to get the weights that protocols name, by file."""

TRAIN = "train one with `i2ibench train_segmenter CONFIG FILE.pth`"
"""How to get any others."""


def locate_weights(part: Any, weights: str) -> Path:
    """Return the file that a segmenter's option `weights` means.

    Args:
        part: the segmenter's class, which may have a `locate` of its own (default: find_weights).
        weights: the option.

    Raises:
        MissingWeightsError: there is no such file; the message says how to get it.
    """
    found: Path = getattr(part, "locate", find_weights)(weights)
    return found


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
    obtain = f" To get it: {OBTAIN[weights]}." if weights in OBTAIN else ""
    raise MissingWeightsError(
        f"There are no segmenter weights at {weights!r}, nor by that name in {searched}. Give the "
        f"path of the file, or set I2IBENCH_WEIGHTS to the folder that holds it.{obtain}"
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
