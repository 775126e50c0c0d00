"""Masks stored as run lengths: COCO's two forms, and CVAT's."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2ibench.errors import UserError


def decode_runs(counts: Sequence[int] | NDArray[Any], height: int, width: int) -> NDArray[np.bool_]:
    """Return the mask [H,W] of run lengths along rows, which begin with pixels outside.

    Raises:
        UserError: a length is negative or no integer, or their sum is not H·W.
    """
    lengths = np.asarray(counts)
    whole = lengths.size == 0 or lengths.dtype.kind in "iu"
    if not whole or lengths.ndim != 1 or (lengths < 0).any():
        raise UserError("the run lengths are not all integers from 0 on")
    if sum(lengths.tolist()) != height * width:
        raise UserError(f"the run lengths do not add up to the mask's {width}x{height} pixels")
    values = np.arange(lengths.size) % 2 == 1
    return np.repeat(values, lengths).reshape(height, width)


def decode_coco_runs(counts: Sequence[int] | str, height: int, width: int) -> NDArray[np.bool_]:
    """Return the mask [H,W] of COCO's run lengths, which go along columns.

    Args:
        counts: the lengths, or the string that pycocotools makes of them.
        height: rows of the mask.
        width: columns of the mask.

    Raises:
        UserError: the lengths are malformed, or their sum is not H·W.
    """
    lengths = uncompress(counts) if isinstance(counts, str) else counts
    return decode_runs(lengths, width, height).T


def uncompress(text: str) -> list[int]:
    """Return the run lengths of COCO's compressed string.

    Each character holds five bits from the lowest on, in its code less 48, and a sixth that says
    whether the number goes on; the fifth bit of a number's last character is its sign. From the
    fourth number on each is the difference to the length two before.

    Raises:
        UserError: a character is not one of the 64, or the string ends within a number.
    """
    lengths: list[int] = []
    number = shift = 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64 or shift > 60:
            raise UserError("the compressed run lengths are malformed")
        number |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            number -= 1 << shift
        lengths.append(number + lengths[-2] if len(lengths) > 2 else number)
        number = shift = 0
    if shift:
        raise UserError("the compressed run lengths end within a number")
    return lengths
