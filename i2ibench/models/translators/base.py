"""The base class of translation methods, which training, inference and reports rely on."""

from abc import ABCMeta, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from i2ibench.errors import UserError
from i2ibench.models.styles.bank import StyleBank
from i2ibench.models.translators.inference_settings import (
    NoSettings,
    check_settings_class,
    settings_of,
)
from i2ibench.models.translators.tile_inputs import no_tiles
from i2ibench.models.translators.updates import batches_of, simultaneous_update
from i2ibench.registry import ENCODERS, TRANSLATORS
from i2ibench.registry.contracts import Preprocessor
from i2ibench.registry.contracts.promises import Positive, check_class
from i2ibench.structures import Batch, Losses, Optimizers


class Translator(nn.Module, metaclass=ABCMeta):
    """A method of paired image translation: networks, their losses, and the synthesis of images.

    A subclass builds its networks in `__init__` and defines at least `losses` and `synthesise`.
    Everything else has defaults. Training, stages, distribution, EMA, checkpoints, evaluation, the
    editor and the memory estimate use a method through this class only.

    Args:
        data_preprocessor: the built preprocessor; it has `condition_channels`, `num_classes` and
            `needs`.
        image_channels: channels of the translated images; comes from the data set.
        truncate_output: truncate translated images to integers instead of rounding them.
        settings: values of `Settings` that replace its defaults.

    Attributes:
        TRAINING_ONLY: names of constructor options, and of submodules, that only training needs,
            such as discriminators and losses. An opened checkpoint lacks them.
        Settings: a frozen dataclass of the options of a translation, such as a number of steps.
            Its fields become `--set NAME=VALUE`, appear in `translate --help`, and are part of
            results, reports and cache keys.
        stride: `synthesise` gets batches whose height and width are multiples of this.
        smallest_side: the smallest height and width, in pixels, that `synthesise` gets.
        batched: declare that `synthesise` draws random numbers with `scene_noise` only, or none,
            and that no image depends on the others of its batch. Otherwise scenes are translated
            one by one, with torch's random numbers seeded by the scene's name.
        varies: declare that two samples of one scene differ, apart from sampled styles.
        image_depth: bits of each channel of the translated images, 8 or 16; set for the data.
        compiled: options of torch.compile in training, by the name of the part.
        encoder: the network that computes styles from real images; None for a method without
            styles.
        style_bank: the encoder's styles by class; None without an encoder.

    Raises:
        UserError: a setting is unknown, or its value has the wrong type.
    """

    TRAINING_ONLY: ClassVar[tuple[str, ...]] = ()
    Settings: ClassVar[type[Any]] = NoSettings

    stride: Positive = 1
    smallest_side: Positive = 1
    batched: bool = False
    varies: bool = False
    image_depth: int = 8

    encoder: Any
    style_bank: StyleBank | None

    def __init__(
        self,
        data_preprocessor: Preprocessor,
        image_channels: int = 3,
        truncate_output: bool = False,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.data_preprocessor = data_preprocessor
        self.image_channels = image_channels
        self.truncate_output = truncate_output
        try:
            self.settings = settings_of(type(self), settings or {})
        except UserError as error:
            raise UserError(f"model.settings of the config: {error}") from None
        self.compiled: Mapping[str, Any] = {}
        self.encoder = None
        self.style_bank = None

    def add_encoder(self, cfg: Mapping[str, Any] | None) -> int:
        """Build `encoder` and `style_bank`, and return the number of style channels.

        `stride` and `smallest_side` become those of the encoder. The result is 0, and nothing
        changes, without a config.

        Args:
            cfg: config of the encoder, or None.

        Raises:
            UserError: the config is wrong.
        """
        if not cfg:
            return 0
        rgb = self.image_channels == 3  # the default of encoders
        options = {} if rgb else {"in_channels": self.image_channels}
        self.encoder = ENCODERS.build(cfg, **options)
        channels: int = self.encoder.out_channels
        num_classes = self.data_preprocessor.num_classes
        self.style_bank = StyleBank(num_classes, channels, self.encoder.num_styles)
        self.stride, self.smallest_side = self.encoder.stride, self.encoder.smallest_side
        return channels

    def styled(self, condition: Tensor, styles: Tensor | None) -> Tensor:
        """Return a condition BCHW with the encoder's styles BCHW behind it, if there are any."""
        return condition if styles is None else torch.cat([condition, styles], 1)

    @abstractmethod
    def losses(self, batch: Batch) -> Losses:
        """Return the losses that a training step minimises, by optimiser, and those for the log.

        The check of a config before training calls this on torch's "meta" device, whose tensors
        have no values. Nothing in it may depend on the values of a tensor.

        Args:
            batch: one preprocessed batch.
        """

    @abstractmethod
    def synthesise(self, batch: Batch, settings: Any) -> Tensor:
        """Return translated images BCHW in [-1, 1].

        Args:
            batch: preprocessed scenes without their real images. Height and width suit `stride` and
                `smallest_side`. With an encoder, `features` holds the styles, BCHW.
            settings: an instance of this class's `Settings`.
        """

    def synthesise_in_tiles(
        self, scene: Batch, size: tuple[int, int], tile: tuple[int, int], settings: Any
    ) -> Tensor:
        """Return the image of `synthesise` for one scene, up to rounding, using less memory.

        A method without tiles, the default, raises NotImplementedError. `check_tiles` is called
        before.

        Args:
            scene: a batch of one scene at its original size, without its condition.
            size: the (height, width) of the image to make, the scene's size rounded up for
                `stride`.
            tile: the (width, height) of a tile.
            settings: an instance of this class's `Settings`.
        """
        raise NotImplementedError

    def check_tiles(self) -> None:
        """Check that the method can work in tiles; the default always raises.

        A method that overrides `synthesise_in_tiles` overrides this, too.

        Raises:
            UserError: the method cannot work in tiles.
        """
        raise no_tiles(self)

    def train_step(self, data: Any, optim_wrapper: Optimizers) -> dict[str, Tensor]:
        """Update every network. All losses are computed with the weights from before the update.

        Args:
            data: collated samples, or a list of them whose mean gradient makes one update.
            optim_wrapper: the optimisers by the names of `networks`.

        Returns:
            The logged scalars, detached and averaged over the list.
        """
        return simultaneous_update(self, batches_of(data), optim_wrapper)

    def parts(self) -> dict[str, nn.Module]:
        """Return the networks by name: by default the direct submodules that are not None.

        The preprocessor and the style bank are left out.
        """
        others = ("data_preprocessor", "style_bank")
        return {name: part for name, part in self.named_children() if name not in others}

    def networks(self) -> dict[str, dict[str, nn.Parameter]]:
        """Return the parameters that each optimiser trains, by name, by the optimiser's name.

        By default each of `parts` has an optimiser of its name. A part without parameters is left
        out. A network without trainable parameters, such as a frozen one, has an empty dict and
        needs no optimiser.
        """
        return {
            name: self.trainable_parameters(name)
            for name, part in self.parts().items()
            if list(part.parameters())
        }

    def trainable_parameters(self, *names: str) -> dict[str, nn.Parameter]:
        """Return the parameters of direct submodules that are not frozen, by their full name.

        Args:
            names: the names of the submodules. Names that this translator lacks are ignored.
        """
        return {
            name: parameter
            for name, parameter in self.named_parameters()
            if name.partition(".")[0] in names and parameter.requires_grad
        }

    def translation_parts(self) -> tuple[str, ...]:
        """Return the names of the parts that synthesis needs, whose weights EMA averages.

        By default these are all `parts` that are not in `TRAINING_ONLY`.
        """
        return tuple(name for name in self.parts() if name not in self.TRAINING_ONLY)

    def evaluations(self, settings: Any) -> int:
        """Return how often the networks run for one image (NFE), to compare costs; by default 1.

        Args:
            settings: an instance of this class's `Settings`.
        """
        return 1

    def blank_features(self, condition: Tensor) -> Tensor | None:
        """Return zeros as styles, BCHW with the encoder's channels; None without an encoder.

        Args:
            condition: a condition BCHW, whose size, type and device are taken.
        """
        if self.encoder is None:
            return None
        size = (len(condition), self.encoder.out_channels, *condition.shape[-2:])
        return condition.new_zeros(size)

    def blank_scene(self, condition: Tensor) -> Batch:
        """Return a preprocessed scene with a condition 1CHW and zeros everywhere else.

        The scene has a real image, and the maps and images that the condition and the encoder need.
        """
        preprocessor = self.data_preprocessor
        needs = {*preprocessor.needs, *(("instance",) if self.encoder is not None else ())}

        def zeros(channels: int, dtype: torch.dtype = torch.float32) -> Tensor:
            return condition.new_zeros(1, channels, *condition.shape[-2:], dtype=dtype)

        scene: Batch = {"names": ["scene"], "condition": condition}
        scene["real"] = zeros(self.image_channels)
        if "label" in needs:
            scene["label"] = zeros(1, torch.uint8)
        if "instance" in needs:
            scene["instance"] = zeros(1, torch.int32)
        if "source" in needs:
            scene["source"] = zeros(preprocessor.channels_by_kind.get("source", 3), torch.uint8)
        return scene

    def run_networks(self, batch: Batch) -> None:
        """Run every network once on a preprocessed batch; results are dropped.

        By default this calls `losses` and `synthesise`. `start_from` uses it to find the layers
        that read the condition.
        """
        self.losses(batch)
        self.synthesise(batch, self.settings)

    def previous_names(
        self, own: Mapping[str, Any], before: Mapping[str, Any]
    ) -> dict[str, str | None]:
        """Return the name that each weight had in the previous stage; None for a new weight.

        By default all weights have kept their names.

        Args:
            own: the state dict of this translator; its keys are the keys of the result.
            before: the state dict of the previous stage.
        """
        return {name: name for name in own}

    def forward(self, batch: Batch) -> Tensor:
        """Return the images of `synthesise`, BCHW in [-1, 1], with the method's own settings."""
        return self.synthesise(batch, self.settings)


def method_named(kind: Any) -> type[Translator]:
    """Return the translator class that is registered under a name.

    Args:
        kind: the `type` of a config's model.

    Raises:
        UserError: the name is unknown, or its class violates the contract of Translator.
    """
    method = TRANSLATORS.part(kind)
    if not (isinstance(method, type) and issubclass(method, Translator)):
        raise UserError(
            f"{kind!r} is not a translator: let its class inherit from "
            "i2ibench.models.translators.base.Translator."
        )
    check_class(TRANSLATORS.name, method, TRANSLATORS.base_classes())
    if not isinstance(method.TRAINING_ONLY, tuple):
        raise UserError(
            f"{method.__name__}.TRAINING_ONLY is {method.TRAINING_ONLY!r}: write a tuple of names, "
            'such as ("discriminator",).'
        )
    check_settings_class(method)
    return method
