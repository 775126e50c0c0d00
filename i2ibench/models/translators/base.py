"""The contract of a method: what a translator promises to training, inference and reports."""

from abc import ABCMeta, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from i2ibench.errors import UserError
from i2ibench.models.styles.bank import StyleBank
from i2ibench.models.translators.settings import NoSettings, check_settings_class, settings_of
from i2ibench.models.translators.tiles import no_tiles
from i2ibench.models.translators.updates import batches_of, simultaneous_update
from i2ibench.registry import TRANSLATORS
from i2ibench.registry.contracts import Preprocessor
from i2ibench.registry.contracts.promises import Positive, check_class
from i2ibench.structures import Batch, Losses, Optimizers


class Translator(nn.Module, metaclass=ABCMeta):
    """A method of paired image translation: networks, their losses, and how they make images.

    A subclass builds its networks in `__init__`, and has at least `losses` and `synthesise`. All
    else has defaults. Training, stages, distribution, EMA, checkpoints, evaluation, the editor and
    the memory estimate know a method by this class alone.

    Args:
        data_preprocessor: the built preprocessor; it has `condition_channels`, `num_classes` and
            `needs`.
        image_channels: of the images that are made; comes from the data set.
        truncate_output: cut fractions off in images instead of rounding.
        settings: values of `Settings` that replace its defaults.

    Attributes:
        TRAINING_ONLY: options of the constructor, and submodules of the same names, that an opened
            checkpoint does without, such as discriminators and losses.
        Settings: a frozen dataclass of what can be chosen for each translation, such as a number of
            steps. Its fields become `--set NAME=VALUE`, appear in `translate --help`, and are part
            of results, reports and cache keys.
        stride: height and width of what `synthesise` is given are multiples of this.
        smallest_side: and at least this many pixels.
        batched: the promise that `synthesise` draws random numbers by `scene_noise` alone, or none,
            and that no image depends on its neighbours. Without it scenes are made one by one, each
            under torch's random numbers seeded by its name.
        varies: whether two samples of one scene differ, apart from styles that are drawn.
        image_depth: bits of each channel of the images that are made, 8 or 16; set for the data.
        compiled: by part the options with which torch.compile compiles it in training.
        encoder: makes a photo's styles; None for a method without styles.
        style_bank: the encoder's styles by class; None without an encoder.

    Raises:
        UserError: there is no such setting, or its value is of another kind.
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

    @abstractmethod
    def losses(self, batch: Batch) -> Losses:
        """Return what a training step minimises, by optimiser, for one preprocessed batch.

        It also runs on tensors without contents (torch's "meta" device), by which a config is
        checked before it trains: nothing may depend on the values of a tensor.
        """

    @abstractmethod
    def synthesise(self, batch: Batch, settings: Any) -> Tensor:
        """Return images BCHW in [-1, 1] for a batch whose sides suit `stride` and `smallest_side`.

        Args:
            batch: preprocessed scenes without their photos; with `features`, the planes of their
                styles, if there is an encoder.
            settings: of this class's `Settings`.
        """

    def synthesise_in_tiles(
        self, scene: Batch, size: tuple[int, int], tile: tuple[int, int], settings: Any
    ) -> Tensor:
        """Return what `synthesise` would, up to rounding, in less memory.

        Args:
            scene: a batch of one without its condition, of its exact size.
            size: (height, width) that the image is to have.
            tile: (width, height) of a tile.
            settings: of this class's `Settings`.
        """
        raise NotImplementedError

    def check_tiles(self) -> None:
        """Refuse to work in tiles, unless a subclass can.

        Raises:
            UserError: it cannot.
        """
        raise no_tiles(self)

    def train_step(self, data: Any, optim_wrapper: Optimizers) -> dict[str, Tensor]:
        """Update every network by the losses of the weights before the step.

        Args:
            data: collated samples; or a list of such, whose mean gradient makes one update.
            optim_wrapper: an optimiser for each network.

        Returns:
            the logged scalars, detached, averaged over the list.
        """
        return simultaneous_update(self, batches_of(data), optim_wrapper)

    def parts(self) -> dict[str, nn.Module]:
        """Return the networks by name; by default every direct submodule."""
        others = ("data_preprocessor", "style_bank")
        return {name: part for name, part in self.named_children() if name not in others}

    def networks(self) -> dict[str, dict[str, nn.Parameter]]:
        """Return by optimiser the parameters that it trains, by name.

        By default each of `parts` has an optimiser of its name. A network that is frozen or
        switched off is there without parameters: an optimiser for it is left out.
        """
        weighty = [name for name, part in self.parts().items() if list(part.parameters())]
        return {name: self.trainable_parameters(name) for name in weighty}

    def trainable_parameters(self, *names: str) -> dict[str, nn.Parameter]:
        """Return the parameters of the named direct submodules that are not frozen, by name."""
        return {
            name: parameter
            for name, parameter in self.named_parameters()
            if name.partition(".")[0] in names and parameter.requires_grad
        }

    def translation_parts(self) -> tuple[str, ...]:
        """Return the names of the parts that make images; EMA averages their weights."""
        return tuple(name for name in self.parts() if name not in self.TRAINING_ONLY)

    def evaluations(self, settings: Any) -> int:
        """Return how often a network is run for one image, by which costs are compared (NFE)."""
        return 1

    def blank_features(self, condition: Tensor) -> Tensor | None:
        """Return styles of zeros for a condition BCHW, BCHW; None without an encoder."""
        if self.encoder is None:
            return None
        size = (len(condition), self.encoder.out_channels, *condition.shape[-2:])
        return condition.new_zeros(size)

    def run_networks(self, batch: Batch) -> None:
        """Run every network once on a batch, to see where its condition arrives (`start_from`)."""
        self.losses(batch)
        self.synthesise(batch, self.settings)

    def previous_names(
        self, own: Mapping[str, Any], before: Mapping[str, Any]
    ) -> dict[str, str | None]:
        """Return by own name what a weight was called in the stage before; None if it is new.

        Args:
            own: names of this translator's state dict.
            before: names of the state dict of the stage before.
        """
        return {name: name for name in own}

    def forward(self, batch: Batch) -> Tensor:
        """Return the images of `synthesise` with the default settings."""
        return self.synthesise(batch, self.settings)


def method_named(kind: Any) -> type[Translator]:
    """Return the class of a translator, by its registered name.

    Raises:
        UserError: nothing has the name, or what has it keeps no translator's contract.
    """
    method = TRANSLATORS.part(kind)
    if not (isinstance(method, type) and issubclass(method, Translator)):
        raise UserError(
            f"{kind!r} is no translator: let its class inherit from "
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
