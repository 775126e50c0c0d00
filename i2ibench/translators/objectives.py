"""The objectives of a translator: adversarial loss, named losses, answers of D."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from i2ibench.errors import UserError
from i2ibench.registry import LOSSES
from i2ibench.structures import Scales


def build_adversarial(cfg: Mapping[str, Any]) -> nn.Module:
    """The adversarial loss of a config.

    Raises:
        UserError: the config is wrong, or the loss is no adversarial one.
    """
    loss = LOSSES.build(cfg)
    if not hasattr(loss, "discriminator"):
        raise UserError(f"{type(loss).__name__} is no adversarial loss; put it under 'losses'.")
    return loss


def build_losses(
    cfg: Mapping[str, Mapping[str, Any] | None], has_discriminator: bool
) -> tuple[nn.ModuleDict, dict[str, float]]:
    """The losses that are switched on, and their weights, by name.

    Args:
        cfg: by name the config of a loss, which may hold a `weight`; None switches it off.
        has_discriminator: whether losses may read the discriminator's answers.

    Raises:
        UserError: a config is wrong, or a loss is in the wrong place.
    """
    losses, weights = nn.ModuleDict(), {}
    for name, options in cfg.items():
        if options is None:
            continue
        options = dict(options)
        weight = options.pop("weight", 1.0)
        if not isinstance(weight, int | float):
            raise UserError(f"The weight of the loss {name!r} is a number, not {weight!r}.")
        loss = LOSSES.build(options)
        if hasattr(loss, "discriminator"):
            raise UserError(f"{type(loss).__name__} is adversarial; put it under 'adversarial'.")
        if getattr(loss, "needs_discriminator", False) and not has_discriminator:
            raise UserError(f"The loss {name!r} ({type(loss).__name__}) needs a discriminator.")
        losses[name], weights[name] = loss, float(weight)
    return losses, weights


def answers(
    discriminator: Any, condition: Tensor, fake: Tensor, real: Tensor
) -> tuple[Scales, Scales]:
    """The discriminator's answers to fakes and photos of one condition, each BCHW.

    A discriminator may have `of_several`, which shares the work on the condition.
    """
    if hasattr(discriminator, "of_several"):
        on_fake, on_real = discriminator.of_several(condition, [fake, real])
        return on_fake, on_real
    on_fake, on_real = (discriminator(torch.cat([condition, x], 1)) for x in (fake, real))
    return on_fake, on_real
