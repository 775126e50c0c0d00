"""The protocol on CamVid."""

import os
from collections.abc import Mapping
from typing import Any

from i2ibench.evaluation.protocols.protocol import Protocol, resized
from i2ibench.evaluation.protocols.shared_metrics import common_metrics
from i2ibench.registry import PROTOCOLS

_SIZE = (480, 360)


@PROTOCOLS.register_module(name="camvid")
def camvid(
    split: str = "val",
    width: int = 480,
    height: int = 360,
    segmenter: Mapping[str, Any] | None = None,
    resize: str | None = None,
) -> Protocol:
    """CamVid's validation scenes, scored by the public ESPNet; distances to the training photos.

    Args:
        split: val or test.
        width, height: size of the scored images and labels, pixels.
        segmenter: another segmenter's config.
        resize: filter for images of another size; None refuses them.
    """
    size = (width, height)
    transforms = resized(size if size != _SIZE else None)
    segmenter = segmenter or {
        "type": "ESPNet", "weights": "espnet_p_2_q_8_camvid.pth", "width": 480, "height": 360,
    }  # fmt: skip
    return Protocol(
        "camvid",
        common_metrics(segmenter),
        data={"type": "CamVid", "split": split, "transforms": transforms},
        reference={"type": "CamVid", "split": "train", "transforms": transforms},
        resize=resize,
        root=os.environ.get("CAMVID_ROOT", "data/camvid"),
    )
