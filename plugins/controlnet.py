"""ControlNet: a trained copy of a frozen Stable Diffusion's encoder makes images from conditions.

Zhang et al. 2023 (arXiv 2302.05543): Sec. 3.1 and 3.2 for the networks, Eq. 5 for the loss. The
networks are those of the library diffusers. https://arxiv.org/abs/2302.05543

Licence: Apache-2.0, like the rest. Written from the papers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

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
from .stable_diffusion import StableDiffusion
from .stable_diffusion_files import LATENT_STRIDE


@dataclass(frozen=True)
class Sampling:
    """The settings of the sampler, which is DDIM (arXiv 2010.02502).

    Attributes:
        steps: the number of steps from noise to the image.
        guidance: the weight of classifier-free guidance (arXiv 2207.12598). More than 1 strengthens
            the condition against one of zeros. Any weight but 1 runs the networks twice as often.
    """

    steps: int = 20
    guidance: float = 1.0

    def __post_init__(self) -> None:
        """Check the number of steps.

        Raises:
            UserError: it is below 1.
        """
        require_steps(self.steps)


@TRANSLATORS.register_module()
class ControlNetTranslator(DenoisingTranslator):
    """A ControlNet over a Stable Diffusion, which is read from a local folder and stays as it is.

    The ControlNet starts as a copy of the UNet's encoder, behind convolutions of zeros. Only the
    ControlNet is trained, and a checkpoint contains nothing else but the hash of the folder. One
    prompt describes all images. A random tenth of the scenes is trained with a condition of zeros,
    where the paper drops half of the prompts. Random numbers of training depend only on scene and
    step, not on the number of processes.

    Args:
        data_preprocessor: the built preprocessor, which states the condition's channels.
        folder: a Stable Diffusion 1 or 2 in diffusers' layout. Its last part is also looked for in
            $I2IBENCH_WEIGHTS. Nothing is downloaded.
        prompt: the text that describes every image.
        settings: values of `Sampling` that replace its defaults.
        image_channels: channels of the images; comes from the data set.

    Raises:
        UserError: diffusers or transformers is not installed, or the folder is missing, broken or
            of another kind.
    """

    Settings = Sampling

    def __init__(
        self,
        data_preprocessor: Any,
        folder: str,
        prompt: str = "",
        settings: Mapping[str, Any] | None = None,
        image_channels: int = 3,
    ) -> None:
        super().__init__(data_preprocessor, image_channels, settings=settings)
        self.diffusion = StableDiffusion(folder, prompt, image_channels)
        self.controlnet = self.diffusion.control_network(data_preprocessor.condition_channels)
        self.diffusion.freeze()
        self.stride = self.diffusion.stride

    @staticmethod
    def contract_options(folder: Path) -> Mapping[str, Any]:
        """Write a tiny Stable Diffusion into a folder, and return the options of the tests."""
        from i2ibench.testing.network_files import write_stable_diffusion

        return {"folder": str(write_stable_diffusion(folder)), "settings": {"steps": 2}}

    def noise(self, batch: Batch, draw: str = "") -> Tensor:
        """Return normal noise BCHW of the latents' shape, seeded by the scenes' names.

        Args:
            batch: preprocessed scenes.
            draw: a name for this draw; other names give other noise, see `scene_noise`.
        """
        height, width = (side // LATENT_STRIDE for side in batch["condition"].shape[-2:])
        return scene_noise(batch, self.diffusion.latent_channels, (height, width), draw)

    def predict(self, latents: Tensor, times: Tensor, condition: Tensor) -> Tensor:
        """Return the prediction of the UNet with its ControlNet, float32 BCHW.

        Args:
            latents: noisy latents BCHW.
            times: the time step of each scene, int64 [B].
            condition: BCHW at the size of the image.
        """
        texts = self.diffusion.texts(len(latents))
        down, middle = self.controlnet(latents, times, texts, condition, return_dict=False)
        prediction: Tensor = self.diffusion(latents, times, down, middle)
        return prediction

    def losses(self, batch: Batch) -> Losses:
        """Return the mean squared error of the predicted noise (Eq. 5), or of the velocity.

        The folder says which of them its UNet predicts. The time step is uniform for each scene,
        and a random tenth of the scenes has a condition of zeros.
        """
        draw = new_draw()
        latents = self.diffusion.encode(batch["real"], self.noise(batch, f"{draw} latents"))
        uniform = torch.special.ndtr(scene_noise(batch, 2, (1, 1), f"{draw} time"))
        steps = self.diffusion.num_steps
        times = (uniform[:, 0, 0, 0] * steps).long().clamp(max=steps - 1)
        mixture, target = self.diffusion.noisy(latents, self.noise(batch, draw), times)
        condition = batch["condition"] * (uniform[:, 1:] >= DROPPED)
        error = (self.predict(mixture, times, condition) - target).square().mean()
        return Losses({"controlnet": error}, {self.diffusion.predicted: error})

    def synthesise(self, batch: Batch, settings: Sampling) -> Tensor:
        """Return images BCHW in [-1, 1] after all steps of DDIM without further noise.

        Args:
            batch: preprocessed scenes, whose names seed the noise.
            settings: the number of steps and the guidance.

        Raises:
            UserError: the folder's schedule has fewer steps.
        """
        sampler, times = self.diffusion.sampler(settings.steps)
        latents = self.noise(batch)
        for time in times:
            prediction = self.guided(latents, time, batch["condition"], settings.guidance)
            latents = sampler.step(prediction, time, latents, return_dict=False)[0]
        return self.diffusion.decode(latents)

    def guided(self, latents: Tensor, time: int, condition: Tensor, guidance: float) -> Tensor:
        """Return the prediction for latents BCHW at one time step, with guidance, BCHW.

        Args:
            latents: the latents on their way from noise to the image.
            time: the time step.
            condition: BCHW at the size of the image.
            guidance: the weight of classifier-free guidance; 1 for none, which takes one run of the
                networks instead of two.
        """
        times = latents.new_full((len(latents),), time, dtype=torch.long)
        return guided(
            self.predict(latents, times, condition),
            lambda: self.predict(latents, times, torch.zeros_like(condition)),
            guidance,
        )

    def evaluations(self, settings: Sampling) -> int:
        """Return how often UNet and ControlNet run for one image with these settings."""
        return guided_evaluations(settings.steps, settings.guidance)
