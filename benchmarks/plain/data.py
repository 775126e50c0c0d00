"""A scene as the released code reads it: PIL, resized every time, float tensors."""

import numpy as np
import torch
from PIL import Image


def sample(files, size, flip):
    """Label map float [1,H,W], instance map int32 [1,H,W], photo float [3,H,W] in [-1, 1]."""
    label = opened(files.label, size, Image.Resampling.NEAREST, flip)
    instance = opened(files.instance, size, Image.Resampling.NEAREST, flip)
    photo = opened(files.image, size, Image.Resampling.BICUBIC, flip, mode="RGB")
    return {
        "label": to_float(label) * 255,
        "instance": torch.from_numpy(np.array(instance, np.int32))[None],
        "image": (to_float(photo) - 0.5) / 0.5,
    }


def opened(path, size, filter_, flip, mode=None):
    picture = Image.open(path)
    if mode:
        picture = picture.convert(mode)
    if picture.size != size:
        picture = picture.resize(size, filter_)
    return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if flip else picture


def to_float(picture):
    """[C,H,W] in [0, 1]."""
    pixels = np.array(picture)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous().float().div(255)
