"""Three methods as a reader of docs/add-a-method.md writes them: nothing of the core knows them."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from i2ibench.models.translators.base import Translator
from i2ibench.models.translators.scene_noise import scene_noise
from i2ibench.registry import TRANSLATORS
from i2ibench.structures import Losses


def network(in_channels, out_channels, width, stride=1):
    return nn.Sequential(
        nn.Conv2d(in_channels, width, 3, stride=stride, padding=1),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(width, out_channels, 3, padding=1),
    )


@dataclass(frozen=True)
class DriftSettings:
    """How noise is carried to the image."""

    steps: int = 3
    solver: Literal["euler", "heun"] = "euler"


@TRANSLATORS.register_module()
class Drift(Translator):
    """Iterative: noise drifts to the image along a learnt velocity."""

    Settings = DriftSettings
    batched = True
    varies = True
    contract_options = {"width": 4}

    def __init__(self, data_preprocessor, width=8, **options):
        super().__init__(data_preprocessor, **options)
        seen = data_preprocessor.condition_channels + self.image_channels + 1
        self.velocity = network(seen, self.image_channels, width)

    def moved(self, condition, image, time):
        plane = time.view(-1, 1, 1, 1).expand(-1, 1, *image.shape[-2:])
        return self.velocity(torch.cat([condition, image, plane], 1))

    def losses(self, batch):
        condition, real = batch["condition"], batch["real"]
        noise, time = torch.randn_like(real), torch.rand(len(real), device=real.device)
        share = time.view(-1, 1, 1, 1)
        predicted = self.moved(condition, (1 - share) * noise + share * real, time)
        error = (predicted - (real - noise)).square().mean()
        return Losses({"velocity": error}, {"error": error})

    def synthesise(self, batch, settings):
        condition = batch["condition"]
        image = scene_noise(batch, self.image_channels, condition.shape[-2:])
        for step in range(settings.steps):
            now, later = (condition.new_full((len(image),), n / settings.steps)
                          for n in (step, step + 1))  # fmt: skip
            slope = self.moved(condition, image, now)
            if settings.solver == "heun":
                ahead = image + slope / settings.steps
                slope = (slope + self.moved(condition, ahead, later)) / 2
            image = image + slope / settings.steps
        return image.clamp(-1, 1)

    def evaluations(self, settings):
        return settings.steps * (2 if settings.solver == "heun" else 1)


@dataclass(frozen=True)
class MoodSettings:
    """How far moods are from the mean one."""

    spread: float = 1.0


@TRANSLATORS.register_module()
class Mood(Translator):
    """Conditioned on a global vector: a photo's mood while it trains, a drawn one afterwards."""

    TRAINING_ONLY = ("describer",)
    Settings = MoodSettings
    batched = True
    varies = True
    contract_options = {"width": 4}

    def __init__(self, data_preprocessor, width=8, size=5, **options):
        super().__init__(data_preprocessor, **options)
        channels = data_preprocessor.condition_channels
        self.size = size
        self.describer = network(self.image_channels, 2 * size, width, stride=2)
        self.painter = network(channels + size, self.image_channels, width)

    def networks(self):
        return {"both": self.trainable_parameters("describer", "painter")}

    def losses(self, batch):
        mean, log_variance = self.describer(batch["real"]).mean((2, 3)).chunk(2, 1)
        mood = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        gap = (self.painted(batch["condition"], mood) - batch["real"]).abs().mean()
        surprise = (mean.square() + log_variance.exp() - 1 - log_variance).mean() / 2
        return Losses({"both": gap + 0.01 * surprise}, {"gap": gap, "surprise": surprise})

    def painted(self, condition, mood):
        planes = mood[:, :, None, None].expand(-1, -1, *condition.shape[-2:])
        return self.painter(torch.cat([condition, planes], 1)).tanh()

    def synthesise(self, batch, settings):
        mood = scene_noise(batch, self.size, (1, 1)).flatten(1)
        return self.painted(batch["condition"], settings.spread * mood)


@TRANSLATORS.register_module()
class Layers(Translator):
    """Two networks of their own names: a base at half the size, and details where it is finished.

    Noise comes from torch's own generator, since scenes are made one by one by default.
    """

    stride = 2
    varies = True
    contract_options = {"width": 4}

    def __init__(self, data_preprocessor, width=8, detailed=True, base_trains=True, **options):
        super().__init__(data_preprocessor, **options)
        channels, made = data_preprocessor.condition_channels, self.image_channels
        self.ground = network(channels, made, width, stride=2)
        self.ground.requires_grad_(base_trains)
        self.detail = network(channels + made + 1, made, width) if detailed else None

    def networks(self):
        return {
            "ground": self.trainable_parameters("ground"),
            "detail": self.trainable_parameters("detail"),
        }

    def layers(self, condition):
        ground = nn.functional.interpolate(self.ground(condition).tanh(), scale_factor=2)
        if self.detail is None:
            return [ground]
        noise = torch.randn_like(condition[:, :1])
        return [ground, self.detail(torch.cat([condition, ground.detach(), noise], 1)).tanh()]

    def losses(self, batch):
        layers = self.layers(batch["condition"])
        gaps = [(layer - batch["real"]).abs().mean() for layer in layers]
        named = dict(zip(("ground", "detail"), gaps, strict=False))
        return Losses(named, named)

    def synthesise(self, batch, settings):
        return self.layers(batch["condition"])[-1]

    def evaluations(self, settings):
        return 1 if self.detail is None else 2
