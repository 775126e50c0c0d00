"""Official state dicts: brought into today's form, put into a network strictly, and refused."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from i2ibench.errors import UserError

State = Mapping[str, Tensor]
Network = TypeVar("Network", bound=nn.Module)


def cleaned(state: State) -> dict[str, Tensor]:
    """The state dict as today's torch writes it, without DataParallel's `module.`.

    Old files lack batch norm's counters, or hold running statistics of instance norms, which have
    no use for them: those norms are told by their lack of weights.
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


def fill(network: Network, state: State, names: Callable[[State], dict[str, Tensor]]) -> Network:
    """Put the official weights into the network, every one of them.

    Raises:
        UserError: names or shapes differ; the first three are listed.
    """
    state = cleaned(state)
    expected = names(network.state_dict())
    differing = sorted(expected.keys() ^ state.keys())
    differing = differing or [n for n in expected if expected[n].shape != state[n].shape]
    if differing:
        raise UserError(
            f"The state dict does not fit {type(network).__name__} as its names and shapes "
            f"suggest; {len(differing)} tensors differ, first: {', '.join(differing[:3])}."
        )
    with torch.no_grad():
        for name, value in expected.items():  # these share storage with the network
            value.copy_(state[name])
    return network


def place_in_chain(layer: int, place: int) -> int:
    """Where a part of a discriminator's layer stands if all layers form one chain.

    The chain is conv, leak, then conv, norm, leak for each further layer.
    """
    return place if layer == 0 else 3 * layer - 1 + place


def not_official(kind: str, state: State) -> UserError:
    """The error for a state dict of something else."""
    first = ", ".join(list(state)[:3]) or "nothing"
    return UserError(f"This is no official {kind}; it holds {first}, ...")
