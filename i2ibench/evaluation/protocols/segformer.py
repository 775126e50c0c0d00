"""Protocols whose segmenter is SegFormer, which anybody can get: Cityscapes and ADE20K.

The papers' PSPNet and DRN-D-105 cannot be had in a form that runs today. SegFormer-B5 (Xie et al.
2021, https://arxiv.org/abs/2105.15203) is public on the Hugging Face hub. Its licence allows
research, not commerce. Scores differ from those of the papers' segmenters; the real photos are
scored beside them.
"""

from dataclasses import replace

from i2ibench.evaluation.protocols.cityscapes import cityscapes
from i2ibench.evaluation.protocols.custom import own
from i2ibench.evaluation.protocols.protocol import Protocol
from i2ibench.registry import PROTOCOLS


@PROTOCOLS.register_module(name="cityscapes_segformer")
def cityscapes_segformer(
    weights: str = "nvidia/segformer-b5-finetuned-cityscapes-1024-1024",
    samples: int = 1,
    resize: str | None = "bicubic",
) -> Protocol:
    """Return the protocol `cityscapes` with SegFormer-B5 on images of 2048x1024.

    Args:
        weights: a folder of such a network, or its name in the hub's local cache. Nothing is
            downloaded: `hf download NAME` does it.
        samples: the number of images of each scene, for systems with random styles.
        resize: the filter that enlarges images of another size; None refuses such images.

    Raises:
        UserError: `samples` or `resize` has an impossible value.
    """
    segmenter = {
        "type": "TransformersSegmenter", "weights": weights, "width": 2048, "height": 1024,
    }  # fmt: skip
    protocol = cityscapes(segmenter=segmenter, samples=samples, resize=resize)
    return replace(protocol, name="cityscapes_segformer")


@PROTOCOLS.register_module(name="ade20k_segformer")
def ade20k_segformer(
    weights: str = "nvidia/segformer-b5-finetuned-ade-640-640",
    width: int = 640,
    height: int = 640,
    samples: int = 1,
    resize: str | None = "bicubic",
) -> Protocol:
    """Return the protocol that scores a config's ADE20K scenes with SegFormer-B5.

    Args:
        weights: a folder of such a network, or its name in the hub's local cache.
        width, height: the size of the images that the network sees, in pixels.
        samples: the number of images of each scene, for systems with random styles.
        resize: the filter that resizes images of another size; None refuses such images.

    Raises:
        UserError: `samples` or `resize` has an impossible value.
    """
    segmenter = {
        "type": "TransformersSegmenter", "weights": weights, "width": width, "height": height,
    }  # fmt: skip
    return replace(own(segmenter, samples=samples, resize=resize), name="ade20k_segformer")
