"""Building the losses of a config, and evaluating adversarial losses of a training step."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from i2ibench.errors import UserError
from i2ibench.registry import LOSSES
from i2ibench.registry.contracts import AdversarialLoss
from i2ibench.structures import Step


def build_adversarial(cfg: Mapping[str, Any]) -> AdversarialLoss:
    """Return the adversarial loss that a config describes.

    Args:
        cfg: the `type` of the loss and its options.

    Raises:
        UserError: the config is wrong, or its loss is not an adversarial one.
    """
    loss = LOSSES.build(cfg)
    if not isinstance(loss, AdversarialLoss):
        raise UserError(f"{type(loss).__name__} is not an adversarial loss; put it under 'losses'.")
    return loss


def build_losses(
    cfg: Mapping[str, Mapping[str, Any] | None], has_discriminator: bool
) -> tuple[nn.ModuleDict, dict[str, float]]:
    """Return the losses that a config describes, and their weights, both by name.

    Args:
        cfg: the config of each loss by name. It may hold a `weight`, 1 by default. None leaves out
            a loss.
        has_discriminator: permit losses that read the discriminator's outputs.

    Raises:
        UserError: a config is wrong, a weight is no number, the loss is adversarial, or it needs a
            discriminator and there is none.
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
        if isinstance(loss, AdversarialLoss):
            raise UserError(f"{type(loss).__name__} is adversarial; put it under 'adversarial'.")
        if loss.needs_discriminator and not has_discriminator:
            raise UserError(f"The loss {name!r} ({type(loss).__name__}) needs a discriminator.")
        losses[name], weights[name] = loss, float(weight)
    return losses, weights


def generator_term(loss: AdversarialLoss, step: Step) -> Tensor:
    """Return the generator's adversarial loss of a training step, a scalar.

    A loss with `takes_step` gets the whole step, others get only the discriminator's outputs for
    the fake images.
    """
    return loss.generator(step if loss.takes_step else step.fake_outputs)


def discriminator_terms(loss: AdversarialLoss, step: Step) -> dict[str, Tensor]:
    """Return the discriminator's adversarial losses of a training step by name, scalars.

    They are "D/real" and "D/fake", with the factors that the loss gives them. A loss with
    `takes_step` gets the whole step and names its own terms, each of which becomes "D/NAME".
    """
    if loss.takes_step:
        return {f"D/{name}": value for name, value in loss.discriminator(step).items()}
    on_real, on_fake = loss.discriminator(step.real_outputs, step.fake_outputs)
    return {"D/real": on_real, "D/fake": on_fake}


def logged_discriminator_terms(
    loss: AdversarialLoss | None, terms: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return the discriminator's losses for the log: detached and divided by their factors.

    `AdversarialLoss.discriminator_weights` holds the factors that the terms already contain. A term
    that it does not name has the factor 1. Example: LSGAN halves its terms, as the released code
    does, but `D/real` in the log equals the released code's `D_real`.

    Args:
        loss: the adversarial loss; None divides nothing.
        terms: the terms of `discriminator_terms`.
    """
    factors = {} if loss is None else loss.discriminator_weights
    weights = {f"D/{name}": factor for name, factor in factors.items()}
    return {name: value.detach() / weights.get(name, 1.0) for name, value in terms.items()}
