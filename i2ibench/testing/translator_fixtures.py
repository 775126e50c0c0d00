"""Helpers of the translators' contract tests: build a translator, scenes, optimisers, images."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

import torch
from torch import Tensor

from i2ibench.errors import UserError
from i2ibench.inference.inference import DEFAULT_OPTIONS, Inference, InferenceOptions
from i2ibench.models.translators.base import Translator
from i2ibench.models.translators.inference_settings import settings_of
from i2ibench.registry import PREPROCESSORS, TRANSLATORS
from i2ibench.structures import Batch, Optimizers
from i2ibench.testing.parts import NUM_CLASSES, Workshop
from i2ibench.training.optimizers import build_optimizers

SHAKE = 0.02
"""Standard deviation of the noise that `shaken` adds to weights; zero weights make no image."""


def built(name: str, contract_part: Workshop, without: Sequence[str] = (), **more: Any) -> Any:
    """Return a seeded translator at test size for a condition of labels and instance boundaries.

    Args:
        name: the registered name of the translator.
        contract_part: the builder of parts, which has the translator's options.
        without: names of options to leave out, as when a checkpoint is opened.
        more: further options of the translator, which replace those of the builder.

    Raises:
        UserError: the translator refuses its options.
    """
    torch.manual_seed(0)
    options = {**contract_part.options("translator", name), **more}
    kept = {key: value for key, value in options.items() if key not in without}
    preprocessor = PREPROCESSORS.build({"type": "LabelPreprocessor"}, num_classes=NUM_CLASSES)
    return TRANSLATORS.build({"type": name, **kept}, data_preprocessor=preprocessor)


@torch.no_grad()
def shaken(translator: Translator) -> Any:
    """Add seeded noise to every parameter in place, and return the translator in eval mode."""
    generator = torch.Generator().manual_seed(1)
    for weight in translator.parameters():
        weight.add_(SHAKE * torch.randn(weight.shape, generator=generator))
    return translator.eval()


def size_for(translator: Translator) -> tuple[int, int]:
    """Return the smallest (height, width) from 32x48 on that a translator's networks accept."""
    stride, least = translator.stride, translator.smallest_side
    height, width = (-(-max(side, least) // stride) * stride for side in (32, 48))
    return height, width


def scenes(names: Sequence[str], size: tuple[int, int]) -> dict[str, Any]:
    """Return collated random samples with label, instance and image, and their `name`.

    Equal names give equal scenes.

    Args:
        names: the names of the scenes; a text stands for one name per letter.
        size: (height, width) in pixels.
    """
    drawn = [_scene(name, size) for name in names]
    kinds = ("label", "instance", "image")
    return {"name": list(names), **{k: torch.stack([d[k] for d in drawn]) for k in kinds}}


def _scene(name: str, size: tuple[int, int]) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(sum(name.encode()))
    label = torch.randint(0, NUM_CLASSES, (1, *size), generator=generator).to(torch.uint8)
    image = torch.randint(0, 256, (3, *size), generator=generator).to(torch.uint8)
    return {"label": label, "instance": label.int(), "image": image}


def batch_for(translator: Translator) -> Batch:
    """Return a preprocessed training batch of two random scenes that suits a translator."""
    batch: Batch = translator.data_preprocessor(scenes("ab", size_for(translator)), training=True)
    return batch


def optimizers_of(translator: Translator) -> Optimizers:
    """Return an Adam optimiser with the rate 0.001 for every network with trainable parameters."""
    networks = translator.networks()
    return build_optimizers(networks, dict.fromkeys(networks, {"type": "Adam", "lr": 1e-3}))


def predicted(
    translator: Translator,
    data: dict[str, Any],
    sample: int = 0,
    options: InferenceOptions = DEFAULT_OPTIONS,
) -> Tensor:
    """Return the translations of scenes as integers B3HW, uint8 for 8 bits.

    A translator with an encoder uses the styles of the real images.

    Args:
        translator: the translator.
        data: collated samples, from `scenes`.
        sample: the number of the sample, which decides the random numbers.
        options: settings, precision and tiles.
    """
    inference = Inference(translator, options)
    styled = translator.encoder is not None
    return torch.stack([p["fake"] for p in inference.predict(data, styled, sample)])


@torch.inference_mode()
def images(translator: Translator, names: Sequence[str]) -> Tensor:
    """Return unrounded images BCHW of one scene, one for each of several names of that scene.

    The names only decide the random numbers of a translator that draws any.
    """
    inference = Inference(translator)
    batch = inference.prepared(scenes("s" * len(names), size_for(translator)))
    batch["names"] = list(names)
    features = inference.encode(batch) if translator.encoder is not None else None
    return inference.images(batch, features)


def other_settings(method: type[Translator]) -> dict[str, Any]:
    """Return a valid value other than the default for each setting of a method, by name.

    The values are guesses. Settings for which no guess is accepted are left out.
    """
    hints = get_type_hints(method.Settings)
    found = {}
    for field in fields(method.Settings):
        for value in _others(field.default, hints[field.name]):
            if _accepted(method, {field.name: value}):
                found[field.name] = value
                break
    return found


def _others(default: Any, hint: Any) -> list[Any]:
    literals = [a for one in (hint, *get_args(hint)) for a in _values(one) if a != default]
    if isinstance(default, bool):
        return [not default, *literals]
    if isinstance(default, int | float):
        return [default + 1, default / 2, default - 1, *literals]
    return [*literals, 1, 0.5, "other"]


def _values(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) is Literal else ()


def _accepted(method: type[Translator], values: Mapping[str, Any]) -> bool:
    try:
        settings_of(method, values)
    except UserError:
        return False
    return True
