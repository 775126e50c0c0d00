"""The objectives of a translator: adversarial loss, named losses, answers of D."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from i2ibench.errors import UserError
from i2ibench.registry import LOSSES
from i2ibench.registry.contracts import AdversarialLoss, Discriminator
from i2ibench.structures import DiscriminatorOutput, Step


def build_adversarial(cfg: Mapping[str, Any]) -> AdversarialLoss:
    """The adversarial loss of a config.

    Raises:
        UserError: the config is wrong, or the loss is no adversarial one.
    """
    loss = LOSSES.build(cfg)
    if not isinstance(loss, AdversarialLoss):
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
        if isinstance(loss, AdversarialLoss):
            raise UserError(f"{type(loss).__name__} is adversarial; put it under 'adversarial'.")
        if loss.needs_discriminator and not has_discriminator:
            raise UserError(f"The loss {name!r} ({type(loss).__name__}) needs a discriminator.")
        losses[name], weights[name] = loss, float(weight)
    return losses, weights


def generator_term(loss: AdversarialLoss, step: Step) -> Tensor:
    """The adversarial loss of the generator, a scalar.

    A loss with `takes_step` is given the whole step, others the discriminator's answer alone.
    """
    return loss.generator(step if loss.takes_step else step.fake_outputs)


def discriminator_terms(loss: AdversarialLoss, step: Step) -> dict[str, Tensor]:
    """The adversarial losses of the discriminator by name, "D/real" and "D/fake" mostly.

    A loss with `takes_step` is given the whole step and names its terms itself.
    """
    if loss.takes_step:
        return {f"D/{name}": value for name, value in loss.discriminator(step).items()}
    on_real, on_fake = loss.discriminator(step.real_outputs, step.fake_outputs)
    return {"D/real": on_real, "D/fake": on_fake}


def logged_discriminator_terms(
    loss: AdversarialLoss | None, terms: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return the discriminator's losses as the log shows them: detached, without their weights.

    An adversarial loss may have `discriminator_weights`, by term the factor that the term already
    contains (1 for terms that it does not name). LSGAN halves its terms, as the released code does,
    and `D/real` in the log is still the released code's `D_real`.
    """
    factors = {} if loss is None else loss.discriminator_weights
    weights = {f"D/{name}": factor for name, factor in factors.items()}
    return {name: value.detach() / weights.get(name, 1.0) for name, value in terms.items()}


def with_discriminator(
    discriminator: Discriminator | None,
    condition: Tensor,
    fake: Tensor,
    real: Tensor,
    label: Tensor | None,
) -> Step:
    """The step's tensors with the discriminator's answers; without them if it is None."""
    if discriminator is None:
        return Step(condition, fake, real, label=label)

    def discriminate(image: Tensor) -> DiscriminatorOutput:
        return discriminator(torch.cat([condition, image], 1))

    scales = answers(discriminator, condition, fake, real)
    return Step(condition, fake, real, *scales, label, discriminate)


def answers(
    discriminator: Discriminator, condition: Tensor, fake: Tensor, real: Tensor
) -> tuple[DiscriminatorOutput, DiscriminatorOutput]:
    """Return the discriminator's answers to fakes and photos of one condition, each BCHW."""
    on_fake, on_real = discriminator.of_several(condition, [fake, real])
    return on_fake, on_real
