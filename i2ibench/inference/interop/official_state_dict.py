"""Official state dicts: conversion to today's format, strict loading, and errors."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from i2ibench.errors import UserError

State = Mapping[str, Tensor]
Network = TypeVar("Network", bound=nn.Module)


def modernised(state: State) -> dict[str, Tensor]:
    """Return a copy of a state dict as today's torch names it, without the prefix `module.`.

    DataParallel wrote the prefix. In a state dict with norms that have weights (batch norm),
    counters, which old files lack, are added. In one without, norms are instance norms, and their
    running statistics, which old files contain, are removed.
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
    """Copy all official weights into a network; return the same network.

    Args:
        network: is changed in place.
        state: the official state dict, of any age, see `modernised`.
        names: is given the network's state dict. It returns a dict of the same tensors under the
            official names.

    Raises:
        UserError: names or shapes differ; the first three are listed. Nothing has been copied then.
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
    """Return a module's index in a discriminator whose layers are joined into one Sequential.

    The modules are conv and leaky ReLU of the first layer, then conv, norm and leaky ReLU of each
    further layer.

    Args:
        layer: the number of the layer, from 0.
        place: the index of the module within its layer.
    """
    return place if layer == 0 else 3 * layer - 1 + place


def not_official(kind: str, state: State) -> UserError:
    """Return, not raise, the error for a state dict that is not of the expected official network.

    Args:
        kind: the expected network, such as "pix2pix generator".
        state: the state dict; the message lists its first three names.
    """
    first = ", ".join(list(state)[:3]) or "nothing"
    return UserError(f"This is no official {kind}; it holds {first}, ...")
