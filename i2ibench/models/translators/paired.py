"""The paired translator: GANs and regression on pairs, and their one training step."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from i2ibench.errors import UserError
from i2ibench.models.ops.one_hot_convolution import OneHot
from i2ibench.models.styles.bank import StyleBank
from i2ibench.models.translators import objectives
from i2ibench.models.translators.base import Translator
from i2ibench.models.translators.compilation import compile_parts, is_compiled
from i2ibench.models.translators.freezing import freeze
from i2ibench.models.translators.previous_names import names_in_smaller_system
from i2ibench.models.translators.tiles import SceneView, require_tiles
from i2ibench.models.translators.updates import alternating_update, batches_of, simultaneous_update
from i2ibench.registry import DISCRIMINATORS, ENCODERS, GENERATORS, TRANSLATORS
from i2ibench.registry.contracts import Preprocessor
from i2ibench.structures import Batch, Losses, Optimizers, Step

Config = Mapping[str, Any]


@TRANSLATORS.register_module()
class PairedTranslator(Translator):
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
        discriminator_first: update D before G, as pix2pix does, and compute the generator's update
            with the new D; pix2pixHD updates G first.
        frozen: submodules that are not trained, such as "generator.coarse".
        truncate_output: cut fractions off in images, as the released pix2pixHD does, instead of
            rounding.
        image_channels: of the photos, and so of what the generator makes and the discriminator and
            the encoder see; comes from the data set.
        compiled: by part (generator, encoder, discriminator, losses.NAME) options of torch.compile,
            dict() for its defaults. For GPUs: it joins norms and activations; a CPU gains less.
    """

    TRAINING_ONLY: ClassVar[tuple[str, ...]] = (
        "discriminator", "adversarial", "losses", "loss_terms", "frozen", "compiled",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913  the parts of a system, and three switches
        self,
        generator: Config,
        data_preprocessor: Preprocessor,
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
        super().__init__(data_preprocessor, image_channels, truncate_output)
        if (discriminator is None) != (adversarial is None):
            raise UserError("'discriminator' and 'adversarial' go together: give both or none.")
        channels = data_preprocessor.condition_channels
        seen = {} if image_channels == 3 else {"in_channels": image_channels}
        self.encoder = ENCODERS.build(encoder, **seen) if encoder else None
        features = self.encoder.out_channels if self.encoder is not None else 0
        made = {} if image_channels == 3 else {"out_channels": image_channels}
        self.generator = GENERATORS.build(generator, in_channels=channels + features, **made)
        facts = {
            "in_channels": channels + image_channels,
            "image_channels": image_channels,
            "num_classes": data_preprocessor.num_classes,
        }
        self.discriminator = (
            DISCRIMINATORS.build_for(discriminator, facts) if discriminator else None
        )
        self.adversarial: Any = objectives.build_adversarial(adversarial) if adversarial else None
        terms = objectives.build_losses(losses or {}, discriminator is not None)
        self.loss_terms, self.weights = terms
        if self.encoder is not None:
            num_classes, num_styles = data_preprocessor.num_classes, self.encoder.num_styles
            self.style_bank = StyleBank(num_classes, features, num_styles)
        self._describe()
        self.discriminator_first = discriminator_first
        self.compiled = dict(compiled or {})
        compile_parts(self.compilable(), self.compiled)
        for name in frozen:
            freeze(self, name)

    def _describe(self) -> None:
        """Say what the networks promise; see Translator."""
        networks = [network for network in (self.generator, self.encoder) if network is not None]
        self.stride = math.lcm(*(network.stride for network in networks))
        self.smallest_side = max(network.smallest_side for network in networks)
        always_train, draws_noise = self.generator.always_train, self.generator.draws_noise
        self.batched = not (always_train or draws_noise)
        # Batch norm on the image's own statistics makes the same image each time.
        drops = any(isinstance(m, nn.Dropout) and m.p > 0 for m in self.generator.modules())
        self.varies = draws_noise or (always_train and drops)

    def parts(self) -> dict[str, nn.Module]:
        """Return the generator, and the encoder and the discriminator where they are used."""
        parts = {
            "generator": self.generator,
            "encoder": self.encoder,
            "discriminator": self.discriminator,
        }
        return {name: part for name, part in parts.items() if part is not None}

    def compilable(self) -> dict[str, nn.Module]:
        """Return what `compiled` can name: the networks, and each loss as losses.NAME."""
        losses = {f"losses.{name}": loss for name, loss in self.loss_terms.items()}
        return {**self.parts(), **losses}

    def networks(self) -> dict[str, dict[str, nn.Parameter]]:
        """Return the trained parameters by optimiser; the generator's trains the encoder too."""
        return {
            "generator": self.trainable_parameters("generator", "encoder"),
            "discriminator": self.trainable_parameters("discriminator"),
        }

    def run_networks(self, batch: Batch) -> None:
        """Run generator and discriminator once; see Translator.run_networks."""
        condition = batch["condition"]
        fake = self.forward(condition, self.blank_features(condition))
        if self.discriminator is not None:  # plainly, not the condition's share apart
            self.discriminator(torch.cat([condition, fake], 1))

    def previous_names(
        self, own: Mapping[str, Any], before: Mapping[str, Any]
    ) -> dict[str, str | None]:
        """Return by own name what a weight was called in a smaller system; None if it is new."""
        return names_in_smaller_system(own, before)

    def train_step(self, data: Any, optim_wrapper: Optimizers) -> dict[str, Tensor]:
        """Update the generator with its encoder and the discriminator, in the configured order.

        See Translator.train_step; "D/..." in the log are the discriminator's losses.
        """
        update = alternating_update if self.discriminator_first else simultaneous_update
        return update(self, batches_of(data), optim_wrapper)

    def losses(self, batch: Batch) -> Losses:
        """Return what both networks minimise, by one pass of all of them (pix2pixHD's code)."""
        step = self.forward_step(batch)
        generator = self.generator_losses(step)
        discriminator = self.discriminator_losses(step)
        # D's gradients before G's: G's pass then frees the activations on its way.
        return Losses(
            {**discriminator.totals, **generator.totals}, {**generator.logs, **discriminator.logs}
        )

    def first_losses(self, batch: Batch, keep_activations: bool) -> tuple[Losses, Step]:
        """Return what the discriminator minimises, and the step with its outputs."""
        step = self.forward_step(batch, keep_activations)
        # The answers of the old D go; its judgement of the same fakes comes anew.
        kept = Step(step.condition, step.fake, step.real, label=step.label)
        return self.discriminator_losses(step), kept

    def second_losses(self, kept: Step) -> Losses:
        """Return what the generator minimises by the answers of the new discriminator."""
        step = self.discriminate(kept.condition, kept.fake, kept.real, kept.label)
        return self.generator_losses(step)

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
        return self.discriminate(condition, fake, real, batch.get("label"))

    def discriminate(
        self, condition: Tensor, fake: Tensor, real: Tensor, label: Tensor | None
    ) -> Step:
        """The step's tensors with the discriminator's answers, if there is one."""
        return objectives.with_discriminator(self.discriminator, condition, fake, real, label)

    def forward(  # type: ignore[override]
        self, condition: Tensor, features: Tensor | None = None, labels: OneHot | None = None
    ) -> Tensor:
        """Images BCHW in [-1, 1] for a condition BCHW and the encoder's features BCHW.

        `labels` says what the condition's first channels are, to generators that ask for it.
        """
        inputs = condition if features is None else torch.cat([condition, features], 1)
        images: Tensor = (
            self.generator(inputs) if labels is None else self.generator(inputs, labels)
        )
        return images

    def generator_losses(self, step: Step) -> Losses:
        """Return the weighted sum of the generator's losses, and each of them unweighted."""
        logs = {name: loss(step) for name, loss in self.loss_terms.items()}
        terms = (self.weights[name] * value for name, value in logs.items())
        total = sum(terms, step.fake.new_zeros(()))
        if self.adversarial is not None:
            logs = {"G/adversarial": objectives.generator_term(self.adversarial, step), **logs}
            total = total + logs["G/adversarial"]
        return Losses({"generator": total}, logs)

    def discriminator_losses(self, step: Step) -> Losses:
        """Return the sum of the discriminator's terms, and each of them; nothing without one.

        Terms contain the adversarial loss's `discriminator_weights`, which the log leaves out.
        Its optimiser asks for gradients of its own parameters only, so the fake's graph, shared
        with the generator's loss, costs nothing here.
        """
        if self.adversarial is None:
            return Losses({}, {})
        terms = objectives.discriminator_terms(self.adversarial, step)
        logs = objectives.logged_discriminator_terms(self.adversarial, terms)
        return Losses({"discriminator": torch.stack(list(terms.values())).sum()}, logs)

    def synthesise(self, batch: Batch, settings: Any) -> Tensor:
        """Return the generator's images BCHW in [-1, 1]; see Translator.synthesise."""
        condition, channels = batch["condition"], self._looked_up_channels()
        labels = OneHot(batch["label"], channels) if channels else None
        if is_compiled(self.generator):
            labels = None
        return self.forward(condition, batch.get("features"), labels)

    def check_tiles(self) -> None:
        """Refuse a generator that cannot work in tiles.

        Raises:
            UserError: says why it cannot.
        """
        require_tiles(self.generator)

    def synthesise_in_tiles(
        self, scene: Batch, size: tuple[int, int], tile: tuple[int, int], settings: Any
    ) -> Tensor:
        """Return the image 13HW of a scene; see Translator.synthesise_in_tiles."""
        view = SceneView(self.data_preprocessor, scene, self._looked_up_channels())
        return self.generator.in_tiles(view, size, tile)

    def _looked_up_channels(self) -> int:
        """Return how many channels of the condition the generator looks up by the label map."""
        accepts_labels = self.batched and self.generator.accepts_labels
        return int(self.data_preprocessor.one_hot_channels) if accepts_labels else 0
