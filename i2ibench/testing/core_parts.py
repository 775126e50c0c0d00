"""Options with which the contract tests build the parts of the core at a small size.

A part that is not listed here is built with its default options.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torchvision.models import vgg19

from i2ibench.testing import network_files
from i2ibench.testing import tiny_datasets as scenes

Options = Mapping[str, Any]


def _vgg(folder: Path) -> Options:
    """Write random weights in torchvision's VGG19 layout, and return the option `weights`.

    The file, vgg19.pth beside the folder, is written once for all parts. It lets the real loading
    code run.
    """
    path = folder.parent / "vgg19.pth"  # half a gigabyte: written once
    if not path.exists():
        torch.manual_seed(0)
        torch.save(vgg19(weights=None).state_dict(), path)
    return {"weights": str(path)}


def _segmentation(folder: Path) -> Options:
    weights = str(network_files.write_torchscript(folder, 4))
    return {"segmenter": {"type": "TorchScriptSegmenter", "weights": weights}}


def _toystreet(folder: Path) -> Options:
    return {"root": str(folder), "num_scenes": 2, "width": 64, "height": 32}


_PAIRED: Options = {
    "generator": {
        "type": "CoarseToFineGenerator", "base_channels": 4, "num_downsamplings": 1,
        "num_blocks": 1,
    },
    "discriminator": {"type": "MultiScaleDiscriminator", "num_scales": 1, "base_channels": 4},
    "encoder": {"type": "InstanceEncoder", "base_channels": 4, "num_downsamplings": 1},
    "adversarial": {"type": "LeastSquaresGAN"},
    "losses": {"feature_matching": {"type": "FeatureMatching", "weight": 10.0}},
}  # fmt: skip

CORE: dict[str, Options | Callable[[Path], Options]] = {
    "CoarseToFineGenerator": {"base_channels": 4, "num_downsamplings": 2, "num_blocks": 1},
    "UNetGenerator": {"base_channels": 4, "num_levels": 3, "always_train": False},
    "CRNGenerator": {"height": 16, "max_channels": 8},
    "PairedTranslator": _PAIRED,
    "MultiScaleDiscriminator": {"num_scales": 2, "base_channels": 4},
    "PatchDiscriminator": {"base_channels": 4},
    "InstanceEncoder": {"base_channels": 4, "num_downsamplings": 2},
    "CompactSegmenter": {"base_channels": 4},
    "TorchvisionSegmenter": {"architecture": "lraspp_mobilenet_v3_large"},
    "SMPSegmenter": network_files.need_smp,
    "TorchScriptSegmenter": lambda f: {"weights": str(network_files.write_torchscript(f, 6))},
    "OnnxSegmenter": lambda f: {"weights": str(network_files.write_onnx(f, 6))},
    "TransformersSegmenter": lambda f: {"weights": str(network_files.write_transformers(f, 6))},
    "ConditionPreprocessor": {"condition": ["labels", "instances", "image", "edges", "colours"]},
    "TorchScriptFeatures": lambda f: {"weights": str(network_files.write_feature_network(f))},
    "SegmentationScores": _segmentation,
    "Resize": {"width": 24, "height": 16},
    "ScaleWidth": {"width": 24},
    "RoundToMultiple": {"base": 8},
    "RandomCrop": {"width": 24, "height": 16},
    "PairedFolder": lambda f: {"root": str(scenes.write_paired_scenes(f, count=2))},
    "Cityscapes": lambda f: {"root": str(scenes.write_cityscapes(f))},
    "CamVid": lambda f: {"root": str(scenes.write_camvid(f))},
    "ToyStreet": _toystreet,
    "Pix2PixHDFolder": lambda f: {"root": str(scenes.write_released_layout(f))},
    "Shards": lambda f: {"root": str(scenes.write_shards_of_scenes(f))},
    "PerceptualLoss": _vgg,
    "CRNLoss": _vgg,
    "DiversityLoss": _vgg,
}
