"""The contracts of losses."""

from abc import ABCMeta, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from torch import Tensor, nn

from i2ibench.structures import Step


class Loss(nn.Module, metaclass=ABCMeta):
    """A loss that the generator minimises: a scalar that is 0 if the fake equals the real image.

    Attributes:
        needs_discriminator: read `step.fake_outputs` and `step.real_outputs`, which a model without
            a discriminator does not have.
    """

    needs_discriminator: bool = False

    @abstractmethod
    def forward(self, step: Step) -> Tensor:
        """Return the loss, a scalar with a gradient for the fake.

        Args:
            step: the tensors of the training step; images are in [-1, 1].
        """


class AdversarialLoss(nn.Module, metaclass=ABCMeta):
    """The adversarial losses of the generator and of the discriminator.

    Attributes:
        takes_step: take the whole `Step` instead of the discriminator's outputs. `discriminator`
            then returns a dict of its terms by name, which has "real" and "fake".
        discriminator_weights: by name of a term of the discriminator, the factor that the term
            contains. The log divides the term by this factor. Terms without an entry have 1.
    """

    takes_step: bool = False
    discriminator_weights: Mapping[str, float] = MappingProxyType({})

    @abstractmethod
    def generator(self, fake: Any) -> Tensor:
        """Return the generator's loss, a scalar, for the discriminator's output for the fakes.

        Args:
            fake: the discriminator's output, a `DiscriminatorOutput`; the whole `Step` with
                `takes_step`.
        """

    @abstractmethod
    def discriminator(self, *outputs: Any, **named: Any) -> Any:
        """Return the discriminator's losses for real images and for fakes, two scalars.

        With `takes_step`, return a dict of scalars by name instead, which has "real" and "fake".

        Args:
            outputs: the discriminator's outputs for the real images and for the fakes, two
                `DiscriminatorOutput`; the `Step` with `takes_step`.
            named: the same outputs, if they are passed by the names of the subclass's parameters.
        """
