"""Official state dicts: conversion to today's format, strict loading, and errors."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from i2ibench.errors import UserError

State = Mapping[str, Tensor]
Network = TypeVar("Network", bound=nn.Module)


def modernised(state: State) -> dict[str, Tensor]:
    """Return a state dict as today's torch writes it, without DataParallel's prefix `module.`.

    Counters of batch norms, which old files lack, are added. Running statistics of instance norms,
    which old files contain, are removed. A norm without weights is an instance norm.
    """
    state = {name.removeprefix("module."): value for name, value in state.items()}
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    affine = any(name.endswith(".weight") and v.ndim == 1 for name, v in state.items())
    if not affine:
        return {k: v for k, v in state.items() if not k.endswith(statistics)}
    counters = {
        k.replace("running_mean", "num_batches_tracked"): torch.tensor(0)
        for k in state
        if k.endswith("running_mean")
    }
    return {**counters, **state}


def load_official(
    network: Network, state: State, names: Callable[[State], dict[str, Tensor]]
) -> Network:
    """Copy all official weights into a network; return the network.

    Args:
        network: is changed in place.
        state: the official state dict.
        names: returns the network's state dict under the official names.

    Raises:
        UserError: names or shapes differ; the first three are listed.
    """
    state = modernised(state)
    expected = names(network.state_dict())
    differing = sorted(expected.keys() ^ state.keys())
    differing = differing or [n for n in expected if expected[n].shape != state[n].shape]
    if differing:
        raise UserError(
            f"The state dict does not fit {type(network).__name__} as its names and shapes "
            f"suggest; {len(differing)} tensors differ, first: {', '.join(differing[:3])}."
        )
    with torch.no_grad():
        for name, value in expected.items():  # share storage with the network
            value.copy_(state[name])
    return network


def index_in_sequence(layer: int, place: int) -> int:
    """Return the index of a module of a discriminator's layer if all layers are one Sequential.

    The modules are conv and leaky ReLU of the first layer, then conv, norm and leaky ReLU of each
    further layer.
    """
    return place if layer == 0 else 3 * layer - 1 + place


def not_official(kind: str, state: State) -> UserError:
    """Return the error for a state dict of another network."""
    first = ", ".join(list(state)[:3]) or "nothing"
    return UserError(f"This is no official {kind}; it holds {first}, ...")
