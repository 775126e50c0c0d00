"""Normalisation layers."""

import torch
from torch import Tensor, nn

from i2ibench.errors import UserError, near_match


def norm(name: str, channels: int, affine: bool = True) -> nn.Module:
    """Return a new normalisation layer for features BCHW.

    Args:
        name: "instance", which has no parameters and always uses the image's own statistics, or
            "batch".
        channels: the number of channels.
        affine: give batch norm a scale and a shift. The scale is drawn from N(1, 0.02) as in
            pix2pix, and the shift is 0. Instance norm ignores this.

    Raises:
        UserError: the name is unknown.
    """
    if name == "instance":
        return InstanceNorm(channels)
    if name == "batch":
        layer = nn.BatchNorm2d(channels, affine=affine)
        if affine:
            nn.init.normal_(layer.weight, 1.0, 0.02)
        return layer
    raise UserError(
        f"norm_type is 'instance' or 'batch', not {name!r}."
        f"{near_match(name, ('instance', 'batch'))}"
    )


class InstanceNorm(nn.InstanceNorm2d):
    """Instance norm without weights, with a workaround for a wrong gradient in torch.

    Each channel of each image gets mean 0 and variance 1. torch's gradient is wrong for a single
    image if the incoming gradient is in channels_last order (a relative error of 1.4 in torch 2.15
    on the CPU, in float64 too). This class makes the incoming gradient contiguous first, which is
    free if it already is. torch.compile's Inductor backend computes the right gradient.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return features BCHW with mean 0 and variance 1 in each channel of each image.

        The layer has no scale, shift or running statistics, and does the same in training and in
        inference. If the result needs a gradient, a hook makes the incoming gradient contiguous,
        since torch's gradient is wrong otherwise. The hook is left out while torch.compile
        compiles.

        Args:
            input: the features, BCHW.
        """
        normed = super().forward(input)
        if normed.requires_grad and not torch.compiler.is_compiling():
            normed.register_hook(Tensor.contiguous)
        return normed
