"""Growth: a stage begins with what the stage before has learnt."""

import re
from collections.abc import Mapping
from typing import Any

import torch
from mmengine.optim import OptimWrapperDict
from torch import Tensor, nn

from i2ibench.errors import UserError
from i2ibench.translators.optimizers import NetworkOptimizer


def grow(translator: nn.Module, optimizers: OptimWrapperDict, saved: Mapping[str, Any]) -> None:
    """Give the translator the weights, and its optimisers the moments, of the stage before.

    A generator keeps its coarse network and inner enhancers (CRN: its coarser modules); what is
    new, and the output layers of a generator that has grown, start fresh. Discriminators keep
    their scale: a new one is added at the finest.

    Args:
        translator: of the new stage, just built.
        optimizers: of the new stage, just built.
        saved: the checkpoint of the stage before.

    Raises:
        UserError: a part that should be carried over has another shape.
    """
    before = saved["state_dict"]
    own = translator.state_dict()
    translator.load_state_dict({**own, **carried_weights(own, before)})
    source = names_before(own, before)
    for kind, optimizer in optimizers.items():
        if kind in saved["optimizer"]:
            carry_moments(optimizer, source, saved["optimizer"][kind])


def carried_weights(own: Mapping[str, Tensor], before: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights that a new stage takes from the state dict of the one before, by own name.

    Raises:
        UserError: a part that should be carried over has another shape.
    """
    source = names_before(own, before)
    carried = {name: before[old] for name, old in source.items() if old and old in before}
    for name, value in carried.items():
        if own[name].shape != value.shape:
            raise UserError(
                f"{name} has the shape {tuple(own[name].shape)}, but the stage before trains "
                f"{tuple(value.shape)}. Between stages an enhancer halves base_channels; other "
                "widths, the condition's channels, the classes and the encoder's features stay."
            )
    return carried


def names_before(own: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, str | None]:
    """Return by own name what a weight was called in a smaller system; None if it is new."""
    return {name: _name_before(name, own, before) for name in own}


def _name_before(name: str, own: Mapping[str, Any], before: Mapping[str, Any]) -> str | None:
    """What a weight was called in the stage before; None for one that starts fresh."""
    if name.startswith("generator.head."):
        return name if _body(own) == _body(before) else None
    scale = re.match(r"(discriminator\.scales\.)(\d+)(\..*)", name)
    if scale:
        pattern = r"discriminator\.scales\.(\d+)"
        older = int(scale[2]) - (_count(pattern, own) - _count(pattern, before))
        return f"{scale[1]}{older}{scale[3]}" if older >= 0 else None
    return name


def _body(names: Mapping[str, Any]) -> set[str]:
    """The generator's weights below its output layers."""
    return {n for n in names if n.startswith("generator.") and not n.startswith("generator.head.")}


def _count(pattern: str, names: Mapping[str, Any]) -> int:
    return len({m[1] for m in (re.match(pattern, name) for name in names) if m})


def carry_moments(
    optimizer: NetworkOptimizer, source: Mapping[str, str | None], saved: Mapping[str, Any]
) -> None:
    """Give the parameters that were trained before their state, if the optimiser is of one kind.

    The state of those that this stage freezes waits in the optimiser for a later stage.
    """
    if saved["kind"] != optimizer.kind():
        return
    state = saved["optimizer"]["state"]
    known = {name: state[i] for i, name in enumerate(saved["names"]) if i in state}
    known |= saved["dormant"]
    carried = {
        name: {key: torch.clone(value) for key, value in known[old].items()}
        for name, old in source.items()
        if old in known
    }
    positions = {name: i for i, name in enumerate(optimizer.names)}
    own = optimizer.optimizer.state_dict()
    moments = {positions[name]: carried[name] for name in carried.keys() & positions.keys()}
    optimizer.optimizer.load_state_dict({**own, "state": moments})
    optimizer.dormant = {name: carried[name] for name in carried.keys() - positions.keys()}
