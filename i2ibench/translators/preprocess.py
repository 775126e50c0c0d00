"""Preprocessing on the device: compact integers in, condition and image tensors out."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from i2ibench.errors import UserError
from i2ibench.ops.images import colour_labels, to_signed
from i2ibench.ops.labels import one_hot, one_hot_with_boundaries
from i2ibench.registry import PREPROCESSORS
from i2ibench.structures import Batch


@PREPROCESSORS.register_module()
class LabelPreprocessor(BaseDataPreprocessor):
    """The condition of Sec. 3.3: one-hot labels and, by choice, the instance boundary map.

    Args:
        num_classes: one-hot channels; comes from the data set.
        boundaries: append the boundary map; needs instance maps.
    """

    def __init__(self, num_classes: int, boundaries: bool = True) -> None:
        super().__init__(non_blocking=True)
        self.num_classes = self.one_hot_channels = num_classes
        self.boundaries = boundaries
        self.needs = ("label", "instance") if boundaries else ("label",)
        self.condition_channels = num_classes + boundaries

    def forward(self, data: dict[str, Any], training: bool = False) -> Batch:
        """The batch on this module's device for collated samples.

        Raises:
            UserError: the data has no label maps, or no instance maps for the boundaries.
        """
        data = self.cast_data(data)
        _require(data, "label", "The condition is made of label maps; for other pictures take "
                 "data_preprocessor=dict(type='ImagePreprocessor')")  # fmt: skip
        if not self.boundaries:
            return _batch(data, one_hot(data["label"], self.num_classes))
        _require(data, "instance", "The condition includes instance boundaries; add instance "
                 "maps, or set data_preprocessor.boundaries=False")  # fmt: skip
        maps = data["label"], data["instance"]
        return _batch(data, one_hot_with_boundaries(*maps, self.num_classes))


@PREPROCESSORS.register_module()
class ColourPreprocessor(BaseDataPreprocessor):
    """The condition as pix2pix's data sets have it: the label map as a picture in [-1, 1].

    Args:
        palette: (red, green, blue) of each class, 0..255; comes from the data set.
    """

    needs = ("label",)
    condition_channels = 3
    palette: Tensor

    def __init__(self, palette: Sequence[Sequence[int]]) -> None:
        super().__init__(non_blocking=True)
        colours = torch.tensor(palette, dtype=torch.uint8)
        self.register_buffer("palette", colours, persistent=False)
        self.num_classes = len(palette)

    def forward(self, data: dict[str, Any], training: bool = False) -> Batch:
        """The batch on this module's device for collated samples.

        Raises:
            UserError: the data has no label maps.
        """
        data = self.cast_data(data)
        _require(data, "label", "The condition is the label map in colour")
        return _batch(data, to_signed(colour_labels(data["label"], self.palette)))


@PREPROCESSORS.register_module()
class ImagePreprocessor(BaseDataPreprocessor):
    """The condition as a picture in [-1, 1]: edges, or any other source.

    Args:
        num_classes: of the label maps that instances belong to; comes from the data set.
    """

    needs = ("source",)
    condition_channels = 3

    def __init__(self, num_classes: int = 0) -> None:
        super().__init__(non_blocking=True)
        self.num_classes = num_classes

    def forward(self, data: dict[str, Any], training: bool = False) -> Batch:
        """The batch on this module's device for collated samples.

        Raises:
            UserError: the data has no sources.
        """
        data = self.cast_data(data)
        _require(data, "source", "The condition is a picture; name its folder as the data set's "
                 "source_dir")  # fmt: skip
        return _batch(data, to_signed(data["source"]))


KINDS = {"label": "label maps", "instance": "instance maps", "source": "sources"}


def _require(data: dict[str, Any], kind: str, reason: str) -> None:
    if kind not in data:
        raise UserError(f"The data has no {KINDS[kind]}. {reason}.")


def without_condition(preprocessor: BaseDataPreprocessor, data: dict[str, Any]) -> Batch:
    """The batch of collated samples on the preprocessor's device, with all but the condition."""
    data = preprocessor.cast_data(data)
    batch = _maps(data)
    if "source" in data:
        batch["source"] = data["source"]
    return batch


def _batch(data: dict[str, Any], condition: Tensor) -> Batch:
    return {**_maps(data), "condition": condition}


def _maps(data: dict[str, Any]) -> Batch:
    batch: Batch = {"names": data["name"]}
    if "label" in data:
        batch["label"] = data["label"]
    if "instance" in data:
        batch["instance"] = data["instance"]
    if "image" in data:
        batch["real"] = to_signed(data["image"])
    return batch
