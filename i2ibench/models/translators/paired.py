"""The paired translator: GANs and regression on image pairs, with their training step."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from i2ibench.errors import UserError, near_match
from i2ibench.models.ops.one_hot_convolution import OneHot
from i2ibench.models.translators import objectives
from i2ibench.models.translators.base import Translator
from i2ibench.models.translators.compilation import compile_parts, is_compiled
from i2ibench.models.translators.tile_inputs import SceneView, no_tiles
from i2ibench.models.translators.updates import alternating_update, batches_of, simultaneous_update
from i2ibench.registry import DISCRIMINATORS, GENERATORS, TRANSLATORS
from i2ibench.registry.contracts import Preprocessor
from i2ibench.structures import Batch, DiscriminatorOutput, Losses, Optimizers, Step

Config = Mapping[str, Any]


@TRANSLATORS.register_module()
class PairedTranslator(Translator):
    """A generator with optional discriminator, encoder and named losses, trained on image pairs.

    pix2pixHD, pix2pix and CRN are configurations of this class.

    Args:
        generator: config of the generator.
        data_preprocessor: the built preprocessor, which states the condition's channels.
        discriminator: config of the discriminator, or None.
        encoder: config of the encoder, or None.
        adversarial: config of the adversarial loss; required with a discriminator.
        losses: configs of the generator's other losses by name. Each may hold a `weight`, 1 by
            default. None disables a loss.
        discriminator_first: update D before G, as pix2pix does, and compute the generator's update
            with the new D. By default all gradients are those of the old D, as in pix2pixHD.
        frozen: names of submodules that are not trained, such as "generator.coarse".
        truncate_output: truncate images to integers, as the released pix2pixHD does, instead of
            rounding them.
        image_channels: channels of the real and the generated images; comes from the data set.
        compiled: options of torch.compile by part (generator, encoder, discriminator, losses.NAME);
            dict() for its defaults. A GPU gains from fused norms and activations, a CPU less.
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
            raise UserError("'discriminator' and 'adversarial' go together: give both or neither.")
        channels = data_preprocessor.condition_channels
        features = self.add_encoder(encoder)
        output = {} if image_channels == 3 else {"out_channels": image_channels}
        self.generator = GENERATORS.build(generator, in_channels=channels + features, **output)
        options = {
            "in_channels": channels + image_channels,
            "image_channels": image_channels,
            "num_classes": data_preprocessor.num_classes,
        }
        self.discriminator = (
            DISCRIMINATORS.build_for(discriminator, options) if discriminator else None
        )
        self.adversarial: Any = objectives.build_adversarial(adversarial) if adversarial else None
        self.loss_terms, self.weights = objectives.build_losses(
            losses or {}, discriminator is not None
        )
        self._set_promises()
        self.discriminator_first = discriminator_first
        self.compiled = dict(compiled or {})
        compile_parts(self.compilable(), self.compiled)
        for name in frozen:
            self._freeze(name)

    def _set_promises(self) -> None:
        """Set the attributes of Translator that depend on the generator and the encoder.

        These are `stride` and `smallest_side`, which suit both networks; `batched`, unless the
        generator draws noise or stays in training mode; and `varies`, for noise or for dropout in
        training mode.
        """
        self.stride = math.lcm(self.stride, self.generator.stride)
        self.smallest_side = max(self.smallest_side, self.generator.smallest_side)
        always_train, draws_noise = self.generator.always_train, self.generator.draws_noise
        self.batched = not (always_train or draws_noise)
        # Of the layers that stay in training mode, only dropout makes images vary.
        drops_out = any(isinstance(m, nn.Dropout) and m.p > 0 for m in self.generator.modules())
        self.varies = draws_noise or (always_train and drops_out)

    def _freeze(self, name: str) -> None:
        """Stop the training of a submodule, and fix the running statistics of its batch norms.

        The batch norms use the batch's own statistics in training mode as before.
        """
        modules = dict(self.named_modules())
        if name not in modules:
            raise UserError(f"There is no submodule {name!r} to freeze.{near_match(name, modules)}")
        modules[name].requires_grad_(False)
        for layer in modules[name].modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = 0.0

    def parts(self) -> dict[str, nn.Module]:
        """Return the generator, the encoder and the discriminator by name, those that exist."""
        parts = {
            "generator": self.generator,
            "encoder": self.encoder,
            "discriminator": self.discriminator,
        }
        return {name: part for name, part in parts.items() if part is not None}

    def compilable(self) -> dict[str, nn.Module]:
        """Return the modules that the option `compiled` can name, by name.

        They are those of `parts`, and each loss of the generator as losses.NAME.
        """
        losses = {f"losses.{name}": loss for name, loss in self.loss_terms.items()}
        return {**self.parts(), **losses}

    def networks(self) -> dict[str, dict[str, nn.Parameter]]:
        """Return the trainable parameters by name, by optimiser: "generator" and "discriminator".

        The generator's optimiser also trains the encoder. The dict of a discriminator that is
        absent or frozen is empty.
        """
        return {
            "generator": self.trainable_parameters("generator", "encoder"),
            "discriminator": self.trainable_parameters("discriminator"),
        }

    def run_networks(self, batch: Batch) -> None:
        """Run the generator, with zeros as styles, and the discriminator once, without losses.

        See Translator.run_networks.
        """
        condition = batch["condition"]
        fake = self.forward(condition, self.blank_features(condition))
        if self.discriminator is not None:  # not of_several, which splits its first layer
            self.discriminator(torch.cat([condition, fake], 1))

    def previous_names(
        self, own: Mapping[str, Any], before: Mapping[str, Any]
    ) -> dict[str, str | None]:
        """Return the name that each weight had in a smaller system; None for a new weight.

        An added coarse-to-fine level trains a new output layer. Added discriminators see the finest
        scales, so that the others get higher numbers. All other weights keep their names.

        Args:
            own: the state dict of this translator; its keys are the keys of the result.
            before: the state dict of the smaller system.
        """
        return {name: _previous_name(name, own, before) for name in own}

    def train_step(self, data: Any, optim_wrapper: Optimizers) -> dict[str, Tensor]:
        """Update generator, encoder and discriminator once, and return the logged scalars.

        All losses come from the weights before the update, or with `discriminator_first` the
        generator's from the updated discriminator. Arguments and result are those of
        Translator.train_step. Logged names that begin with "D/" are the discriminator's losses.
        """
        update = alternating_update if self.discriminator_first else simultaneous_update
        return update(self, batches_of(data), optim_wrapper)

    def losses(self, batch: Batch) -> Losses:
        """Return the losses of both networks after one forward pass, as in pix2pixHD's code.

        Totals are "discriminator", if there is one, then "generator".
        """
        step = self.forward_step(batch)
        generator = self.generator_losses(step)
        discriminator = self.discriminator_losses(step)
        # G's backward pass comes last, so that it frees the activations on its way.
        return Losses(
            {**discriminator.totals, **generator.totals}, {**generator.logs, **discriminator.logs}
        )

    def first_losses(self, batch: Batch, keep_activations: bool) -> tuple[Losses, Step]:
        """Run all networks; return the discriminator's losses, and the tensors for `second_losses`.

        The second result is the training step with condition, fake and real images and label maps,
        but without the discriminator's outputs, which its update changes.

        Args:
            batch: a preprocessed batch.
            keep_activations: see `forward_step`.
        """
        step = self.forward_step(batch, keep_activations)
        # The updated D will compute new outputs for the same fakes.
        kept = Step(step.condition, step.fake, step.real, label=step.label)
        return self.discriminator_losses(step), kept

    def second_losses(self, kept: Step) -> Losses:
        """Return the generator's losses; the discriminator runs again, with its updated weights.

        Args:
            kept: the second result of `first_losses`, whose fake images are not generated again.
        """
        step = self.make_step(kept.condition, kept.fake, kept.real, kept.label)
        return self.generator_losses(step)

    def forward_step(self, batch: Batch, keep_activations: bool = True) -> Step:
        """Run every network once on a training batch, and return the tensors that losses read.

        Args:
            batch: a preprocessed batch.
            keep_activations: keep the generator's activations for its backward pass. Otherwise the
                backward pass runs the generator again with the same random numbers, and the running
                statistics of its batch norms see the batch twice.
        """
        condition, real = batch["condition"], batch["real"]
        features = None if self.encoder is None else self.encoder(real, batch["instance"])
        if keep_activations:
            fake = self.forward(condition, features)
        else:
            fake = checkpoint(self.forward, condition, features, use_reentrant=False)
        return self.make_step(condition, fake, real, batch.get("label"))

    def make_step(
        self, condition: Tensor, fake: Tensor, real: Tensor, label: Tensor | None
    ) -> Step:
        """Run the discriminator, if there is one, and return the tensors that losses read.

        Args:
            condition: the condition without the encoder's features, BCHW.
            fake: the generated images, BCHW.
            real: the real images, BCHW.
            label: the label maps, integer B1HW; or None.
        """
        discriminator = self.discriminator
        if discriminator is None:
            return Step(condition, fake, real, label=label)

        def discriminate(image: Tensor) -> DiscriminatorOutput:
            return discriminator(torch.cat([condition, image], 1))

        fake_outputs, real_outputs = discriminator.of_several(condition, [fake, real])
        return Step(condition, fake, real, fake_outputs, real_outputs, label, discriminate)

    def forward(  # type: ignore[override]
        self, condition: Tensor, features: Tensor | None = None, labels: OneHot | None = None
    ) -> Tensor:
        """Return the generator's images BCHW in [-1, 1].

        Args:
            condition: BCHW.
            features: the encoder's features BCHW, which are appended to the condition; or None.
            labels: the label map of the condition's one-hot channels, for generators with
                `accepts_labels`; or None.
        """
        inputs = self.styled(condition, features)
        images: Tensor = (
            self.generator(inputs) if labels is None else self.generator(inputs, labels)
        )
        return images

    def generator_losses(self, step: Step) -> Losses:
        """Return the generator's losses: the weighted sum to minimise, and each one for the log.

        Logged losses are unweighted. The adversarial loss, if there is one, is "G/adversarial" and
        has the weight 1.
        """
        logs = {name: loss(step) for name, loss in self.loss_terms.items()}
        terms = (self.weights[name] * value for name, value in logs.items())
        total = sum(terms, step.fake.new_zeros(()))
        if self.adversarial is not None:
            logs = {"G/adversarial": objectives.generator_term(self.adversarial, step), **logs}
            total = total + logs["G/adversarial"]
        return Losses({"generator": total}, logs)

    def discriminator_losses(self, step: Step) -> Losses:
        """Return the discriminator's losses: the sum to minimise, and each term for the log.

        Logged terms are unweighted. Both are empty without a discriminator. The discriminator's
        optimiser takes gradients of its own parameters only, so the graph of the fake images costs
        nothing here.
        """
        if self.adversarial is None:
            return Losses({}, {})
        terms = objectives.discriminator_terms(self.adversarial, step)
        logs = objectives.logged_discriminator_terms(self.adversarial, terms)
        return Losses({"discriminator": torch.stack(list(terms.values())).sum()}, logs)

    def synthesise(self, batch: Batch, settings: Any) -> Tensor:
        """Return the generator's images BCHW in [-1, 1] for preprocessed scenes.

        Styles come from the batch's `features`. A generator that can look up one-hot channels in a
        label map gets the label map, too, unless it is compiled.

        Args:
            batch: see Translator.synthesise.
            settings: ignored, as this method has none.
        """
        condition, channels = batch["condition"], self._label_channels()
        labels = OneHot(batch["label"], channels) if channels else None
        if is_compiled(self.generator):
            labels = None
        return self.forward(condition, batch.get("features"), labels)

    def check_tiles(self) -> None:
        """Check that the generator can work in tiles.

        Raises:
            UserError: the generator's class cannot work in tiles, or all of its layers are at full
                size.
        """
        if not self.generator.works_in_tiles:
            raise no_tiles(self.generator)
        if self.generator.stride == 1:
            raise UserError(
                "A generator with num_downsamplings=0 and no enhancers cannot work in tiles: all "
                "its layers are at full size."
            )

    def synthesise_in_tiles(
        self, scene: Batch, size: tuple[int, int], tile: tuple[int, int], settings: Any
    ) -> Tensor:
        """Return the generator's image 1CHW in [-1, 1] of one scene, made tile by tile.

        The arguments are those of Translator.synthesise_in_tiles; `settings` are ignored.
        """
        view = SceneView(self.data_preprocessor, scene, self._label_channels())
        return self.generator.in_tiles(view, size, tile)

    def _label_channels(self) -> int:
        """Return the number of one-hot channels that the generator takes as a label map instead.

        This is 0 if the generator does not accept labels, if this method is not `batched`, or if
        the condition does not begin with one-hot labels.
        """
        accepts_labels = self.batched and self.generator.accepts_labels
        return int(self.data_preprocessor.one_hot_channels) if accepts_labels else 0


def _previous_name(name: str, own: Mapping[str, Any], before: Mapping[str, Any]) -> str | None:
    if name.startswith("generator.head."):
        return name if _generator_body(own) == _generator_body(before) else None
    scale = re.match(r"(discriminator\.scales\.)(\d+)(\..*)", name)
    if scale:
        older = int(scale[2]) - (_count_scales(own) - _count_scales(before))
        return f"{scale[1]}{older}{scale[3]}" if older >= 0 else None
    return name


def _generator_body(names: Mapping[str, Any]) -> set[str]:
    """Return those names of weights that are the generator's, without its output layers."""
    return {n for n in names if n.startswith("generator.") and not n.startswith("generator.head.")}


def _count_scales(names: Mapping[str, Any]) -> int:
    matches = (re.match(r"discriminator\.scales\.(\d+)", name) for name in names)
    return len({match[1] for match in matches if match})
