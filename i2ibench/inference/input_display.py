"""Display of the input of a translation as an image."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from i2ibench.data.kinds import KINDS
from i2ibench.data.scenes import is_input
from i2ibench.models.ops.images import colour_labels, to_displayable


def displayed_input(scene: Mapping[str, Any], palette: Sequence[Sequence[int]]) -> Tensor:
    """Return the input of a translation as an image for display, uint8 [3,H,W].

    A label map gets the colours of its classes. Otherwise the source image is shown, or the data of
    a plugin's kind: an image, or the ids of a map modulo 256 as grey levels.

    Args:
        scene: a sample or a prediction.
        palette: (red, green, blue) of each class, 0..255.
    """
    kind = next(kind for kind in KINDS if kind in scene and is_input(kind))
    if kind == "label":
        return colour_labels(scene[kind], palette)
    return to_displayable(scene[kind] % 256 if KINDS[kind].is_map else scene[kind])
