"""Growth: a stage begins with what the stage before has learnt."""

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.optim import OptimWrapperDict
from torch import Tensor

from i2ibench.errors import UserError
from i2ibench.models.translators.base import Translator
from i2ibench.training.optimizers import NetworkOptimizer


def load_previous_stage(
    translator: Translator, optimizers: OptimWrapperDict, saved: Mapping[str, Any]
) -> None:
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
    translator.load_state_dict({**own, **carried_weights(translator, before)})
    source = translator.previous_names(own, before)
    for kind, optimizer in optimizers.items():
        if kind in saved["optimizer"]:
            carry_moments(optimizer, source, saved["optimizer"][kind])


def carried_weights(translator: Translator, before: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights that a new stage takes from the state dict of the one before, by own name.

    Raises:
        UserError: a part that should be carried over has another shape.
    """
    own = translator.state_dict()
    source = translator.previous_names(own, before)
    carried = {name: before[old] for name, old in source.items() if old and old in before}
    for name, value in carried.items():
        if own[name].shape != value.shape:
            raise UserError(
                f"{name} has the shape {tuple(own[name].shape)}, but the stage before trains "
                f"{tuple(value.shape)}. Between stages an enhancer halves base_channels; other "
                "widths, the condition's channels, the classes and the encoder's features stay."
            )
    return carried


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
