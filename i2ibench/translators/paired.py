"""The paired translator: the one model and its one training step."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapperDict
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from i2ibench.errors import UserError
from i2ibench.ops.images import pad_to_multiple, to_uint8
from i2ibench.ops.lookup import OneHot
from i2ibench.registry import DISCRIMINATORS, ENCODERS, GENERATORS, TRANSLATORS
from i2ibench.structures import Batch, Prediction, Step, to_predictions
from i2ibench.styles.bank import StyleBank
from i2ibench.translators import objectives
from i2ibench.translators.compilation import compile_parts
from i2ibench.translators.generation import at_precision, draws_numbers, generate, require_finite
from i2ibench.translators.optimizers import freeze
from i2ibench.translators.tiles import encode, generate_in_tiles, prepared, reference
from i2ibench.translators.updates import (
    batches_of,
    both_from_one_pass,
    discriminator_then_generator,
)

Config = Mapping[str, Any]


@TRANSLATORS.register_module()
class PairedTranslator(BaseModel):
    """A generator with optional discriminator, encoder and named losses, trained on pairs.

    pix2pixHD, pix2pix and CRN are configurations of this class.

    Args:
        generator: config of the generator.
        data_preprocessor: the built preprocessor, which owns the condition's channels.
        discriminator: config, or None.
        encoder: config, or None.
        adversarial: config of the adversarial loss; needed with a discriminator.
        losses: the generator's other losses by name, each a config that may hold a `weight`
            (default 1); None switches one off.
        discriminator_first: update D before G, and judge the generator's update by the new D, as
            pix2pix does; pix2pixHD updates G first.
        frozen: submodules that are not trained, such as "generator.coarse".
        truncate_output: cut fractions off in 8-bit pictures, as the released pix2pixHD does,
            instead of rounding.
        image_channels: 1 where the data's photos are grey: the generator then makes one channel,
            which losses, discriminators and scores see three times; comes from the data set.
        compiled: by part (generator, encoder, discriminator, losses.NAME) options of torch.compile,
            dict() for its defaults. For GPUs: it joins norms and activations; a CPU gains less.
    """

    def __init__(  # noqa: PLR0913  the parts of a system, and three switches
        self,
        generator: Config,
        data_preprocessor: Any,
        discriminator: Config | None = None,
        encoder: Config | None = None,
        adversarial: Config | None = None,
        losses: Mapping[str, Config | None] | None = None,
        discriminator_first: bool = False,
        frozen: Sequence[str] = (),
        truncate_output: bool = False,
        compiled: Mapping[str, Config] | None = None,
        image_channels: int = 3,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor)
        if (discriminator is None) != (adversarial is None):
            raise UserError("'discriminator' and 'adversarial' go together: give both or none.")
        channels = data_preprocessor.condition_channels
        self.encoder = ENCODERS.build(encoder) if encoder else None
        features = self.encoder.out_channels if self.encoder is not None else 0
        self.image_channels = image_channels
        grey = {"out_channels": 1} if image_channels == 1 else {}
        self.generator = GENERATORS.build(generator, in_channels=channels + features, **grey)
        facts = {"in_channels": channels + 3, "num_classes": data_preprocessor.num_classes}
        self.discriminator = (
            DISCRIMINATORS.build_for(discriminator, facts) if discriminator else None
        )
        self.adversarial: Any = objectives.build_adversarial(adversarial) if adversarial else None
        self.losses, self.weights = objectives.build_losses(losses or {}, discriminator is not None)
        self.style_bank = (
            StyleBank(data_preprocessor.num_classes, features, self.encoder.num_styles)
            if self.encoder is not None
            else None
        )
        self.discriminator_first = discriminator_first
        self.truncate_output = truncate_output
        self.precision: str | None = None  # of translations: bf16, or None for float32
        self.compile_mode: str | None = None  # of translations, see compile_for_translation
        self.compiled = dict(compiled or {})
        compile_parts(self, self.compiled)
        self.tile: tuple[int, int] | None = None  # of translations: see tiles.use_tiles
        for name in frozen:
            freeze(self, name)

    def networks(self) -> dict[str, dict[str, nn.Parameter]]:
        """The trained parameters of each optimiser by name; the generator's has the encoder's."""
        optimizer_of = dict.fromkeys(("generator", "encoder"), "generator")
        optimizer_of["discriminator"] = "discriminator"
        networks: dict[str, dict[str, nn.Parameter]] = {}
        for name, parameter in self.named_parameters():
            optimizer = optimizer_of.get(name.partition(".")[0])
            if optimizer is not None and parameter.requires_grad:
                networks.setdefault(optimizer, {})[name] = parameter
        return networks

    @property
    def stride(self) -> int:
        """What the sides of a scene must be multiples of."""
        encoder = 1 if self.encoder is None else self.encoder.stride
        return math.lcm(getattr(self.generator, "stride", 1), encoder)

    @property
    def draws_styles(self) -> bool:
        """Whether translations of one scene differ: styles or noise are drawn, or dropout."""
        return self.encoder is not None or draws_numbers(self.generator)

    def train_step(self, data: Any, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """Update the generator with its encoder and the discriminator, in the configured order.

        Args:
            data: collated samples; or a list of such, whose mean gradient makes one update.
            optim_wrapper: an optimiser for each network.

        Returns:
            every loss unweighted, detached, by name, averaged over the list; "D/..." are the
            discriminator's.
        """
        first = self.discriminator_first
        take_step = discriminator_then_generator if first else both_from_one_pass
        return take_step(self, batches_of(data), optim_wrapper)

    def forward_step(self, batch: Batch, keep_activations: bool = True) -> Step:
        """One pass of every network over a training batch.

        Without `keep_activations` the generator runs again, on the same random numbers, when its
        gradient is taken; running statistics of its batch norms then see the batch twice.
        """
        condition, real = batch["condition"], batch["real"]
        features = None if self.encoder is None else self.encoder(real, batch["instance"])
        if keep_activations:
            fake = self.forward(condition, features)
        else:
            fake = checkpoint(self.forward, condition, features, use_reentrant=False)
        return self.judge(condition, fake, real, batch.get("label"))

    def judge(self, condition: Tensor, fake: Tensor, real: Tensor, label: Tensor | None) -> Step:
        """The step's tensors with the discriminator's answers, if there is one."""
        return objectives.judged(self.discriminator, condition, fake, real, label)

    def forward(
        self, condition: Tensor, features: Tensor | None = None, labels: OneHot | None = None
    ) -> Tensor:
        """Images B3HW in [-1, 1] for a condition BCHW and the encoder's features BCHW.

        `labels` says what the condition's first channels are, to generators that ask for it.
        """
        inputs = condition if features is None else torch.cat([condition, features], 1)
        images = self.generator(inputs) if labels is None else self.generator(inputs, labels)
        return self.as_rgb(images)

    def as_rgb(self, images: Tensor) -> Tensor:
        """Return a generator's images with three channels each; grey ones get three equal ones."""
        return images.repeat_interleave(3, 1) if self.image_channels == 1 else images

    def generator_loss(self, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted sum of the generator's losses, and each of them unweighted."""
        logs = {name: loss(step) for name, loss in self.losses.items()}
        terms = (self.weights[name] * value for name, value in logs.items())
        total = sum(terms, step.fake.new_zeros(()))
        if self.adversarial is not None:
            logs = {"G/adversarial": objectives.generator_term(self.adversarial, step), **logs}
            total = total + logs["G/adversarial"]
        return total, logs

    def discriminator_loss(self, step: Step) -> dict[str, Tensor]:
        """Return the terms whose sum the discriminator minimises, by name; {} without one.

        Terms contain the adversarial loss's `discriminator_weights`, which the log leaves out.
        Its optimiser asks for gradients of its own parameters only, so the fake's graph, shared
        with the generator's loss, costs nothing here.
        """
        if self.adversarial is None:
            return {}
        return objectives.discriminator_terms(self.adversarial, step)

    def val_step(self, data: Any) -> list[Prediction]:
        """What `predict` gives; the Runner's loops call this."""
        return self.predict(data)

    test_step = val_step

    @torch.inference_mode()
    def predict(self, data: Any, encode_photo: bool = False, sample: int = 0) -> list[Prediction]:
        """One translated scene per sample of collated data, at its exact size, any size.

        Args:
            data: collated samples.
            encode_photo: styles from the photo, which shows part of the answer, not from the bank.
            sample: which of a scene's random translations, from 0 on.

        Raises:
            UserError: the networks give numbers that are not finite.
        """
        batch = prepared(self, data)
        if sample:  # what is drawn depends on the scene's name
            batch["names"] = [f"{name}/{sample}" for name in batch["names"]]
        features = self.encode(batch) if encode_photo else self.sample_styles(batch)
        return to_predictions(self.paint(batch, features), data)

    @torch.inference_mode()
    def paint(self, batch: Batch, features: Tensor | None) -> Tensor:
        """The pictures of a batch in given styles, uint8 B3HW of its exact size, any size.

        Args:
            batch: preprocessed scenes.
            features: BCHW in [-1, 1], one value per instance; None without an encoder.

        Raises:
            UserError: the networks give numbers that are not finite.
        """
        scene = reference(batch)
        height, width = scene.shape[-2:]
        with at_precision(self.precision, scene.device.type):
            images = (generate_in_tiles if self.tile else generate)(self, batch, features)
        require_finite(images, batch["names"])
        return to_uint8(images, self.truncate_output)[..., :height, :width]

    def sample_styles(self, batch: Batch) -> Tensor | None:
        """Styles of a batch from the style bank, BCHW; None without an encoder."""
        if self.style_bank is None:
            return None
        rows = zip(batch["names"], batch["label"], batch["instance"], strict=True)
        return torch.stack([self.style_bank.sample(*row) for row in rows])

    def encode(self, batch: Batch) -> Tensor:
        """The encoder's features for the photos of a batch of any size, BCHW.

        Raises:
            UserError: the batch has no photos.
        """
        assert self.encoder is not None
        if "real" not in batch:
            raise UserError("Styles are to be encoded from photos, but the data has none.")
        height, width = batch["real"].shape[-2:]
        photo, instance = self.padded(batch["real"]), self.padded(batch["instance"])
        with at_precision(self.precision, photo.device.type):
            return encode(self, photo, instance)[..., :height, :width].float()

    def padded(self, x: Tensor) -> Tensor:
        """BCHW enlarged to a size that the networks take."""
        smallest = max(getattr(n, "smallest_side", 1) for n in (self.generator, self.encoder))
        return pad_to_multiple(x, self.stride, smallest)
