"""Protocols on Cityscapes: this project's, and the published ones by name.

What each paper did: pix2pixHD issue 57; SPADE issues 14, 39 and 100; OASIS issues 5 and 18; TSIT
issue 1 (whose accuracy near 82 % counts void pixels as errors; both readings are always computed).
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from i2ibench.evaluation.protocols.protocol import Protocol, resized
from i2ibench.evaluation.protocols.shared_metrics import common_metrics
from i2ibench.registry import PROTOCOLS

_SIZE = (2048, 1024)


@PROTOCOLS.register_module(name="cityscapes")
def cityscapes(
    split: str = "val",
    width: int = 2048,
    height: int = 1024,
    photos: bool = True,
    segmenter: Mapping[str, Any] | None = None,
    samples: int = 1,
    resize: str | None = None,
) -> Protocol:
    """Cityscapes' validation scenes, scored by the public ESPNetv2 at 1024x512.

    Args:
        split: val, or train.
        width, height: size of the scored images and labels, pixels.
        photos: False for label maps without photos: then there is no oracle and no distance.
        segmenter: another segmenter's config.
        samples: images per scene of a system that draws styles.
        resize: filter for images of another size; None refuses them.
    """
    size = (width, height)
    data: dict[str, Any] = {
        "type": "Cityscapes",
        "split": split,
        "transforms": resized(size if size != _SIZE else None),
    }
    data |= {} if photos else {"photos": False}
    segmenter = segmenter or {
        "type": "ESPNetv2", "weights": "espnetv2_s_2.0_city_1024x512.pth", "width": 1024,
        "height": 512,
    }  # fmt: skip
    return Protocol(
        "cityscapes",
        common_metrics(segmenter),
        data,
        samples=samples,
        resize=resize,
        root=os.environ.get("CITYSCAPES_ROOT", "data/cityscapes"),
    )


@PROTOCOLS.register_module(name="cityscapes_pix2pixhd")
def cityscapes_pix2pixhd() -> Protocol:
    """pix2pixHD's Table 1: PSPNet on 2048x1024 images (read `seg/pixel_acc_void_err`).

    The paper's PSPNet weights were never published (issue 214): yours are named in the results.
    """
    network = {"type": "TorchScriptSegmenter", "weights": "pspnet_cityscapes.ts"}
    return replace(cityscapes(segmenter=network), name="cityscapes_pix2pixhd")


@PROTOCOLS.register_module(name="cityscapes_spade")
def cityscapes_spade() -> Protocol:
    """SPADE's: 512x256 images enlarged to 2048x1024 for DRN-D-105, pytorch-fid's resizing.

    The enlargement is how its mIoU could be reproduced (OASIS issue 18); its accuracy is
    `seg/pixel_acc_void_err`.
    """
    network = {
        "type": "TorchScriptSegmenter", "weights": "drn_d_105_cityscapes.ts", "width": 2048,
        "height": 1024,
    }  # fmt: skip
    return _legacy("cityscapes_spade", cityscapes(width=512, height=256, segmenter=network))


@PROTOCOLS.register_module(name="cityscapes_oasis")
def cityscapes_oasis() -> Protocol:
    """OASIS': 512x256 images as they are for DRN-D-105 (its issue 5), pytorch-fid's resizing."""
    network = {"type": "TorchScriptSegmenter", "weights": "drn_d_105_cityscapes.ts"}
    return _legacy("cityscapes_oasis", cityscapes(width=512, height=256, segmenter=network))


def _legacy(name: str, protocol: Protocol) -> Protocol:
    """The protocol with pytorch-fid's features beside clean-fid's."""
    legacy = {
        "type": "DistributionDistance",
        "features": {"type": "InceptionFeatures", "resize": "legacy"},
    }
    metrics = {**protocol.metrics, "distribution_legacy": legacy}
    return replace(protocol, name=name, metrics=metrics)
