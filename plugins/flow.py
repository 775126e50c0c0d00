"""Flow matching in pixel space, from noise or from the colours of the classes to an image.

Lipman et al. 2023 (arXiv 2210.02747). The network predicts the image, and the loss is that of the
velocity (arXiv 2601.22158). The bridge is that of BBDM (arXiv 2205.07680), with the same loss.

Licence: Apache-2.0, like the rest. Written from the papers.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn

from i2ibench.errors import UserError, near_match
from i2ibench.models.translators.scene_noise import new_draw, scene_noise
from i2ibench.registry import TRANSLATORS
from i2ibench.structures import Batch, Losses

from .denoising import (
    DROPPED,
    DenoisingTranslator,
    guided,
    guided_evaluations,
    require_steps,
)
from .time_unet import TimeUNet, zeroed

SIGMAS = {"noise": 1.0, "paint": 0.5, "bridge": 0.5}
CLOSEST = 0.05  # the smallest 1 - t by which a loss is divided
COLOUR_GAIN = 20.0  # a factor to learn the colours faster than the network


@dataclass(frozen=True)
class Sampling:
    """The settings of the sampler.

    Attributes:
        steps: the number of steps of the solver from t = 0 to 1.
        solver: "euler", or "heun", which runs the network twice in every step but the last.
        guidance: the weight of classifier-free guidance (arXiv 2207.12598). More than 1 strengthens
            the condition. Any weight but 1 runs the network twice as often.
    """

    steps: int = 8
    solver: Literal["euler", "heun"] = "euler"
    guidance: float = 1.0

    def __post_init__(self) -> None:
        """Check the number of steps.

        Raises:
            UserError: it is below 1.
        """
        require_steps(self.steps)


@TRANSLATORS.register_module()
class FlowTranslator(DenoisingTranslator):
    """A flow from a source e (t = 0) to an image x (t = 1): x_t = t x + (1 - t) e.

    The source `noise` is normal noise. `paint` is colours plus noise. `bridge` is colours, and
    noise of variance 2 sigma t (1 - t) is added at time t. The colours are a linear regression of
    the image on the condition, which is the mean colour of each class for label maps. Random
    numbers of training depend only on scene and step, not on the number of processes.

    With an encoder, the styles of the real images' instances are appended to the condition, as in
    pix2pixHD (Sec. 3.4), so that style bank, sampled styles and editor work with the flow.

    Args:
        data_preprocessor: the built preprocessor, which states the condition's channels.
        widths: channels of each level, multiples of 8. The first level has half of the image's
            height and width.
        num_blocks: residual blocks of each level.
        source: noise, paint or bridge.
        sigma: the noise level; by default 1 for `noise`, 0.5 for the others.
        encoder: config of the encoder, or None.
        settings: values of `Sampling` that replace its defaults.
        image_channels: channels of the images; comes from the data set.
    """

    Settings = Sampling
    contract_options = {"widths": (8, 16), "num_blocks": 1}

    def __init__(
        self,
        data_preprocessor: Any,
        widths: Sequence[int] = (128, 256, 384, 512, 512),
        num_blocks: int = 2,
        source: str = "noise",
        sigma: float | None = None,
        encoder: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        image_channels: int = 3,
    ) -> None:
        super().__init__(data_preprocessor, image_channels, settings=settings)
        if source not in SIGMAS:
            raise UserError(f"source is one of {', '.join(SIGMAS)}.{near_match(source, SIGMAS)}")
        sigma = SIGMAS[source] if sigma is None else sigma
        self.sigma, self.spread = (0.0, sigma) if source == "bridge" else (sigma, 0.0)
        channels = data_preprocessor.condition_channels + self.add_encoder(encoder)
        self.denoiser = TimeUNet(channels, image_channels, widths, num_blocks)
        self.stride = math.lcm(self.stride, self.denoiser.stride)
        self.colours = None if source == "noise" else zeroed(nn.Conv2d(channels, image_channels, 1))

    def networks(self) -> dict[str, dict[str, nn.Parameter]]:
        """Return the trainable parameters by name, for the only optimiser, "denoiser".

        The optimiser also trains the regression of the colours, and the encoder.
        """
        return {"denoiser": self.trainable_parameters("denoiser", "colours", "encoder")}

    def paint(self, condition: Tensor) -> Tensor:
        """Return the colours that the regression predicts for a condition, BCHW.

        The result is a scalar 0 if the source is plain noise, which has no colours.
        """
        if self.colours is None:
            return condition.new_zeros(())
        return COLOUR_GAIN * self.colours(condition).float()

    def losses(self, batch: Batch) -> Losses:
        """Return the mean squared error of the velocity (x - x_t) / (1 - t), and of the colours.

        The time t is random for each scene, and a random tenth of the scenes has a condition
        of zeros. The colours have a loss of their own only if the source has colours.
        """
        real, draw = batch["real"], new_draw()
        styles = None if self.encoder is None else self.encoder(real, batch["instance"])
        condition = self.styled(batch["condition"], styles)
        colours, noise = self.paint(condition), self.noise(batch, draw)
        time, chance = scene_noise(batch, 2, (1, 1), f"{draw} time").chunk(2, 1)
        t, conditioned = time.sigmoid(), torch.special.ndtr(chance) >= DROPPED
        mixture = t * real + (1 - t) * (colours.detach() + self.sigma * noise)
        mixture += (2 * self.spread * t * (1 - t)).sqrt() * noise
        error = self.denoiser(mixture, t.flatten(), condition * conditioned) - real
        total = (error / (1 - t).clamp(min=CLOSEST)).square().mean()
        logs = {"velocity": total}
        if self.colours is not None:
            logs["colours"] = (colours - real).square().mean()
            total = total + logs["colours"] / COLOUR_GAIN**2
        return Losses({"denoiser": total}, logs)

    def synthesise(self, batch: Batch, settings: Sampling) -> Tensor:
        """Return images BCHW, clamped to [-1, 1], after all steps of the solver from t = 0 to 1.

        Args:
            batch: preprocessed scenes, whose names seed the noise.
            settings: the number of steps, the solver and the guidance.
        """
        condition, steps = self.styled(batch["condition"], batch.get("features")), settings.steps
        images = self.paint(condition) + self.sigma * self.noise(batch)
        for now, then in pairwise(number / steps for number in range(steps + 1)):
            variance = 2 * self.spread * (then - now) * (1 - then) / (1 - now)
            start = images + variance**0.5 * self.noise(batch, f" at {now}") if variance else images
            velocity = self.velocity(images, now, condition, settings.guidance)
            images = start + (then - now) * velocity
            if settings.solver == "heun" and then < 1:
                velocity = velocity + self.velocity(images, then, condition, settings.guidance)
                images = start + (then - now) * velocity / 2
        return images.clamp(-1, 1)

    def velocity(self, images: Tensor, time: float, condition: Tensor, guidance: float) -> Tensor:
        """Return the velocity dx/dt of images BCHW at one time, BCHW.

        Args:
            images: the images on their way from source to target.
            time: the time in [0, 1).
            condition: BCHW.
            guidance: the weight of classifier-free guidance; 1 for none, which takes one run of the
                network instead of two.
        """
        t = images.new_full((len(images),), time)
        prediction = guided(
            self.denoiser(images, t, condition),
            lambda: self.denoiser(images, t, torch.zeros_like(condition)),
            guidance,
        )
        return (prediction - images) / (1 - time)

    def evaluations(self, settings: Sampling) -> int:
        """Return how often the network runs for one image with these settings."""
        runs = 2 * settings.steps - 1 if settings.solver == "heun" else settings.steps
        return guided_evaluations(runs, settings.guidance)
