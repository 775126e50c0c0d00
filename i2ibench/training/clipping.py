"""Clipping of gradients by their norm."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from i2ibench.errors import UserError
from i2ibench.registry import check_options


@dataclass(frozen=True)
class Clipping:
    """Scale the gradients of one optimiser down where their norm, taken over all, is too large.

    Args:
        max_norm: the largest norm that is left as it is.
        norm_type: p of the p-norm; float("inf") for the largest absolute value.

    Raises:
        UserError: max_norm or norm_type is no positive number.
    """

    max_norm: float
    norm_type: float = 2.0

    def __post_init__(self) -> None:
        for name, value in (("max_norm", self.max_norm), ("norm_type", self.norm_type)):
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not value > 0 or (name == "max_norm" and math.isinf(value)):
                raise UserError(f"clip_grad's {name} is a positive number, not {value!r}.")

    def apply(self, parameters: Sequence[nn.Parameter]) -> None:
        """Change the gradients in place; the norm is not read, so that no GPU waits."""
        nn.utils.clip_grad_norm_(parameters, self.max_norm, self.norm_type)


def clipping_of(options: Any, network: str) -> Clipping | None:
    """Return the clipping that an optimiser's option `clip_grad` asks for; None without one.

    Args:
        options: the option's value.
        network: the name of the optimiser, for the message.

    Raises:
        UserError: the option is no dict, or has an unknown, missing or wrong entry.
    """
    if options is None:
        return None
    if not isinstance(options, Mapping):
        raise UserError(
            f"optimizers.{network}.clip_grad is a dict such as dict(max_norm=1.0), not {options!r}."
        )
    check_options(Clipping, options)
    return Clipping(**options)
