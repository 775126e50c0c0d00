"""Metrics that most protocols share."""

from collections.abc import Mapping
from typing import Any


def common_metrics(segmenter: Mapping[str, Any] | None) -> dict[str, Any]:
    """Segmentation, FID and KID, LPIPS, PSNR and SSIM, diversity with and without weights, objects.

    Args:
        segmenter: config; None leaves the segmentation scores out.
    """
    scored = {"type": "SegmentationScores", "segmenter": segmenter} if segmenter else None
    return {
        "segmentation": scored,
        "edges": {"type": "InstanceEdges"},
        "distribution": {
            "type": "DistributionDistance", "features": {"type": "InceptionFeatures"},
        },
        "lpips": {"type": "PerceptualDistance"},
        "pixels": {"type": "PixelSimilarity"},
        "diversity": {"type": "PerceptualDiversity"},
        "colour_diversity": {"type": "ColourDiversity"},
        "objects": {"type": "ObjectDistance"},
    }  # fmt: skip
