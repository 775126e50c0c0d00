"""Normalisation layers by name."""

import torch
from torch import Tensor, nn

from i2ibench.errors import UserError, near_match


def norm(name: str, channels: int, affine: bool = True) -> nn.Module:
    """The normalisation of `channels` features, untrained.

    Args:
        name: "instance" (no parameters, always the image's own statistics) or "batch".
        channels: C.
        affine: batch norm's scale and shift, the scale drawn from N(1, 0.02) as in pix2pix;
            False for neither.

    Raises:
        UserError: unknown name.
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
    """Each channel of each image with mean 0 and variance 1, BCHW; no weights.

    As torch's, whose gradient is wrong for a single image if what comes back is in channels_last
    order (a relative error of 1.4 in torch 2.15 on the CPU, in float64 too): here it is brought
    into the usual order first, which costs nothing where it is. Inductor, torch.compile's own
    backend, derives the gradient in another way and needs no help.
    """

    def forward(self, input: Tensor) -> Tensor:
        """BCHW in, BCHW out."""
        normed = super().forward(input)
        if normed.requires_grad and not torch.compiler.is_compiling():
            normed.register_hook(_in_usual_order)
        return normed


def _in_usual_order(gradient: Tensor) -> Tensor:
    return gradient.contiguous()
