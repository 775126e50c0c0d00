"""Inference: the translation of scenes of any size by a trained translator, and its options."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from i2ibench.errors import UserError
from i2ibench.models.ops.images import pad_to_multiple, to_levels
from i2ibench.models.styles.bank import StyleBank
from i2ibench.models.translators.base import Translator
from i2ibench.models.translators.compilation import compile_parts, require_compiler
from i2ibench.models.translators.conditions import without_condition
from i2ibench.models.translators.inference_settings import settings_of
from i2ibench.models.translators.scene_noise import drawing_for, draws_nothing
from i2ibench.models.translators.tile_inputs import sized_tensor
from i2ibench.structures import Batch, Prediction, to_predictions

REAL_IMAGES = ("real", "image")
"""Keys of a batch that hold real images, which a method does not get in a translation."""

SMALLEST_TILE = 64
"""The smallest side of a tile in pixels. Smaller tiles would mostly compute their margins."""


@dataclass(frozen=True)
class InferenceOptions:
    """The options of a translation that a user chooses for any method.

    Attributes:
        precision: "bf16", or None for float32.
        compile_mode: one of `compilation.MODES`, or None for networks that are not compiled.
        tile: the (width, height) of the tiles to work in, or None for whole scenes.
        settings: values of the method's own `Settings` that replace the checkpoint's.

    Raises:
        UserError: the precision is unknown, the tile is no pair of integers, too small or odd, or
            tiles and compilation are combined.
    """

    precision: str | None = None
    compile_mode: str | None = None
    tile: tuple[int, int] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if self.precision not in (None, "bf16"):
            raise UserError(f"precision is 'bf16' or None for float32, not {self.precision!r}.")
        if self.tile is None:
            return
        if not isinstance(self.tile, tuple | list) or [type(n) for n in self.tile] != [int, int]:
            raise UserError(f"A tile is a pair (width, height) in pixels, not {self.tile!r}.")
        width, height = self.tile
        if min(self.tile) < SMALLEST_TILE or width % 2 or height % 2:
            even = "x".join(str(max(side + side % 2, SMALLEST_TILE)) for side in self.tile)
            raise UserError(
                f"A tile of {width}x{height} does not do: sides are even and at least "
                f"{SMALLEST_TILE}. The next one is {even}."
            )
        if self.compile_mode:
            raise UserError("Work in tiles cannot be compiled: leave --compile or --tile out.")


DEFAULT_OPTIONS = InferenceOptions()
"""Whole scenes in float32, with the checkpoint's own settings."""


class Inference:
    """A translator with the options of its translations.

    An image depends on the weights, the scene, its name, the sample's number and the options. It
    does not depend on the other scenes of its batch or on earlier images.

    Args:
        translator: a translator in eval mode, on its device.
        options: the options of the translations.

    Attributes:
        bank: the style bank from which styles are sampled, the translator's own by default. None
            without an encoder.
        settings: an instance of the translator's `Settings`.

    Raises:
        UserError: a setting is unknown or has the wrong type, the method cannot work in tiles, or
            this machine cannot compile.
    """

    def __init__(self, translator: Translator, options: InferenceOptions = DEFAULT_OPTIONS) -> None:
        self.translator, self.options = translator, options
        own = asdict(translator.settings)
        self.settings = settings_of(type(translator), {**own, **options.settings})
        self.bank: StyleBank | None = translator.style_bank
        if options.tile is not None:
            translator.check_tiles()
        if options.compile_mode is not None:
            self._compile(options.compile_mode)

    def image_options(self) -> dict[str, Any]:
        """Return the options that affect images as JSON values: `amp`, `compile` and `settings`.

        Options that are None or empty are left out. So are tiles, since they give the same images
        up to rounding.
        """
        options = {
            "amp": self.options.precision,
            "compile": self.options.compile_mode,
            "settings": asdict(self.settings),
        }
        return {name: value for name, value in options.items() if value}

    @property
    def varies(self) -> bool:
        """Return whether two samples of one scene may differ, by styles, noise or dropout.

        A translator with a style bank counts as varying, even if each class has a single mode.
        """
        return self.bank is not None or self.translator.varies

    @torch.inference_mode()
    def predict(self, data: Any, encode_photo: bool = False, sample: int = 0) -> list[Prediction]:
        """Return one prediction for each collated sample, with the image at its original size.

        Args:
            data: collated samples of any size.
            encode_photo: encode styles from the real image, which gives away a part of the
                solution, instead of sampling them from the bank.
            sample: the number of the random translation of each scene, from 0 on. It seeds the
                random numbers together with the scene's name.

        Raises:
            UserError: the networks return NaN or infinity, or there are no real images to encode.
        """
        batch = self.prepared(data)
        if sample:  # the name seeds all random numbers
            batch["names"] = [f"{name}/{sample}" for name in batch["names"]]
        features = self.encode(batch) if encode_photo else self.sample_styles(batch)
        return to_predictions(self.paint(batch, features), data)

    @torch.inference_mode()
    def paint(self, batch: Batch, features: Tensor | None) -> Tensor:
        """Return the integer images of a batch in given styles, BCHW at the scenes' original size.

        Images are uint8, or int32 in 0..65535 for 16-bit data.

        Args:
            batch: preprocessed scenes of any size.
            features: the styles, BCHW in [-1, 1], constant on each instance; None without an
                encoder.

        Raises:
            UserError: the networks return NaN or infinity.
        """
        height, width = sized_tensor(batch).shape[-2:]
        images = self.images(batch, features)
        require_finite(images, batch["names"])
        method = self.translator
        levels = to_levels(images, method.image_depth, method.truncate_output)
        return levels[..., :height, :width]

    def images(self, batch: Batch, features: Tensor | None) -> Tensor:
        """Return float images BCHW in [-1, 1] of a batch, at the padded size.

        Scenes are translated together if the method is `batched` and there are no tiles, otherwise
        one by one. Values are not checked.

        Args:
            batch: preprocessed scenes of any size.
            features: the styles, BCHW in [-1, 1]; None without an encoder.

        Raises:
            UserError: a `batched` method has drawn random numbers from torch's generators.
        """
        values = self.inputs(batch, features)
        device = sized_tensor(values).device
        with self._at_precision(device):
            if self.translator.batched and self.options.tile is None:
                with draws_nothing(type(self.translator).__name__, device):
                    return self.translator.synthesise(values, self.settings)
            return self._one_by_one(values, device)

    def inputs(self, batch: Batch, features: Tensor | None) -> Batch:
        """Return the batch that the translator gets, padded unless it works in tiles.

        It has no real images, except the integer `image` if a condition that is computed tile by
        tile may need it.

        Args:
            batch: preprocessed scenes.
            features: the styles, which become `features` of the batch; or None.
        """
        tiled = self.options.tile is not None
        hidden = REAL_IMAGES if not tiled or "condition" in batch else REAL_IMAGES[:1]
        values: Any = {key: value for key, value in batch.items() if key not in hidden}
        if features is not None:
            values["features"] = features
        if not tiled:
            values = {k: v if k == "names" else self.padded(v) for k, v in values.items()}
        return values  # type: ignore[no-any-return]

    def prepared(self, data: Any) -> Batch:
        """Return the preprocessed batch of collated data, on the translator's device.

        For work in tiles the batch has the condition's inputs instead of the condition.
        """
        if self.options.tile is None:
            batch: Batch = self.translator.data_preprocessor(data)
            return batch
        return without_condition(self.translator.data_preprocessor, data)

    def sample_styles(self, batch: Batch) -> Tensor | None:
        """Return styles BCHW sampled from the style bank for each scene; None without an encoder.

        The scenes' names seed the choice.
        """
        if self.bank is None:
            return None
        scenes = zip(batch["names"], batch["label"], batch["instance"], strict=True)
        return torch.stack([self.bank.sample(*scene) for scene in scenes])

    def encode(self, batch: Batch) -> Tensor:
        """Return the encoder's features of the real images of a batch, float32 BCHW.

        They have the size of the scenes, which may be any.

        Args:
            batch: preprocessed scenes with `real` and `instance`.

        Raises:
            UserError: the batch has no real images.
        """
        encoder = self.translator.encoder
        assert encoder is not None
        if "real" not in batch:
            raise UserError("Styles are to be encoded from photos, but the data has none.")
        height, width = batch["real"].shape[-2:]
        real, instance = self.padded(batch["real"]), self.padded(batch["instance"])
        with self._at_precision(real.device):
            if self.options.tile is not None:
                features = encoder.in_tiles(real, instance, self.options.tile)
            else:
                features = encoder(real, instance)
        return features[..., :height, :width].float()

    def _at_precision(self, device: torch.device) -> AbstractContextManager[Any]:
        if self.options.precision != "bf16":
            return nullcontext()
        return torch.autocast(device.type, torch.bfloat16)

    def padded(self, x: Tensor) -> Tensor:
        """Return BCHW padded to a size that the networks accept, at the right and bottom.

        Padding repeats the last column and row; see `pad_to_multiple`.
        """
        return pad_to_multiple(x, self.translator.stride, self.translator.smallest_side)

    def _one_by_one(self, batch: Any, device: torch.device) -> Tensor:
        """Return the images BCHW of a batch, each made alone with its own random numbers.

        The scene's name seeds torch's random numbers. Each image is made as a whole or, with the
        option `tile`, in tiles.
        """
        height, width = self.padded(sized_tensor(batch)[:, :1]).shape[-2:]
        size, tile, images = (height, width), self.options.tile, []
        for i, name in enumerate(batch["names"]):
            scene: Any = {key: value[i : i + 1] for key, value in batch.items()}
            with drawing_for(name, device):
                if tile is None:
                    image = self.translator.synthesise(scene, self.settings)
                else:
                    image = self.translator.synthesise_in_tiles(scene, size, tile, self.settings)
                images.append(image.clone())  # a CUDA graph writes every image to the same memory
        return images[0] if len(images) == 1 else torch.cat(images)

    def _compile(self, mode: str) -> None:
        """Set up the compilation of the parts that make images, each at its first call.

        Only speed and rounding change. The first image waits for the compilation of its size, the
        first image of a second size for a compilation with dynamic sizes. CUDA graphs are recorded
        for each size.
        """
        options = {"mode": mode}
        names = self.translator.translation_parts()
        device = next(self.translator.parameters()).device.type
        require_compiler({names[0]: options}, device)
        parts = self.translator.parts()
        compile_parts({name: parts[name] for name in names}, dict.fromkeys(names, options))


def require_finite(images: Tensor, names: Sequence[str]) -> None:
    """Check that images hold neither NaN nor infinity.

    Args:
        images: the images of a batch.
        names: the names of all scenes of the batch, for the message.

    Raises:
        UserError: they do; the message names all scenes of the batch.
    """
    if not images.isfinite().all():
        raise UserError(
            f"The networks give NaN or infinity for {', '.join(names)}: the training has diverged; "
            "take an earlier checkpoint or a smaller learning rate."
        )
