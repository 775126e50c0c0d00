"""Blank scenes: what a translator is shown where only shapes, or places of channels, count."""

import torch
from torch import Tensor

from i2ibench.models.translators.base import Translator
from i2ibench.structures import Batch


def blank_scene(translator: Translator, condition: Tensor) -> Batch:
    """Return a preprocessed scene with a condition 1CHW, and zeros in all else that it has.

    It has a photo, and the maps and images that the condition and the encoder need.
    """
    preprocessor = translator.data_preprocessor
    needs = {*preprocessor.needs, *(("instance",) if translator.encoder is not None else ())}

    def planes(channels: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return condition.new_zeros(1, channels, *condition.shape[-2:], dtype=dtype)

    scene: Batch = {"names": ["scene"], "condition": condition}
    scene["real"] = planes(translator.image_channels)
    if "label" in needs:
        scene["label"] = planes(1, torch.uint8)
    if "instance" in needs:
        scene["instance"] = planes(1, torch.int32)
    if "source" in needs:
        scene["source"] = planes(preprocessor.channels_by_kind.get("source", 3), torch.uint8)
    return scene
