"""The frozen networks of a folder with a Stable Diffusion, loaded by the library diffusers.

Latent diffusion: Rombach et al. 2022 (arXiv 2112.10752, Sec. 3). Noise and velocity: Salimans & Ho
2022 (arXiv 2202.00512, App. D). Nothing is downloaded, and no program in the folder is run.

Licence: Apache-2.0, like the rest. Written from the papers.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import unset_fake_temporarily

from i2ibench.errors import UserError
from i2ibench.models.layers.frozen import store_as_buffers

from .stable_diffusion_files import (
    LATENT_STRIDE,
    PREDICTIONS,
    content_hash,
    embedding,
    find_folder,
    library,
    load_network,
    load_schedule,
    require_supported,
    without_values,
)


class StableDiffusion(nn.Module):
    """The UNet and the VAE of a folder, the embedding of one prompt, and the noise schedule.

    All weights are buffers that no optimiser trains and no checkpoint contains. The state dict has
    the hash of the folder's files instead, and loading another hash is an error. On tensors without
    values no weights are read, so that the JSON files are enough. The networks stay in eval mode.

    Args:
        folder: a folder in diffusers' layout, or its name in a folder of `search_folders`.
        prompt: the text that describes every image.
        image_channels: channels of the images.

    Attributes:
        stride: height and width of the images must be multiples of this.
        latent_channels: channels of the latents, whose height and width are an eighth of the image.
        num_steps: time steps of the noise schedule.
        predicted: what the UNet predicts, "noise" or "velocity".

    Raises:
        UserError: diffusers or transformers is not installed, the folder or a part of it is missing
            or broken, it is another kind of model, the prompt is too long, or the images have
            another number of channels than those of the VAE.
    """

    def __init__(self, folder: str, prompt: str, image_channels: int) -> None:
        super().__init__()
        diffusers = library("diffusers")
        self.folder = find_folder(folder)
        unet = load_network(diffusers.UNet2DConditionModel, self.folder / "unet")
        vae = load_network(diffusers.AutoencoderKL, self.folder / "vae")
        text = embedding(prompt, self.folder)
        self.noising = load_schedule(diffusers.DDIMScheduler, self.folder / "scheduler")
        require_supported(unet.config, vae.config, self.noising.config, text, self.folder)
        if vae.config.in_channels != image_channels:
            raise UserError(
                f"The VAE in {self.folder} is for images of {vae.config.in_channels} channels, and "
                f"the photos have {image_channels}: use another folder, or set image_channels= in "
                "the config of both data sets."
            )
        self.unet, self.vae = unet, vae
        self.latent_channels: int = vae.config.latent_channels
        self.num_steps: int = self.noising.config.num_train_timesteps
        self.predicted = PREDICTIONS[self.noising.config.prediction_type]
        self.stride = LATENT_STRIDE * 2 ** (len(unet.config.block_out_channels) - 1)
        self.register_buffer("text", text, persistent=False)
        self.register_buffer("kept", self.noising.alphas_cumprod.clone(), persistent=False)
        self.folder_hash = "0" * 64 if without_values() else content_hash(self.folder)

    def control_network(self, channels: int) -> nn.Module:
        """Return a ControlNet with the weights of the UNet's encoder (Sec. 3.2 of its paper).

        Call this before `freeze`.

        Args:
            channels: channels of the condition.
        """
        network = library("diffusers").ControlNetModel
        control: nn.Module = network.from_unet(self.unet, conditioning_channels=channels)
        return control

    def freeze(self) -> None:
        """Turn all weights into buffers that the state dict does not contain, in place."""
        for network in (self.unet, self.vae):
            store_as_buffers(network)
        decoder = self.vae.decoder
        decoder.up_blocks = FrozenBlocks(decoder.up_blocks)
        self.eval()

    def train(self, mode: bool = True) -> "StableDiffusion":
        """Return this module, which stays in eval mode whatever the mode is."""
        return super().train(False)

    def get_extra_state(self) -> Tensor:
        """Return the SHA-256 of the folder's files, uint8 [32]; zeros if no file was read."""
        return torch.tensor(list(bytes.fromhex(self.folder_hash)), dtype=torch.uint8)

    def set_extra_state(self, state: Tensor) -> None:
        """Compare the hash of a state dict with that of the folder.

        Raises:
            UserError: they differ.
        """
        trained = bytes(state.tolist()).hex()
        if trained != self.folder_hash:
            raise UserError(
                f"The files of {self.folder} are not those that these weights were trained with "
                f"(SHA-256 {self.folder_hash[:12]}, in training {trained[:12]}): put the folder of "
                f"the training at {self.folder}, or train anew with this one."
            )

    def encode(self, images: Tensor, noise: Tensor) -> Tensor:
        """Return latents of images, drawn from the VAE's normal distribution, at unit scale.

        Args:
            images: BCHW in [-1, 1].
            noise: normal noise of the latents' shape.
        """
        with torch.no_grad():
            found = self.vae.encode(images).latent_dist
            latents: Tensor = found.mean + found.std * noise
            return latents.float() * self.vae.config.scaling_factor

    def decode(self, latents: Tensor) -> Tensor:
        """Return the images BCHW of latents at unit scale, clamped to [-1, 1]."""
        images: Tensor = self.vae.decode(latents / self.vae.config.scaling_factor).sample
        return images.float().clamp(-1, 1)

    def noisy(self, latents: Tensor, noise: Tensor, times: Tensor) -> tuple[Tensor, Tensor]:
        """Return noisy latents, and what the UNet is to predict from them.

        With a the schedule's product at a time, x the latents and e the noise, the noisy latents
        are sqrt(a) x + sqrt(1 - a) e. The target is e, or the velocity sqrt(a) e - sqrt(1 - a) x,
        whichever the folder's UNet predicts.

        Args:
            latents: BCHW.
            noise: normal noise of the same shape.
            times: the time step of each scene, int64 [B] in 0..num_steps - 1.
        """
        kept = self.kept[times][:, None, None, None]
        signal, spread = kept.sqrt(), (1 - kept).sqrt()
        mixture = signal * latents + spread * noise
        if self.predicted == "noise":
            return mixture, noise
        return mixture, signal * noise - spread * latents

    def texts(self, count: int) -> Tensor:
        """Return the embedding of the prompt for a number of scenes, [count,L,D]."""
        return self.text.expand(count, -1, -1)

    def forward(self, latents: Tensor, times: Tensor, down: list[Tensor], middle: Tensor) -> Tensor:
        """Return the UNet's prediction, float32 BCHW.

        Args:
            latents: noisy latents BCHW.
            times: the time step of each scene, int64 [B].
            down: what a ControlNet adds to the outputs of the UNet's encoder.
            middle: what a ControlNet adds to the output of the UNet's middle block.
        """
        prediction: Tensor = self.unet(
            latents, times, self.texts(len(latents)), return_dict=False,
            down_block_additional_residuals=down, mid_block_additional_residual=middle,
        )[0]  # fmt: skip
        return prediction.float()

    def sampler(self, steps: int) -> tuple[Any, list[int]]:
        """Return diffusers' DDIM sampler (arXiv 2010.02502), and its time steps in order.

        Args:
            steps: the number of steps.

        Raises:
            UserError: the folder's schedule has fewer time steps.
        """
        most = self.num_steps - self.noising.config.steps_offset
        if steps > most:
            raise UserError(
                f"The setting 'steps' is at most {most} for {self.folder}, not {steps}."
            )
        with unset_fake_temporarily():  # the schedule is known without values, too
            sampler = type(self.noising).from_config(self.noising.config)
            sampler.set_timesteps(steps)
            return sampler, sampler.timesteps.tolist()


class FrozenBlocks(nn.ModuleList):
    """Blocks with buffers for weights, of which diffusers before 0.36 asks the first parameter."""

    def parameters(self, recurse: bool = True) -> Iterator[Any]:
        """Return an iterator over the weights, which are buffers."""
        return self.buffers(recurse)
