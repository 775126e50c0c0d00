"""Weights that nothing trains and no checkpoint contains."""

from torch import nn


def store_as_buffers(network: nn.Module) -> None:
    """Turn all weights and buffers of a network into non-persistent buffers, in place.

    No optimiser then trains them, and the state dict does not contain them.
    """
    for module in network.modules():
        own = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
        for name, tensor in own:
            delattr(module, name)
            module.register_buffer(name, tensor.detach(), persistent=False)
