"""Freezing: submodules that are trained no longer."""

from torch import nn

from i2ibench.errors import UserError, near_match


def freeze(network: nn.Module, name: str) -> None:
    """Train a submodule no longer; running statistics of batch norms stay as they are too.

    Raises:
        UserError: there is no such submodule.
    """
    modules = dict(network.named_modules())
    if name not in modules:
        raise UserError(f"There is no submodule {name!r} to freeze.{near_match(name, modules)}")
    modules[name].requires_grad_(False)
    for layer in modules[name].modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 0.0
