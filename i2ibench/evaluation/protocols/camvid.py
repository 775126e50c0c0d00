"""The protocol on CamVid."""

import os
from collections.abc import Mapping
from typing import Any

from i2ibench.evaluation.protocols.protocol import Protocol, common_metrics, resize_transforms
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
    """Return the protocol that scores CamVid's validation scenes with the public ESPNet.

    Distances of distributions (such as FID) are measured from the real images of the training
    scenes. The data lies in $CAMVID_ROOT, or in data/camvid, unless the evaluation names a folder.

    Args:
        split: "val" or "test".
        width, height: the size of the scored images and label maps in pixels.
        segmenter: the config of another segmenter; None for ESPNet with its CamVid weights.
        resize: the filter that resizes images of another size; None refuses such images.

    Raises:
        UserError: a side is no positive integer, or `resize` is no known filter.
    """
    size = (width, height)
    transforms = resize_transforms(size if size != _SIZE else None)
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
