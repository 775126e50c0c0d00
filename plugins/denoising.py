"""Noise, guidance and checks for methods that make images from noise in several steps.

Classifier-free guidance: Ho & Salimans 2022, https://arxiv.org/abs/2207.12598.

Licence: Apache-2.0, like the rest. Written from the papers.
"""

from collections.abc import Callable

from torch import Tensor

from i2ibench.errors import UserError
from i2ibench.models.translators.base import Translator
from i2ibench.models.translators.scene_noise import scene_noise
from i2ibench.structures import Batch

DROPPED = 0.1
"""The share of scenes that are trained without condition, for guidance."""


class DenoisingTranslator(Translator):
    """A method that makes images from noise in several steps.

    Its random numbers depend only on scene and draw, so that scenes are translated in batches.
    """

    batched = varies = True

    def noise(self, batch: Batch, draw: str = "") -> Tensor:
        """Return normal noise BCHW of the images' shape, seeded by the scenes' names.

        Args:
            batch: preprocessed scenes.
            draw: a name for this draw; other names give other noise, see `scene_noise`.
        """
        return scene_noise(batch, self.image_channels, batch["condition"].shape[-2:], draw)


def guided(told: Tensor, untold: Callable[[], Tensor], guidance: float) -> Tensor:
    """Return a prediction that is moved away from the one for a condition of zeros.

    Args:
        told: the prediction for the condition.
        untold: a function that computes the prediction for a condition of zeros. A guidance of 1,
            which changes nothing, does not call it.
        guidance: the weight of the condition.
    """
    if guidance == 1:
        return told
    free = untold()
    return free + guidance * (told - free)


def guided_evaluations(runs: int, guidance: float) -> int:
    """Return how often the network runs for an image that takes `runs` runs without guidance."""
    return runs if guidance == 1 else 2 * runs


def require_steps(steps: int, most: int | None = None) -> None:
    """Check the number of steps that a user asks for.

    Args:
        steps: the setting `steps`.
        most: the largest number, or None for any.

    Raises:
        UserError: it is below 1 or above `most`.
    """
    if steps < 1 or (most is not None and steps > most):
        allowed = "from 1 on" if most is None else f"from 1 to {most}"
        raise UserError(f"The setting 'steps' is {allowed}, not {steps}.")
