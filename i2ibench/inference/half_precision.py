"""Small checkpoints for sharing: what translates, in half precision, without the rest."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from i2ibench.errors import UserError
from i2ibench.inference.checkpoints import open_checkpoint, read_checkpoint
from i2ibench.io.files import write_file
from i2ibench.io.provenance import sha256


def write_half(source: Path, target: Path) -> None:
    """Write a checkpoint with the weights that translate, as 16-bit floats, atomically.

    The averaged weights are written if the source has them. Discriminators, losses, optimisers and
    random states are left out, so that no training can continue from the file. The style bank keeps
    its 32 bits. `meta` records the source's SHA-256 as `half_of`.

    Args:
        source: the checkpoint.
        target: the file to write; an existing file is replaced.

    Raises:
        UserError: the source cannot be opened, or has a weight beyond the range of 16-bit floats.
    """
    opened, saved = open_checkpoint(source), read_checkpoint(source)
    weights = {n: _half(n, x, source) for n, x in opened.translator.state_dict().items()}
    meta: Mapping[str, Any] = {**saved["meta"], "half_of": sha256(source)}
    contents = {"config": saved["config"], "meta": meta, "state_dict": weights}
    write_file(target, lambda aside: torch.save(contents, aside))


def _half(name: str, value: Tensor, source: Path) -> Tensor:
    """Return a weight as 16-bit floats; integers and the style bank as they are."""
    if not value.is_floating_point() or name.startswith("style_bank."):
        return value
    half = value.half()
    if not half.isfinite().all():
        raise UserError(
            f"{source} has the weight {name} with values up to {value.abs().max():.3g}, more than "
            "16-bit floats can hold."
        )
    return half
