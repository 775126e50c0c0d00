"""Schedules of learning rates, by epoch or by update."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.optim import OptimWrapperDict
from mmengine.registry import PARAM_SCHEDULERS

from i2ibench.errors import UserError, near_match
from i2ibench.training.mmengine_options import check_part

Entries = Sequence[dict[str, Any]]


def schedules_of(
    config: Mapping[str, Any],
    networks: Mapping[str, Any],
    optimizers: OptimWrapperDict,
    epochs: int,
    updates: int,
) -> dict[str, list[dict[str, Any]]]:
    """Return the configs of the schedules of every optimiser, by the optimiser's name.

    mmengine's Runner builds the schedules from them. The list of an optimiser without schedules is
    empty.

    Args:
        config: its `param_scheduler` is a list for all optimisers, or a dict of lists by optimiser.
            An optimiser that the dict does not name keeps its learning rate.
        networks: everything that may have an optimiser, by name. A dict may name frozen networks,
            whose schedules are ignored.
        optimizers: the optimisers of the run.
        epochs: the number of epochs of the training.
        updates: the number of updates in an epoch.

    Raises:
        UserError: an unknown optimiser, type or option, or a value that the schedule refuses.
    """
    entries = config.get("param_scheduler") or []
    if not isinstance(entries, Mapping):
        entries = dict.fromkeys(optimizers.keys(), entries)
    for name in entries:
        if name not in networks:
            raise UserError(
                f"param_scheduler: there is no optimizer {name!r}.{near_match(name, networks)} "
                f"Optimizers: {', '.join(optimizers.keys())}."
            )
        if not isinstance(entries[name], list | tuple):
            raise UserError(
                f"param_scheduler.{name} must be a list of schedules, not {entries[name]!r}."
            )
    schedules = {name: list(entries.get(name, [])) for name in optimizers.keys()}  # noqa: SIM118
    for name, own in schedules.items():
        _try(own, optimizers[name].optimizer, epochs, updates)
    return schedules


def _try(entries: Entries, optimizer: torch.optim.Optimizer, epochs: int, updates: int) -> None:
    """Build an optimiser's schedules on a copy of it, so that wrong options raise an error now."""
    copy = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    copy.defaults = optimizer.defaults
    copy.param_groups = [{**group, "params": []} for group in optimizer.param_groups]
    for entry in entries:
        check_part("param_scheduler", PARAM_SCHEDULERS, entry, ["convert_to_iter_based"])
        end = epochs if entry.get("by_epoch", True) else epochs * updates  # the Runner's default
        derived = {"optimizer": copy, "epoch_length": updates}
        try:
            PARAM_SCHEDULERS.build({"end": end, **entry}, default_args=derived)
        except (TypeError, ValueError, KeyError, AssertionError) as error:
            raise UserError(
                f"param_scheduler: {entry['type']} refuses its options: {error}"
            ) from error
