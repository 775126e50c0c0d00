"""Protocols on Cityscapes: this project's protocol, and those of published papers.

The papers' protocols are described in pix2pixHD issue 57, in SPADE issues 14, 39 and 100, in OASIS
issues 5 and 18, and in TSIT issue 1. TSIT's accuracy near 82 % counts void pixels as errors; the
scores here always contain the accuracy with and without void pixels.
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from i2ibench.evaluation.protocols.protocol import Protocol, common_metrics, resize_transforms
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
    """Return the protocol that scores Cityscapes' validation scenes with ESPNetv2 at 1024x512.

    The data lies in $CITYSCAPES_ROOT, or in data/cityscapes, unless the evaluation names a folder.

    Args:
        split: "val" or "train".
        width, height: the size of the scored images and label maps in pixels.
        photos: False for label maps without real images. Then there are no control systems, and no
            score that compares with real images.
        segmenter: the config of another segmenter; None for the public ESPNetv2.
        samples: the number of images of each scene, for systems with random styles.
        resize: the filter that resizes images of another size; None refuses such images.

    Raises:
        UserError: a side is no positive integer, or `samples` or `resize` is impossible.
    """
    size = (width, height)
    data: dict[str, Any] = {
        "type": "Cityscapes",
        "split": split,
        "transforms": resize_transforms(size if size != _SIZE else None),
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
    """Return the protocol of pix2pixHD's Table 1: PSPNet on 2048x1024 images.

    The weights file is pspnet_cityscapes.ts, a TorchScript file that you make. The paper's PSPNet
    weights were never published (issue 214); the results name the hash of the weights that you use
    instead. The paper's accuracy is `seg/pixel_acc_void_err`.
    """
    network = {"type": "TorchScriptSegmenter", "weights": "pspnet_cityscapes.ts"}
    return replace(cityscapes(segmenter=network), name="cityscapes_pix2pixhd")


@PROTOCOLS.register_module(name="cityscapes_spade")
def cityscapes_spade() -> Protocol:
    """Return the protocol of SPADE: 512x256 images, enlarged to 2048x1024 for DRN-D-105.

    FID and KID are also computed with pytorch-fid's resizing (`fid_legacy`). The weights file is
    drn_d_105_cityscapes.ts, a TorchScript file. The paper's mIoU could be reproduced with the
    enlargement (OASIS issue 18). The paper's accuracy is `seg/pixel_acc_void_err`.
    """
    network = {
        "type": "TorchScriptSegmenter", "weights": "drn_d_105_cityscapes.ts", "width": 2048,
        "height": 1024,
    }  # fmt: skip
    return _legacy("cityscapes_spade", cityscapes(width=512, height=256, segmenter=network))


@PROTOCOLS.register_module(name="cityscapes_oasis")
def cityscapes_oasis() -> Protocol:
    """Return the protocol of OASIS: 512x256 images, not enlarged for DRN-D-105 (OASIS issue 5).

    FID and KID are also computed with pytorch-fid's resizing (`fid_legacy`). The weights file is
    drn_d_105_cityscapes.ts, a TorchScript file.
    """
    network = {"type": "TorchScriptSegmenter", "weights": "drn_d_105_cityscapes.ts"}
    return _legacy("cityscapes_oasis", cityscapes(width=512, height=256, segmenter=network))


def _legacy(name: str, protocol: Protocol) -> Protocol:
    """Return a copy of a protocol with another name and with FID and KID in two kinds.

    To the scores with clean-fid's resizing it adds those with pytorch-fid's, named `fid_legacy` and
    `kid_legacy`.
    """
    legacy = {
        "type": "DistributionDistance",
        "features": {"type": "InceptionFeatures", "resize": "legacy"},
    }
    metrics = {**protocol.metrics, "distribution_legacy": legacy}
    return replace(protocol, name=name, metrics=metrics)
