"""Generation in tiles: the whole picture's result where memory does not hold the whole at once."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from i2ibench.datasets.kinds import KINDS
from i2ibench.errors import UserError
from i2ibench.layers.tiles import Tile
from i2ibench.ops.lookup import OneHot
from i2ibench.structures import Batch
from i2ibench.translators.generation import drawing_for, is_random
from i2ibench.translators.preprocess import without_condition

if TYPE_CHECKING:
    from i2ibench.translators.paired import PairedTranslator

SMALLEST = 64
"""Sides of a tile in pixels; smaller ones would mostly compute their margins."""


def use_tiles(translator: "PairedTranslator", tile: tuple[int, int] | None) -> None:
    """Make the translator work in tiles of (width, height), or with None as a whole.

    Raises:
        UserError: the tile is too small or odd, the generator cannot, or it is compiled.
    """
    if tile is not None:
        width, height = tile
        if min(tile) < SMALLEST or width % 2 or height % 2:
            even = "x".join(str(max(side + side % 2, SMALLEST)) for side in tile)
            raise UserError(
                f"A tile of {width}x{height} does not do: sides are even and at least {SMALLEST}. "
                f"The next one is {even}."
            )
        _require_support(translator.generator)
        if translator.compile_mode:
            raise UserError("Nothing of what works in tiles is compiled; leave --compile out.")
    translator.tile = tile


def _require_support(generator: Any) -> None:
    if not hasattr(generator, "in_tiles"):
        raise UserError(
            f"{type(generator).__name__} cannot work in tiles. --amp bf16 or a smaller --size take "
            "less memory, too."
        )
    if generator.stride == 1:
        raise UserError(
            "A generator with num_downsamplings=0 and no enhancers cannot work in tiles: all its "
            "layers are at full size."
        )


def prepared(translator: "PairedTranslator", data: Any) -> Batch:
    """The batch of collated data; in tiles without the condition, which is made as it is needed."""
    if translator.tile is None:
        return translator.data_preprocessor(data)
    return without_condition(translator.data_preprocessor, data)


def encode(translator: "PairedTranslator", photo: Tensor, instance: Tensor) -> Tensor:
    """The encoder's features for padded photos, in tiles where that is asked for and possible."""
    encoder: Any = translator.encoder
    if translator.tile is None or not hasattr(encoder, "in_tiles"):
        return encoder(photo, instance)
    return encoder.in_tiles(photo, instance, translator.tile)


def generate_in_tiles(
    translator: "PairedTranslator", batch: Batch, features: Tensor | None
) -> Tensor:
    """Images B3HW of the padded size for a batch of any size, one scene after the other.

    Equal to `generation.generate` up to rounding.

    Args:
        translator: whose `tile` is set.
        batch: preprocessed scenes, with or without their condition.
        features: BCHW, or None.
    """
    values: Any = batch
    images = []
    for i, name in enumerate(batch["names"]):
        scene: Any = {k: v[i : i + 1] for k, v in values.items()}
        own = None if features is None else features[i : i + 1]
        images.append(_one(translator, scene, own, name))
    return images[0] if len(images) == 1 else torch.cat(images)


def _one(
    translator: "PairedTranslator", scene: Batch, features: Tensor | None, name: str
) -> Tensor:
    """The image of a batch of one scene, 13HW."""
    generator: Any = translator.generator
    draws, channels = is_random(generator), 0
    if getattr(generator, "looks_up", False) and not draws:
        channels = getattr(translator.data_preprocessor, "one_hot_channels", 0)

    def view(tile: Tile) -> tuple[Tensor, OneHot | None]:
        condition = _condition(translator, scene, tile)
        if features is not None:
            condition = torch.cat([condition, _at(features, tile)], 1)
        return condition, OneHot(_at(scene["label"], tile), channels) if channels else None

    anything = reference(scene)
    size = translator.padded(anything[:, :1]).shape[-2:]
    if not draws:
        return translator.as_rgb(generator.in_tiles(view, size, translator.tile))
    with drawing_for(name, anything.device):
        return translator.as_rgb(generator.in_tiles(view, size, translator.tile))


def reference(batch: Batch) -> Tensor:
    """A tensor BCHW of the batch that has the scenes' size."""
    values: Any = batch
    return next(values[kind] for kind in ("condition", *KINDS) if kind in values)


def _condition(translator: "PairedTranslator", scene: Batch, tile: Tile) -> Tensor:
    """The condition where a tile of the enlarged picture lies.

    Made from the maps there and one pixel around, which boundaries depend on.
    """
    if "condition" in scene:
        return _at(scene["condition"], tile)
    height, width = reference(scene).shape[-2:]
    spans = [
        (max(min(s.start, side - 1) - 1, 0), min(s.stop + 1, side))
        for s, side in zip(tile.around, (height, width), strict=True)
    ]
    (top, bottom), (left, right) = spans
    data: Any = {"name": scene["names"]}
    for kind in KINDS.keys() & scene.keys():
        data[kind] = scene[kind][..., top:bottom, left:right]  # type: ignore[literal-required]
    return _at(translator.data_preprocessor(data)["condition"], tile, top, left)


def _at(whole: Tensor, tile: Tile, top: int = 0, left: int = 0) -> Tensor:
    """A tile with its margin of BCHW that begins at `top` and `left`; edges are repeated."""
    height, width = whole.shape[-2:]
    y, x = (
        slice(s.start - begin, s.stop - begin)
        for s, begin in zip(tile.around, (top, left), strict=True)
    )
    if y.stop <= height and x.stop <= width:
        return whole[..., y, x]
    rows, columns = (
        torch.arange(s.start, s.stop, device=whole.device).clamp_(max=side - 1)
        for s, side in ((y, height), (x, width))
    )
    return whole[..., rows, :][..., columns]
