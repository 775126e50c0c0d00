"""Holistically-nested edge detection (Xie & Tu 2015, arXiv 1504.06375), with published weights."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from i2ibench.data.prepare.caffemodel import read_caffemodel
from i2ibench.errors import UserError

HED_OBTAIN = (
    "HED's weights are hed_pretrained_bsds.caffemodel (56 MB), linked in "
    "https://github.com/s9xie/hed."
)
BLOCKS = (2, 2, 3, 3, 3)
"""The convolutions of each block of VGG16; a side output follows the last one of each block."""

MEAN = (104.00698793, 116.66876762, 122.67891434)
"""The mean of blue, green and red, 0..255, that is subtracted from the photo."""

PADDING = 35
"""The padding of the first convolution in pixels, so that small photos pass all poolings."""


def load_hed(path: Path) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
    """Return a function from a photo, uint8 RGB [H,W,3], to its edges, uint8 [H,W].

    The weights are read now. The value of a pixel is its probability of an edge times 255.

    Args:
        path: the Caffe model with the weights.

    Raises:
        UserError: the file is missing, no Caffe model, or lacks layers of the network.
    """
    if not path.is_file():
        raise UserError(f"{path} does not exist. {HED_OBTAIN}")
    blobs = {
        name: [torch.from_numpy(np.array(blob)) for blob in layer]
        for name, layer in read_caffemodel(path).items()
    }
    lacking = [name for name in layer_names() if name not in blobs]
    if lacking:
        raise UserError(f"{path} lacks the layers {', '.join(lacking[:3])}. {HED_OBTAIN}")

    def detect(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
        pixels = torch.from_numpy(photo[..., ::-1].astype(np.float32) - np.array(MEAN, np.float32))
        with torch.inference_mode():
            edges = detect_edges(pixels.permute(2, 0, 1)[None], blobs)
        return (edges[0, 0].numpy() * 255).round().astype(np.uint8)

    return detect


def layer_names() -> list[str]:
    """Return the names of all layers of the released HED network that have weights."""
    names = [f"conv{block}_{i + 1}" for block, count in enumerate(BLOCKS, 1) for i in range(count)]
    names += [f"score-dsn{block}" for block in range(1, len(BLOCKS) + 1)]
    return [*names, *(f"upsample_{2**i}" for i in range(1, 5)), "new-score-weighting"]


def detect_edges(pixels: Tensor, blobs: dict[str, list[Tensor]]) -> Tensor:
    """Return HED's probability of an edge, B1HW in [0, 1], fused from its five side outputs.

    Args:
        pixels: BGR 0..255 minus the mean, B3HW.
        blobs: weight and bias of each layer, by the layer's name.
    """
    height, width = pixels.shape[-2:]
    sides, x = [], pixels
    for block, count in enumerate(BLOCKS, 1):
        if block > 1:
            x = F.max_pool2d(x, 2, ceil_mode=True)  # Caffe rounds sizes up
        for i in range(count):
            weight, bias = _weight_and_bias(blobs[f"conv{block}_{i + 1}"])
            x = F.relu(F.conv2d(x, weight, bias, padding=PADDING if block == 1 and i == 0 else 1))
        side, stride = F.conv2d(x, *_weight_and_bias(blobs[f"score-dsn{block}"])), 2 ** (block - 1)
        if block > 1:
            kernel = blobs[f"upsample_{stride}"][0].reshape(1, 1, 2 * stride, 2 * stride)
            side = F.conv_transpose2d(side, kernel, stride=stride)
        # Each side output is shifted by the padding and by half of the overlap of its kernels.
        start = PADDING - 1 + (stride // 2 if block > 1 else 0)
        sides.append(side[..., start : start + height, start : start + width])
    weight, bias = _weight_and_bias(blobs["new-score-weighting"])
    return torch.sigmoid(F.conv2d(torch.cat(sides, 1), weight, bias))


def _weight_and_bias(layer: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Return the weight and the bias [C] of a layer; old files hold the bias as [1,1,1,C]."""
    return layer[0], layer[1].reshape(-1)
