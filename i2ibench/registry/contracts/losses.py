"""The contracts of losses."""

from abc import ABCMeta, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from torch import Tensor, nn

from i2ibench.structures import Step


class Loss(nn.Module, metaclass=ABCMeta):
    """A loss that the generator minimises: a scalar that is 0 where the fake is the photo.

    Attributes:
        needs_discriminator: read `step.fake_outputs` and `step.real_outputs`, which a model without
            a discriminator does not have.
    """

    needs_discriminator: bool = False

    @abstractmethod
    def forward(self, step: Step) -> Tensor:
        """Return the loss, a scalar with a gradient for the fake."""


class AdversarialLoss(nn.Module, metaclass=ABCMeta):
    """The losses of the generator and of the discriminator on each other.

    Attributes:
        takes_step: take the whole `Step` instead of the discriminator's answers. `discriminator`
            then returns a dict of its terms by name, "real" and "fake" among them.
        discriminator_weights: by name of a term the factor that the discriminator's term contains
            and that the log divides by; 1 for a term that it does not name.
    """

    takes_step: bool = False
    discriminator_weights: Mapping[str, float] = MappingProxyType({})

    @abstractmethod
    def generator(self, fake: Any) -> Tensor:
        """Return the generator's loss, a scalar, for the discriminator's answer to the fakes.

        Args:
            fake: `DiscriminatorOutput`; or the `Step` with `takes_step`.
        """

    @abstractmethod
    def discriminator(self, *answers: Any, **named: Any) -> Any:
        """Return the discriminator's losses on photos and on fakes, two scalars.

        Args:
            answers: the discriminator's outputs for the photos and for the fakes, two
                `DiscriminatorOutput`; the `Step` of a loss with `takes_step`.
            named: the same by name.
        """
