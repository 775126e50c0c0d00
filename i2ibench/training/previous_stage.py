"""The weights and optimiser state that a stage takes from the previous stage."""

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
    """Load the weights and the optimiser state of the previous stage into a new stage.

    A generator keeps its coarse network and inner enhancers (CRN: its coarser modules). New layers,
    and the output layers of a generator that has grown, keep their fresh weights. Discriminators
    keep their scale: a new one is added at the finest scale. Optimisers that the previous stage did
    not have keep their fresh state.

    Args:
        translator: the translator of the new stage, just built.
        optimizers: the optimisers of the new stage, just built.
        saved: the contents of the previous stage's last checkpoint, with `state_dict` and
            `optimizer`.

    Raises:
        UserError: a weight that should be loaded has another shape.
    """
    previous = saved["state_dict"]
    own = translator.state_dict()
    translator.load_state_dict({**own, **previous_stage_weights(translator, previous)})
    sources = translator.previous_names(own, previous)
    for kind, optimizer in optimizers.items():
        if kind in saved["optimizer"]:
            load_optimizer_state(optimizer, sources, saved["optimizer"][kind])


def previous_stage_weights(
    translator: Translator, previous: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return the weights that a new stage takes from the state dict of the previous stage.

    Nothing is loaded. Weights that the previous stage does not have are left out.

    Args:
        translator: the translator of the new stage, just built.
        previous: the state dict of the previous stage's translator.

    Returns:
        The weights by their names in the new translator.

    Raises:
        UserError: a weight that should be loaded has another shape.
    """
    own = translator.state_dict()
    sources = translator.previous_names(own, previous)
    weights = {name: previous[old] for name, old in sources.items() if old and old in previous}
    for name, value in weights.items():
        if own[name].shape != value.shape:
            raise UserError(
                f"{name} has the shape {tuple(own[name].shape)}, but the stage before trains "
                f"{tuple(value.shape)}. From one stage to the next, an enhancer halves "
                "base_channels. Other widths, the channels of the condition, the classes and the "
                "features of the encoder must not change."
            )
    return weights


def load_optimizer_state(
    optimizer: NetworkOptimizer, sources: Mapping[str, str | None], saved: Mapping[str, Any]
) -> None:
    """Replace the optimiser's state of its parameters, such as Adam's moments, by the saved state.

    Parameters without a saved state have none afterwards. The optimiser's own options, such as the
    learning rate, stay. Nothing is loaded from an optimiser of another kind
    (`NetworkOptimizer.kind`). State of parameters that this stage freezes is kept in
    `optimizer.dormant` for later stages.

    Args:
        optimizer: the optimiser that gets the state.
        sources: by name of a parameter its name in the saved state; None without a source.
        saved: from `NetworkOptimizer.state_dict`. Its tensors are copied.
    """
    if saved["kind"] != optimizer.kind():
        return
    state = saved["optimizer"]["state"]
    known = {name: state[i] for i, name in enumerate(saved["names"]) if i in state}
    known |= saved["dormant"]
    loaded = {
        name: {key: torch.clone(value) for key, value in known[old].items()}
        for name, old in sources.items()
        if old in known
    }
    positions = {name: i for i, name in enumerate(optimizer.names)}
    own = optimizer.optimizer.state_dict()
    moments = {positions[name]: loaded[name] for name in loaded.keys() & positions.keys()}
    optimizer.optimizer.load_state_dict({**own, "state": moments})
    optimizer.dormant = {name: loaded[name] for name in loaded.keys() - positions.keys()}
