"""The Semantic Diffusion Model, SDM (Wang et al. 2022, https://arxiv.org/abs/2207.00050).

Noise and bound are those of DDPM (arXiv 2006.11239) and of the learned variance (Nichol & Dhariwal
2021, arXiv 2102.09672, Sec. 3.1 and 4). DDIM (arXiv 2010.02502) comes from the library diffusers.

Licence: Apache-2.0, like the rest. Written from the papers.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from i2ibench.errors import UserError
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
from .sdm_unet import SemanticUNet

TIMES = 1000
"""Steps from image to noise in training (DDPM, Sec. 4)."""

BETAS = (1e-4, 0.02)
"""The first and the last variance of the noise that a step adds; between them they are linear."""

BOUND_WEIGHT = 0.001
"""The weight of the variational bound beside the error of the noise (arXiv 2102.09672, Eq. 16)."""


@dataclass(frozen=True)
class Sampling:
    """The settings of the sampler.

    Attributes:
        steps: the number of steps from noise to image, 1 to 1000, evenly spaced.
        solver: "ddpm", which draws noise of the learned variance in every step, or "ddim", which
            draws no noise after the start and needs the library diffusers.
        guidance: the weight of classifier-free guidance (arXiv 2207.12598): 1 for none, more to
            strengthen the condition. Any weight but 1 runs the network twice in every step.
    """

    steps: int = 25
    solver: Literal["ddpm", "ddim"] = "ddpm"
    guidance: float = 1.5

    def __post_init__(self) -> None:
        """Check the number of steps.

        Raises:
            UserError: it is below 1 or above 1000.
        """
        require_steps(self.steps, TIMES)


class Step(NamedTuple):
    """One step from more noise to less, in numbers for one scene or in tensors B111 for several.

    Attributes:
        image: the factor of the image in the noisy image.
        noise: the factor of the noise in the noisy image.
        mean_image: the factor of the image in the mean of the less noisy image.
        mean_noisy: the factor of the noisy image in the same mean (arXiv 2102.09672, Eq. 11).
        low: the logarithm of the smaller variance, beta tilde (Eq. 10).
        high: the logarithm of the larger variance, beta.
    """

    image: Any
    noise: Any
    mean_image: Any
    mean_noisy: Any
    low: Any
    high: Any

    def mix(self, image: Tensor, noise: Tensor) -> Tensor:
        """Return the noisy image BCHW of an image BCHW and normal noise BCHW (Eq. 9)."""
        return self.image * image + self.noise * noise

    def unmix(self, noisy: Tensor, noise: Tensor) -> Tensor:
        """Return the image BCHW that gives a noisy image BCHW with this noise BCHW."""
        return (noisy - self.noise * noise) / self.image

    def mean(self, image: Tensor, noisy: Tensor) -> Tensor:
        """Return the mean BCHW of the less noisy image, given image and noisy image (Eq. 11)."""
        return self.mean_image * image + self.mean_noisy * noisy

    def log_variance(self, between: Tensor) -> Tensor:
        """Return the logarithm of the learned variance, BCHW (Eq. 15).

        Args:
            between: the network's answer BCHW; -1 means `low`, and 1 means `high`.
        """
        share = (between + 1) / 2
        return share * self.high + (1 - share) * self.low


@TRANSLATORS.register_module()
class SDMTranslator(DenoisingTranslator):
    """A diffusion model that predicts noise and variance, with the label map in its decoder.

    The encoder of the U-Net sees the noisy image, and the condition modulates the norms of the
    decoder. Random numbers of training depend only on scene and step, not on the number of
    processes.

    With an encoder, the styles of the real images' instances are appended to the condition, as in
    pix2pixHD (Sec. 3.4), so that style bank, sampled styles and editor work. The paper has none.

    Args:
        data_preprocessor: the built preprocessor, which states the condition's channels.
        widths: channels of each level, multiples of 8. The first level has half of the image's
            height and width.
        num_blocks: residual blocks of each level.
        hidden_channels: channels between the condition and each modulation; 128 in SPADE.
        encoder: config of the encoder, or None.
        settings: values of `Sampling` that replace its defaults.
        image_channels: channels of the images; comes from the data set.
    """

    Settings = Sampling
    contract_options = {"widths": (8, 16), "num_blocks": 1, "hidden_channels": 4}
    schedule: Tensor

    def __init__(
        self,
        data_preprocessor: Any,
        widths: Sequence[int] = (128, 256, 384, 512, 512),
        num_blocks: int = 2,
        hidden_channels: int = 128,
        encoder: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        image_channels: int = 3,
    ) -> None:
        super().__init__(data_preprocessor, image_channels, settings=settings)
        channels = data_preprocessor.condition_channels + self.add_encoder(encoder)
        self.denoiser = SemanticUNet(channels, image_channels, widths, num_blocks, hidden_channels)
        self.stride = math.lcm(self.stride, self.denoiser.stride)
        table = torch.tensor(reverse_steps(range(TIMES)), dtype=torch.float32)
        self.register_buffer("schedule", table, persistent=False)

    def networks(self) -> dict[str, dict[str, torch.nn.Parameter]]:
        """Return the trainable parameters by name, for the only optimiser, "denoiser".

        The optimiser also trains the encoder.
        """
        return {"denoiser": self.trainable_parameters("denoiser", "encoder")}

    def losses(self, batch: Batch) -> Losses:
        """Return the hybrid loss: the error of the noise, and the bound for the variance.

        The time is uniform for each scene. A random tenth of the scenes has a condition of zeros.
        The bound is the sum over all times, estimated from the scenes' times, in nats per value
        (arXiv 2102.09672, Eq. 4 and 16).
        """
        real, draw = batch["real"], new_draw()
        styles = None if self.encoder is None else self.encoder(real, batch["instance"])
        noise = self.noise(batch, draw)
        uniform = torch.special.ndtr(scene_noise(batch, 2, (1, 1), f"{draw} time"))
        time = (TIMES * uniform[:, 0, 0, 0]).long().clamp(max=TIMES - 1)
        step = Step(*self.schedule[time].T[..., None, None, None])
        noisy, conditioned = step.mix(real, noise), uniform[:, 1:] >= DROPPED
        condition = self.styled(batch["condition"], styles) * conditioned
        found, between = self.answer(noisy, time, condition)
        simple = (found - noise).square().mean()
        mean = step.mean(step.unmix(noisy, found.detach()), noisy)  # only the variance learns
        variance, first = step.log_variance(between), (time == 0)[:, None, None, None]
        whole = image_surprise(real, mean, variance, 2**self.image_depth)
        part = divergence(step.mean(real, noisy), step.low, mean, variance)
        bound = TIMES * torch.where(first, whole, part).mean()
        total = simple + BOUND_WEIGHT * bound
        return Losses({"denoiser": total}, {"simple": simple, "vlb": bound})

    def synthesise(self, batch: Batch, settings: Sampling) -> Tensor:
        """Return images BCHW, clamped to [-1, 1], after all steps from noise to image.

        Args:
            batch: preprocessed scenes, whose names seed the noise.
            settings: the number of steps, the solver and the guidance.

        Raises:
            UserError: the solver is "ddim", and the library diffusers is missing.
        """
        condition = self.styled(batch["condition"], batch.get("features"))
        times = spaced_times(settings.steps)
        steps = reverse_steps(times)
        ddim = ddim_scheduler(steps) if settings.solver == "ddim" else None
        images = self.noise(batch)
        for number in reversed(range(settings.steps)):
            found, between = self.predict(images, times[number], condition, settings.guidance)
            if ddim is not None:
                moved = ddim.step(found, number, images, use_clipped_model_output=True)
                images = moved.prev_sample
                continue
            step = steps[number]
            images = step.mean(step.unmix(images, found).clamp(-1, 1), images)
            if number:
                spread = (step.log_variance(between) / 2).exp()
                images = images + spread * self.noise(batch, f" at {times[number]}")
        return images.clamp(-1, 1)

    def answer(self, noisy: Tensor, time: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Return the noise and the place of the variance that the network finds, both BCHW.

        The network's answer is added to the best linear guess, the noisy images times the factor
        of their noise, as in EDM's preconditioning (arXiv 2206.00364, Sec. 5). At the times of most
        noise a small error of the noise is a large error of the image.

        Args:
            noisy: the images on their way from noise, BCHW.
            time: the time of each image, int64 [B] from 0 to 999.
            condition: BCHW.
        """
        found, between = self.denoiser(noisy, time / TIMES, condition).chunk(2, 1)
        guess = Step(*self.schedule[time].T[..., None, None, None]).noise * noisy
        return guess + found, between

    def predict(
        self, images: Tensor, time: int, condition: Tensor, guidance: float
    ) -> tuple[Tensor, Tensor]:
        """Return the guided noise and the place of the variance, both BCHW, of noisy images BCHW.

        Guidance moves the noise away from the answer to a condition of zeros. The variance is that
        of the condition.

        Args:
            images: the images on their way from noise.
            time: the time from 0 to 999; 0 has the least noise.
            condition: BCHW.
            guidance: the weight of classifier-free guidance; 1 for none, which takes one run of the
                network instead of two.
        """
        t = torch.full((len(images),), time, device=images.device)
        found, between = self.answer(images, t, condition)

        def untold() -> Tensor:
            return self.answer(images, t, torch.zeros_like(condition))[0]

        return guided(found, untold, guidance), between

    def evaluations(self, settings: Sampling) -> int:
        """Return how often the network runs for one image with these settings."""
        return guided_evaluations(settings.steps, settings.guidance)


def spaced_times(steps: int) -> list[int]:
    """Return so many times from 0 to 999, evenly spaced, least noise first; one step is at 999.

    Source: arXiv 2102.09672, Sec. 4.

    Args:
        steps: the number of times, 1 to 1000.
    """
    return [round(time) for time in np.linspace(TIMES - 1, 0, steps)][::-1]


def reverse_steps(times: Sequence[int]) -> list[Step]:
    """Return the step from each time to the time before in the list, the first one to the image.

    The smaller variance of the first step would be 0. It is that of the second step instead, since
    its logarithm is used.

    Args:
        times: ascending times from 0 to 999.
    """
    now = np.cumprod(1 - np.linspace(*BETAS, TIMES))[list(times)]
    then = np.concatenate([[1.0], now[:-1]])
    betas = 1 - now / then
    low = betas * (1 - then) / (1 - now)
    low[0] = low[1] if len(low) > 1 else betas[0]
    mean_image = then**0.5 * betas / (1 - now)
    mean_noisy = (1 - betas) ** 0.5 * (1 - then) / (1 - now)
    columns = now**0.5, (1 - now) ** 0.5, mean_image, mean_noisy, np.log(low), np.log(betas)
    return [Step(*row) for row in np.stack(columns, 1).tolist()]


def ddim_scheduler(steps: Sequence[Step]) -> Any:
    """Return a DDIMScheduler of diffusers with exactly these steps, numbered from least noise.

    Args:
        steps: the steps, least noise first.

    Raises:
        UserError: diffusers is not installed.
    """
    try:
        from diffusers import DDIMScheduler
    except ImportError:
        raise UserError(
            'The solver "ddim" needs diffusers: pip install "i2ibench[diffusion]", or use '
            "solver=ddpm."
        ) from None
    betas = [math.exp(step.high) for step in steps]
    scheduler = DDIMScheduler(num_train_timesteps=len(steps), trained_betas=betas)
    scheduler.set_timesteps(len(steps))
    return scheduler


def divergence(mean: Tensor, variance: Any, other: Tensor, other_variance: Tensor) -> Tensor:
    """Return the Kullback-Leibler divergence of one normal distribution from another, in nats.

    Args:
        mean: the mean of the first, BCHW.
        variance: the logarithm of the first variance, BCHW or B111.
        other: the mean of the second, BCHW.
        other_variance: the logarithm of the second variance, BCHW.
    """
    gap = (mean - other).square() * (-other_variance).exp()
    return (other_variance - variance + (variance - other_variance).exp() + gap - 1) / 2


def image_surprise(image: Tensor, mean: Tensor, variance: Tensor, levels: int) -> Tensor:
    """Return the negative logarithm of the probability of an image's values, BCHW in nats.

    The normal distribution is integrated over the interval of each value. The intervals of -1 and 1
    are open (DDPM, Eq. 13). Probabilities below 1e-12 count as that.

    Args:
        image: BCHW in [-1, 1].
        mean: BCHW.
        variance: the logarithm of the variance, BCHW.
        levels: the number of possible values, 256 for 8 bits.
    """
    half, scale = 1 / (levels - 1), (-variance / 2).exp() / 2**0.5
    gap = image - mean
    lower, upper = torch.erfc(torch.stack([-half - gap, gap - half]) * scale) / 2
    tails = torch.erfc(torch.stack([gap.abs() - half, gap.abs() + half]) * scale) / 2
    chance = torch.where(image < half - 1, lower, tails[0] - tails[1])
    chance = torch.where(image > 1 - half, upper, chance)
    return -chance.clamp(min=1e-12).log()
