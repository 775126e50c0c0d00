"""The inference object: images of scenes by a trained translator, scenes of any size."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from i2ibench.errors import UserError
from i2ibench.inference.options import PLAIN, InferenceOptions
from i2ibench.models.ops.images import pad_to_multiple, to_levels
from i2ibench.models.styles.bank import StyleBank
from i2ibench.models.translators.base import Translator
from i2ibench.models.translators.compilation import compile_parts, require_compiler
from i2ibench.models.translators.conditions import without_condition
from i2ibench.models.translators.scene_noise import drawing_for, draws_nothing
from i2ibench.models.translators.settings import settings_of
from i2ibench.models.translators.tiles import reference
from i2ibench.structures import Batch, Prediction, to_predictions

PHOTOS = ("real", "image")
"""A method is not shown these of a scene that it translates."""


class Inference:
    """Makes images with a translator; all that is chosen for that is kept here.

    Images depend on the weights, the scene, its name, the sample's number and these options, but
    neither on the batch that a scene is in nor on what was made before.

    Args:
        translator: in eval mode, on its device.
        options: how images are made.

    Attributes:
        bank: from which styles are drawn; the translator's own unless another one is put here.
            None without an encoder.
        settings: of the translator's `Settings`.

    Raises:
        UserError: a setting is unknown or of another kind, the method cannot work in tiles, or
            nothing can be compiled on this machine.
    """

    def __init__(self, translator: Translator, options: InferenceOptions = PLAIN) -> None:
        self.translator, self.options = translator, options
        own = asdict(translator.settings)
        self.settings = settings_of(type(translator), {**own, **options.settings})
        self.bank: StyleBank | None = translator.style_bank
        if options.tile is not None:
            translator.check_tiles()
        if options.compile_mode is not None:
            self._compile(options.compile_mode)

    def image_options(self) -> dict[str, Any]:
        """Return what of the options decides the images, in plain JSON; defaults are left out.

        Tiles are not in it: they give the same images up to rounding.
        """
        chosen = {
            "amp": self.options.precision,
            "compile": self.options.compile_mode,
            "settings": asdict(self.settings),
        }
        return {name: value for name, value in chosen.items() if value}

    @property
    def varies(self) -> bool:
        """Return whether translations of one scene differ: styles, noise or dropout are drawn."""
        return self.bank is not None or self.translator.varies

    @torch.inference_mode()
    def predict(self, data: Any, encode_photo: bool = False, sample: int = 0) -> list[Prediction]:
        """Return one translated scene per sample of collated data, at its exact size, any size.

        Args:
            data: collated samples.
            encode_photo: styles from the photo, which shows part of the answer, not from the bank.
            sample: which of a scene's random translations, from 0 on.

        Raises:
            UserError: the networks give numbers that are not finite.
        """
        batch = self.prepared(data)
        if sample:  # what is drawn depends on the scene's name
            batch["names"] = [f"{name}/{sample}" for name in batch["names"]]
        features = self.encode(batch) if encode_photo else self.sample_styles(batch)
        return to_predictions(self.paint(batch, features), data)

    @torch.inference_mode()
    def paint(self, batch: Batch, features: Tensor | None) -> Tensor:
        """Return the images of a batch in given styles, BCHW of its exact size, any size.

        They are uint8, or int32 in 0..65535 where the data has 16 bits.

        Args:
            batch: preprocessed scenes.
            features: BCHW in [-1, 1], one value per instance; None without an encoder.

        Raises:
            UserError: the networks give numbers that are not finite.
        """
        height, width = reference(batch).shape[-2:]
        images = self.images(batch, features)
        require_finite(images, batch["names"])
        method = self.translator
        levels = to_levels(images, method.image_depth, method.truncate_output)
        return levels[..., :height, :width]

    def images(self, batch: Batch, features: Tensor | None) -> Tensor:
        """Return images BCHW in [-1, 1] of a batch, of the size that the networks take.

        Args:
            batch: preprocessed scenes.
            features: BCHW in [-1, 1], or None.
        """
        values = self.inputs(batch, features)
        device = reference(values).device
        with self._at_precision(device):
            if self.translator.batched and self.options.tile is None:
                with draws_nothing(type(self.translator).__name__, device):
                    return self.translator.synthesise(values, self.settings)
            return self._one_by_one(values, device)

    def inputs(self, batch: Batch, features: Tensor | None) -> Batch:
        """Return what the translator is shown of a batch, of the size that its networks take.

        Tiles are shown the scene as it is. The photo is left out, except where a condition that is
        made tile by tile takes its edges.
        """
        tiled = self.options.tile is not None
        hidden = PHOTOS if not tiled or "condition" in batch else PHOTOS[:1]
        values: Any = {key: value for key, value in batch.items() if key not in hidden}
        if features is not None:
            values["features"] = features
        if not tiled:
            values = {k: v if k == "names" else self.padded(v) for k, v in values.items()}
        shown: Batch = values
        return shown

    def prepared(self, data: Any) -> Batch:
        """Return the batch of collated data; for tiles without its condition, which they make."""
        if self.options.tile is None:
            batch: Batch = self.translator.data_preprocessor(data)
            return batch
        return without_condition(self.translator.data_preprocessor, data)

    def sample_styles(self, batch: Batch) -> Tensor | None:
        """Return styles of a batch from the style bank, BCHW; None without an encoder."""
        if self.bank is None:
            return None
        rows = zip(batch["names"], batch["label"], batch["instance"], strict=True)
        return torch.stack([self.bank.sample(*row) for row in rows])

    def encode(self, batch: Batch) -> Tensor:
        """Return the encoder's features for the photos of a batch of any size, BCHW.

        Raises:
            UserError: the batch has no photos.
        """
        encoder = self.translator.encoder
        assert encoder is not None
        if "real" not in batch:
            raise UserError("Styles are to be encoded from photos, but the data has none.")
        height, width = batch["real"].shape[-2:]
        photo, instance = self.padded(batch["real"]), self.padded(batch["instance"])
        with self._at_precision(photo.device):
            if self.options.tile is not None:
                features = encoder.in_tiles(photo, instance, self.options.tile)
            else:
                features = encoder(photo, instance)
        return features[..., :height, :width].float()

    def _at_precision(self, device: torch.device) -> AbstractContextManager[Any]:
        if self.options.precision != "bf16":
            return nullcontext()
        return torch.autocast(device.type, torch.bfloat16)

    def padded(self, x: Tensor) -> Tensor:
        """Return BCHW enlarged to a size that the networks take, by repeating its edge."""
        return pad_to_multiple(x, self.translator.stride, self.translator.smallest_side)

    def _one_by_one(self, batch: Any, device: torch.device) -> Tensor:
        """Images, each made alone and with random numbers that its name decides."""
        size = self.padded(reference(batch)[:, :1]).shape[-2:]
        images = []
        for i, name in enumerate(batch["names"]):
            scene: Any = {key: value[i : i + 1] for key, value in batch.items()}
            with drawing_for(name, device):
                # A CUDA graph writes every image to the same place.
                images.append(self._one(scene, (size[0], size[1])).clone())
        return images[0] if len(images) == 1 else torch.cat(images)

    def _one(self, scene: Batch, size: tuple[int, int]) -> Tensor:
        if self.options.tile is None:
            return self.translator.synthesise(scene, self.settings)
        return self.translator.synthesise_in_tiles(scene, size, self.options.tile, self.settings)

    def _compile(self, mode: str) -> None:
        """Compile what makes images, each part when it is first called.

        Nothing but speed and rounding changes. The first image waits until its size is compiled,
        the first of a second size until all sizes are; with CUDA graphs every further size is
        recorded.
        """
        options = {"mode": mode}
        names = self.translator.translation_parts()
        device = next(self.translator.parameters()).device.type
        require_compiler({names[0]: options}, device)
        parts = self.translator.parts()
        compile_parts({name: parts[name] for name in names}, dict.fromkeys(names, options))


def require_finite(images: Tensor, names: Sequence[str]) -> None:
    """Refuse images that hold NaN or infinity.

    Raises:
        UserError: names the scenes.
    """
    if not images.isfinite().all():
        raise UserError(
            f"The networks give NaN or infinity for {', '.join(names)}: the training has diverged; "
            "take an earlier checkpoint or a smaller learning rate."
        )
