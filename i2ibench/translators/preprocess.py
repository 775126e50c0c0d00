"""Preprocessing on the device: compact integers in, condition and image tensors out."""

from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor

from i2ibench.errors import UserError
from i2ibench.ops.images import to_signed
from i2ibench.ops.labels import instance_boundaries, one_hot
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
        super().__init__()
        self.num_classes = num_classes
        self.boundaries = boundaries

    @property
    def condition_channels(self) -> int:
        """Channels of the condition."""
        return self.num_classes + self.boundaries

    def forward(self, data: dict[str, Any], training: bool = False) -> Batch:
        """The batch on this module's device for collated samples.

        Raises:
            UserError: boundaries are wanted and the data has no instance maps.
        """
        data = self.cast_data(data)
        condition = one_hot(data["label"], self.num_classes)
        if self.boundaries:
            if "instance" not in data:
                raise UserError(
                    "The condition includes instance boundaries, but the data set has no instance "
                    "maps. Add them, or set data_preprocessor.boundaries=False."
                )
            condition = torch.cat([condition, instance_boundaries(data["instance"])], 1)
        batch: Batch = {"names": data["name"], "condition": condition, "label": data["label"]}
        if "instance" in data:
            batch["instance"] = data["instance"]
        if "image" in data:
            batch["real"] = to_signed(data["image"])
        return batch
