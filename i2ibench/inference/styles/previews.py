"""Previews: each class's modes, painted on real scenes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import default_collate

from i2ibench.inference.inference import Inference
from i2ibench.models.ops.images import to_shown
from i2ibench.models.styles.bank import StyleBank
from i2ibench.models.styles.instances import instances_of, paint
from i2ibench.registry.contracts import Dataset

Image = NDArray[np.uint8]

SMALLEST_SHARE = 0.004
"""A class is shown on scenes of which it covers at least this share."""


@dataclass(frozen=True)
class Row:
    """One scene in every mode of a class.

    Attributes:
        scene: its name.
        photo: uint8 [H,W,3], or None.
        images: one uint8 [H,W,3] per mode.
        region: bool [H,W], the instances of the class.
    """

    scene: str
    photo: Image | None
    images: list[Image]
    region: NDArray[np.bool_]


def largest_scenes(
    dataset: Dataset, positions: Sequence[int], num_classes: int, count: int
) -> list[list[int]]:
    """For each class the positions of the scenes of which it covers most, `count` or fewer.

    Args:
        dataset: the scenes.
        positions: those that are looked at.
        num_classes: N.
        count: how many at most.
    """
    shares = np.zeros((len(positions), num_classes))
    for row, position in enumerate(positions):
        sample = dataset[position]
        found = instances_of(sample["label"], sample["instance"])
        covered = np.bincount(found.labels, weights=found.sizes, minlength=num_classes)
        shares[row] = covered / sample["label"].numel()
    chosen = []
    for share in shares.T:
        order = np.argsort(-share, kind="stable")[:count]
        chosen.append([positions[i] for i in order if share[i] >= SMALLEST_SHARE])
    return chosen


@torch.inference_mode()
def render_modes(
    inference: Inference,
    sample: Any,
    label: int,
    on_image: Callable[[], None] = lambda: None,
) -> Row:
    """A scene with every instance of a class in mode 0, in mode 1, ...; the others as sampled.

    Args:
        inference: has a style bank.
        sample: the scene.
        label: the class.
        on_picture: called after each image.
    """
    bank = inference.bank
    assert isinstance(bank, StyleBank)
    batch = inference.translator.data_preprocessor(default_collate([sample]))
    found = instances_of(batch["label"][0], batch["instance"][0])
    drawn = bank.choose(sample["name"], found.ids, found.labels)
    inside = found.labels == label
    images = []
    for mode in range(int(bank.counts[label])):
        modes = torch.where(inside, mode, drawn)
        features = paint(bank.vectors(found.labels, modes), found.members)
        images.append(_array(inference.paint(batch, features[None])[0]))
        on_image()
    photo = _array(sample["image"]) if "image" in sample else None
    return Row(sample["name"], photo, images, inside[found.members].cpu().numpy())


def _array(image: Tensor) -> Image:
    return to_shown(image).permute(1, 2, 0).cpu().numpy()
