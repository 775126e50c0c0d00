"""Write small seeded networks in the file formats that parts read."""

import json
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


STABLE_DIFFUSION_CHANNELS = (8, 16)
"""Channels of the levels of the UNet that `write_stable_diffusion` writes."""


def write_stable_diffusion(folder: Path, prediction_type: str = "epsilon") -> Path:
    """Write a small Stable Diffusion in diffusers' layout into a folder, and return the folder.

    All networks have random, seeded weights. The test is skipped if diffusers or transformers is
    not installed.

    Args:
        folder: the folder.
        prediction_type: "epsilon", or "v_prediction", for a UNet that predicts the velocity.
    """
    diffusers, transformers = (pytest.importorskip(n) for n in ("diffusers", "transformers"))
    torch.manual_seed(0)
    words = _write_tokenizer(folder / "tokenizer")
    config = transformers.CLIPTextConfig(
        vocab_size=words, bos_token_id=words - 2, eos_token_id=words - 1, pad_token_id=words - 1,
        hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=16,
    )  # fmt: skip
    transformers.CLIPTextModel(config).save_pretrained(folder / "text_encoder")
    diffusers.UNet2DConditionModel(
        block_out_channels=STABLE_DIFFUSION_CHANNELS, layers_per_block=1, norm_num_groups=4,
        attention_head_dim=2, cross_attention_dim=8, sample_size=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    ).save_pretrained(folder / "unet")  # fmt: skip
    diffusers.AutoencoderKL(
        block_out_channels=(4, 4, 4, 8), norm_num_groups=2, latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
    ).save_pretrained(folder / "vae")  # fmt: skip
    diffusers.PNDMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True,
        set_alpha_to_one=False, steps_offset=1, prediction_type=prediction_type,
    ).save_pretrained(folder / "scheduler")  # fmt: skip
    return folder


def _write_tokenizer(folder: Path) -> int:
    """Write the files of a tokenizer of CLIP for ASCII letters; return the number of its tokens."""
    letters = [chr(code) for code in range(33, 127)]
    ends = [f"{letter}</w>" for letter in letters]
    start, end = "<|startoftext|>", "<|endoftext|>"
    tokens = [*letters, *ends, start, end]
    special = {"bos_token": start, "eos_token": end, "unk_token": end, "pad_token": end}
    folder.mkdir(parents=True)
    write = {
        "vocab.json": json.dumps({token: number for number, token in enumerate(tokens)}),
        "merges.txt": "#version: 0.2\n",
        "tokenizer_config.json": json.dumps({"model_max_length": 16, **special}),
    }
    for name, text in write.items():
        (folder / name).write_text(text, encoding="utf-8")
    return len(tokens)
