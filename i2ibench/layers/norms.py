"""Normalisation layers by name."""

from torch import nn

from i2ibench.errors import UserError, near_match


def norm(name: str, channels: int) -> nn.Module:
    """The normalisation of `channels` features, untrained.

    Args:
        name: "instance" (no parameters, always the image's own statistics) or "batch" (affine,
            scale drawn from N(1, 0.02) as in pix2pix).
        channels: C.

    Raises:
        UserError: unknown name.
    """
    if name == "instance":
        return nn.InstanceNorm2d(channels)
    if name == "batch":
        layer = nn.BatchNorm2d(channels)
        nn.init.normal_(layer.weight, 1.0, 0.02)
        return layer
    raise UserError(
        f"norm_type is 'instance' or 'batch', not {name!r}."
        f"{near_match(name, ('instance', 'batch'))}"
    )
