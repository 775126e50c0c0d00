"""Write small seeded networks in the file formats that segmenters read."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn


class Linear(nn.Module):
    """A network whose class scores are a fixed linear function of each pixel's colour."""

    def __init__(self, num_outputs: int) -> None:
        super().__init__()
        values = np.random.default_rng(0).normal(size=(num_outputs, 3, 1, 1))
        self.weight = nn.Parameter(torch.from_numpy(values).float())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.conv2d(x, self.weight)


def need_smp(folder: Path) -> dict[str, Any]:
    """Return no options, {}, or skip the test if segmentation_models_pytorch is not installed.

    The folder is not used.
    """
    pytest.importorskip("segmentation_models_pytorch")
    return {}


def write_feature_network(folder: Path) -> Path:
    """Write `features.ts` into a folder, a TorchScript network, and return its path.

    The 12 features of an image are the mean colours of its four quarters: output [B,12] for B3HW.
    """
    path = folder / "features.ts"
    network = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten())
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(network, torch.zeros(1, 3, 8, 8)).save(path)
    return path


def write_torchscript(folder: Path, num_outputs: int) -> Path:
    """Write `network.ts` into a folder, a TorchScript file of `Linear`, and return its path.

    The network gives `num_outputs` class scores for each pixel.
    """
    path = folder / "network.ts"
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates making such files; many exist
        torch.jit.trace(Linear(num_outputs), torch.zeros(1, 3, 8, 8)).save(path)
    return path


def write_onnx(folder: Path, num_outputs: int, size: tuple[Any, Any] = ("h", "w")) -> Path:
    """Write `network.onnx` into a folder, an ONNX file of `Linear`, and return its path.

    The test is skipped if onnx or onnxruntime is not installed.

    Args:
        folder: the folder.
        num_outputs: the number of class scores for each pixel.
        size: (height, width) of the input; a text stands for any number.
    """
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    tensor = onnx.helper.make_tensor_value_info
    kind = onnx.TensorProto.FLOAT
    weight = onnx.numpy_helper.from_array(Linear(num_outputs).weight.detach().numpy(), "weight")
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Conv", ["picture", "weight"], ["scores"])],
        "linear",
        [tensor("picture", kind, [1, 3, *size])],
        [tensor("scores", kind, [1, num_outputs, *size])],
        [weight],
    )
    opset = [onnx.helper.make_opsetid("", 17)]
    path = folder / "network.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


def write_transformers(folder: Path, num_outputs: int) -> Path:
    """Write a small SegFormer and its image processor into a folder, and return the folder.

    The network has random, seeded weights and `num_outputs` classes. The test is skipped if
    transformers is not installed.
    """
    transformers = pytest.importorskip("transformers")
    config = transformers.SegformerConfig(
        num_labels=num_outputs,
        num_encoder_blocks=2,
        depths=[1, 1],
        sr_ratios=[2, 1],
        hidden_sizes=[8, 16],
        patch_sizes=[7, 3],
        strides=[4, 2],
        num_attention_heads=[1, 2],
        mlp_ratios=[2, 2],
        decoder_hidden_size=16,
    )
    torch.manual_seed(0)
    transformers.SegformerForSemanticSegmentation(config).save_pretrained(folder)
    processor = transformers.SegformerImageProcessor(image_mean=[0.4] * 3, image_std=[0.2] * 3)
    processor.save_pretrained(folder)
    return folder
