"""What every registered part is built with in the contract tests.

A part that is not named here is built with its defaults, so a new one is tested at once.
"""

from typing import Any

IN_CHANNELS = 6

SMALL: dict[str, dict[str, Any]] = {
    "CoarseToFineGenerator": {"base_channels": 4, "num_downsamplings": 2, "num_blocks": 1},
    "UNetGenerator": {"base_channels": 4, "num_levels": 3, "always_train": False},
    "RefinementGenerator": {"height": 16, "max_channels": 8},
    "MultiScaleDiscriminator": {"num_scales": 2, "base_channels": 4},
    "PatchDiscriminator": {"base_channels": 4},
    "InstanceEncoder": {"base_channels": 4, "num_downsamplings": 2},
    "CompactSegmenter": {"base_channels": 4},
    "TorchvisionSegmenter": {"architecture": "lraspp_mobilenet_v3_large"},
    "Resize": {"width": 24, "height": 16},
    "ScaleWidth": {"width": 24},
    "RoundToMultiple": {"base": 8},
    "RandomCrop": {"width": 24, "height": 16},
}


def config(name: str) -> dict[str, Any]:
    """The config of a part at test size."""
    return {"type": name, **SMALL.get(name, {})}
