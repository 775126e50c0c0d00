"""One-step translation: the network of a flow, trained to reach the end of the flow at once.

The student begins with the weights of the flow and is regressed to the images that the flow makes
in several steps from the same noise, as in knowledge distillation of diffusion models (Luhman &
Luhman 2021, arXiv 2101.02388). The discriminators and feature matching of pix2pixHD compare its
images with the real ones, as the adversarial losses of later distillations do (Sauer et al. 2023,
arXiv 2311.17042).

Licence: Apache-2.0, like the rest. Written from the papers.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from i2ibench.errors import UserError
from i2ibench.inference.checkpoints import read_checkpoint
from i2ibench.models.ops.peak_memory import has_values
from i2ibench.models.translators.paired import PairedTranslator
from i2ibench.models.translators.scene_noise import new_draw, scene_noise
from i2ibench.registry import GENERATORS, TRANSLATORS
from i2ibench.registry.contracts import Generator
from i2ibench.structures import Batch, Losses

from .flow import FlowTranslator, Sampling
from .time_unet import TimeUNet


@GENERATORS.register_module()
class OneStepUNet(Generator):
    """The network of a flow at time 0, which makes an image of noise and a condition in one run.

    Args:
        in_channels: channels of the condition.
        out_channels: channels of the image and of the noise.
        widths: channels of each level, see `TimeUNet`.
        num_blocks: residual blocks of each level.
    """

    draws_noise = True
    contract_options: ClassVar[dict[str, Any]] = {"widths": (8, 16), "num_blocks": 1}

    def __init__(
        self,
        in_channels: int,
        out_channels: int = 3,
        widths: Sequence[int] = (128, 256, 384, 512, 512),
        num_blocks: int = 2,
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.sizes = {"widths": widths, "num_blocks": num_blocks}
        self.unet = TimeUNet(in_channels, out_channels, widths, num_blocks)
        self.stride = self.unet.stride
        nn.init.normal_(self.unet.leave.weight, std=0.02)  # zeros would ignore the noise at first

    def forward(self, condition: Tensor, noise: Tensor | None = None) -> Tensor:
        """Return the image, float32 BCHW, clamped to [-1, 1] in evaluation mode.

        Args:
            condition: BCHW, whose sides are multiples of `stride`.
            noise: normal noise of the image's shape; None draws it from torch's generator.
        """
        if noise is None:
            size = (len(condition), self.out_channels, *condition.shape[-2:])
            noise = torch.randn(size, device=condition.device)
        images: Tensor = self.unet(noise, condition.new_zeros(len(condition)), condition)
        return images if self.training else images.clamp(-1, 1)


@TRANSLATORS.register_module()
class OneStepTranslator(PairedTranslator):
    """A one-step generator: distilled from a flow, or trained from scratch without a teacher.

    With a teacher, the generator, the encoder and the style bank begin with the teacher's weights,
    averaged ones if its checkpoint has them. The encoder stays as it is, so that both networks see
    the same styles. Random numbers of training depend only on scene and step.

    Args:
        generator: config of a OneStepUNet.
        data_preprocessor: the built preprocessor, which states the condition's channels.
        teacher: path of the checkpoint of a FlowTranslator from noise, with the generator's widths
            and blocks and the same encoder; or None. Only training reads the file.
        teacher_steps: Euler steps of the teacher for each training image.
        distillation_weight: the weight of the mean absolute difference from the teacher's image.
        discriminator, encoder, adversarial, losses: see PairedTranslator.
        truncate_output: truncate images to integers instead of rounding them.
        image_channels: channels of the images; comes from the data set.

    Raises:
        UserError: the generator is no OneStepUNet, or the teacher's file is missing or does not
            match.
    """

    TRAINING_ONLY: ClassVar[tuple[str, ...]] = (
        "discriminator", "adversarial", "losses", "loss_terms",
        "teacher", "teacher_steps", "distillation_weight",
    )  # fmt: skip
    contract_options: ClassVar[dict[str, Any]] = {
        "generator": {"type": "OneStepUNet", **OneStepUNet.contract_options},
        "losses": {"pixel": {"type": "PixelLoss"}},
    }

    def __init__(  # noqa: PLR0913  the parts of a system, and its teacher
        self,
        generator: Mapping[str, Any],
        data_preprocessor: Any,
        teacher: str | None = None,
        teacher_steps: int = 8,
        distillation_weight: float = 10.0,
        discriminator: Mapping[str, Any] | None = None,
        encoder: Mapping[str, Any] | None = None,
        adversarial: Mapping[str, Any] | None = None,
        losses: Mapping[str, Any] | None = None,
        truncate_output: bool = False,
        image_channels: int = 3,
    ) -> None:
        super().__init__(
            generator, data_preprocessor, discriminator, encoder, adversarial, losses,
            truncate_output=truncate_output, image_channels=image_channels,
        )  # fmt: skip
        if not isinstance(self.generator, OneStepUNet):
            raise UserError(f"OneStepTranslator needs a OneStepUNet, not {generator['type']}.")
        self.batched = self.varies = True  # noise comes from scene_noise
        self.distillation_weight = distillation_weight
        self.sampling = Sampling(steps=teacher_steps)
        # A tuple keeps the teacher out of the parameters and of the state dict.
        self._teacher = (self._read_teacher(Path(teacher), encoder),) if teacher else ()

    def _read_teacher(self, path: Path, encoder: Mapping[str, Any] | None) -> FlowTranslator:
        """Return the flow of a checkpoint, and begin this translator's training with its weights.

        On tensors without values the file is not read.
        """
        flow = FlowTranslator(
            self.data_preprocessor, encoder=encoder, image_channels=self.image_channels,
            **self.generator.sizes,
        )  # fmt: skip
        if has_values(next(flow.parameters())):
            saved = read_checkpoint(path)
            state = {**saved["state_dict"], **saved.get("ema_state_dict", {})}
            try:
                flow.load_state_dict(state)
            except RuntimeError as error:
                raise UserError(
                    f"{path} is no FlowTranslator from noise with this config's widths, blocks and "
                    f"encoder, so it cannot be the teacher: {error}"
                ) from None
            self.generator.unet.load_state_dict(flow.denoiser.state_dict())
            if self.encoder is not None:
                assert self.style_bank is not None and flow.style_bank is not None
                self.encoder.load_state_dict(flow.encoder.state_dict())
                self.style_bank.load_state_dict(flow.style_bank.state_dict())
        if self.encoder is not None:
            self.encoder.requires_grad_(False)
        return flow.eval().requires_grad_(False)

    def losses(self, batch: Batch) -> Losses:
        """Return the losses of both networks: those of pix2pixHD, and the distance to the teacher.

        Totals are "discriminator", if there is one, then "generator". The logged "distillation" is
        the mean absolute difference between the student's and the teacher's images.
        """
        real, draw = batch["real"], new_draw()
        styles = None if self.encoder is None else self.encoder(real, batch["instance"])
        fake = self._images(batch, styles, draw)
        step = self.make_step(batch["condition"], fake, real, batch.get("label"))
        generator, discriminator = self.generator_losses(step), self.discriminator_losses(step)
        total, logs = generator.totals["generator"], {**generator.logs, **discriminator.logs}
        if self._teacher:
            logs["distillation"] = (fake - self._taught(batch, styles, draw)).abs().mean()
            total = total + self.distillation_weight * logs["distillation"]
        return Losses({**discriminator.totals, "generator": total}, logs)

    def _taught(self, batch: Batch, styles: Tensor | None, draw: str) -> Tensor:
        """Return the teacher's images BCHW from the noise of a draw, without gradients."""
        teacher = self._teacher[0].to(batch["condition"].device)
        named: Any = {**batch, "names": [f"{name}{draw}" for name in batch["names"]]}
        if styles is not None:
            named["features"] = styles
        with torch.no_grad():
            return teacher.synthesise(named, self.sampling)

    def _images(self, batch: Batch, styles: Tensor | None, draw: str = "") -> Tensor:
        """Return the generator's images BCHW from the noise of a draw."""
        condition = batch["condition"]
        noise = scene_noise(batch, self.image_channels, condition.shape[-2:], draw)
        images: Tensor = self.generator(self.styled(condition, styles), noise)
        return images

    def synthesise(self, batch: Batch, settings: Any) -> Tensor:
        """Return images BCHW in [-1, 1] after one run of the generator.

        Args:
            batch: preprocessed scenes, whose names seed the noise.
            settings: ignored.
        """
        return self._images(batch, batch.get("features"))
