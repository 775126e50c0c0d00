"""Checks that hold for networks of every kind."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


def assert_every_parameter_learns(part: str, network: nn.Module, output: Tensor) -> None:
    """Fail if a parameter with requires_grad=True gets no gradient or one that is not finite.

    Distributed training waits for the gradient of every such parameter.

    Args:
        part: the name of the part, for the message.
        network: the network.
        output: a scalar that was computed with the network. Its backward pass is run here.
    """
    output.backward()
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, (
                f"every parameter must take part in the output; {part}'s {name} has no gradient "
                "(remove it, or set requires_grad=False)"
            )
            assert parameter.grad.isfinite().all(), f"{part}: the gradient of {name} is not finite"


def assert_same_after_loading(part: str, build: Callable[[], nn.Module], *inputs: Any) -> None:
    """Fail if a network that loads the state dict of another gives another output.

    Args:
        part: the name of the part, for the message.
        build: builds the network; it is called twice.
        inputs: the arguments of the network's forward pass, which runs with the same torch seed.
    """
    first, second = build(), build()
    with torch.no_grad():
        for parameter in second.parameters():
            parameter.zero_()
    second.load_state_dict(first.state_dict())
    answers = []
    for network in (first, second):
        torch.manual_seed(1)
        answers.append(network(*inputs))
    try:
        torch.testing.assert_close(*answers)
    except AssertionError as error:
        raise AssertionError(
            f"{part} must answer the same after load_state_dict(state_dict()): {error}"
        ) from None
