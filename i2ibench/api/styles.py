"""Styles that a caller chooses: random, from the photo, or by instance."""

from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

from i2ibench.errors import UserError
from i2ibench.inference.inference import Inference
from i2ibench.models.ops.instance_regions import Instances, instances_of, paint
from i2ibench.structures import Batch, Sample

Style: TypeAlias = int | Sequence[float]
"""The number of a mode of the instance's class, from 0 on, or a vector of the encoder."""

Styles: TypeAlias = Literal["random", "photo"] | Mapping[int, Style]
"""The styles of a scene: "random", "photo", or the style of some instances by id."""


def require_styles(inference: Inference, sample: Sample, styles: Styles, name: str) -> None:
    """Check that styles suit a system and a scene; instances are checked by `chosen_styles`.

    Args:
        inference: the system.
        sample: the scene.
        styles: the styles.
        name: the name of the system, for messages.

    Raises:
        UserError: the styles are unknown, the system has no encoder, or the photo is missing.
    """
    if styles == "random":
        return
    if styles != "photo" and not isinstance(styles, Mapping):
        raise UserError(
            f"styles is 'random', 'photo' or a dict of instance id and mode, not {styles!r}."
        )
    for number, style in styles.items() if isinstance(styles, Mapping) else ():
        numbers = style if isinstance(style, Sequence) else [style]
        if not _is_integer(number) or not all(isinstance(n, Real) for n in numbers):
            raise UserError(
                "styles maps the id of an instance, an integer, to the number of a mode or to a "
                f"vector, not {number!r} to {style!r}."
            )
    if inference.translator.encoder is None or inference.bank is None:
        raise UserError(f"{name} has no encoder, so that its images have no styles.")
    if styles == "photo" and "image" not in sample:
        raise UserError("Styles are to be encoded from the photo: pass photo.")


def chosen_styles(inference: Inference, batch: Batch, styles: Sequence[Any]) -> Tensor:
    """Return the features BCHW of scenes in which some instances have chosen styles.

    The other instances have the random modes that `Inference.sample_styles` gives them.

    Args:
        inference: a system with a style bank.
        batch: the preprocessed scenes.
        styles: for each scene the styles of some instances by id.

    Raises:
        UserError: a scene lacks an instance, its class lacks the mode, or a vector has another
            length than the bank's.
    """
    bank = inference.bank
    assert bank is not None
    scenes = zip(batch["names"], batch["label"], batch["instance"], styles, strict=True)
    painted = []
    for name, label, instance, chosen in scenes:
        found = instances_of(label, instance)
        modes = bank.choose(name, found.ids, found.labels)
        vectors = bank.vectors(found.labels, modes)
        for number, style in chosen.items():
            place = _place(found, number)
            vectors[place] = _vector(inference, int(found.labels[place]), number, style)
        painted.append(paint(vectors, found.members))
    return torch.stack(painted)


def _is_integer(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _place(instances: Instances, number: int) -> int:
    places = (instances.ids == number).nonzero()
    if not len(places):
        known = instances.ids.tolist()
        listing = ", ".join(map(str, known[:20])) + (", ..." if len(known) > 20 else "")
        raise UserError(f"The scene has no instance {number!r}. Its instances: {listing}.")
    return int(places[0, 0])


def _vector(inference: Inference, label: int, number: int, style: Style) -> Tensor:
    bank = inference.bank
    assert bank is not None
    count, length = int(bank.counts[label]), bank.centres.shape[-1]
    if not isinstance(style, Sequence):
        if not 0 <= style < count:
            raise UserError(
                f"The class of instance {number} has the modes 0..{count - 1}, not {style}."
            )
        return bank.centres[label, int(style)]
    vector = torch.as_tensor(style, dtype=bank.centres.dtype, device=bank.centres.device)
    if vector.shape != (length,) or not vector.isfinite().all():
        raise UserError(f"The style of instance {number} is a mode or {length} finite numbers.")
    return vector
