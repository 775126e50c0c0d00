"""Training updates: one optimiser step by the mean gradient of one or more batches."""

from contextlib import AbstractContextManager
from typing import Any, Protocol

import torch
from torch import Tensor

from i2ibench.structures import Batch, Losses, Optimizers


class Trainable(Protocol):
    """A method that updates all of its networks at once."""

    data_preprocessor: Any

    def losses(self, batch: Batch) -> Losses:
        """Return the losses of one preprocessed batch: a total for each optimiser, and logs."""


class Alternating(Protocol):
    """A method that updates some networks first, and the others with the updated first ones."""

    data_preprocessor: Any

    def first_losses(self, batch: Batch, keep_activations: bool) -> tuple[Losses, Any]:
        """Return the losses of the first optimisers, and the data that `second_losses` needs.

        Args:
            batch: a preprocessed batch.
            keep_activations: keep the activations of networks for the second backward pass.
                Otherwise they are computed again.
        """

    def second_losses(self, kept: Any) -> Losses:
        """Return the losses of the other optimisers, after the first ones have made their step.

        Args:
            kept: the second result of `first_losses` for the same batch.
        """


def batches_of(data: Any) -> list[Any]:
    """Return the batches of one update as a list; `data` is one batch or a list of them."""
    return data if isinstance(data, list) else [data]


def simultaneous_update(
    translator: Trainable, batches: list[Any], optimizers: Optimizers
) -> dict[str, Tensor]:
    """Update every network once. All losses are computed with the weights from before the update.

    The gradient is the mean over the batches. Networks without an optimiser stay as they are.

    Args:
        translator: the method to train.
        batches: collated samples; all scenes of a batch have the same size.
        optimizers: the optimisers of the method's networks.

    Returns:
        The logged scalars by name, detached and averaged over the batches.
    """
    all_logs = []
    _forget_gradients(optimizers)
    for number, data in enumerate(batches, start=1):
        batch = translator.data_preprocessor(data, training=True)
        with autocast(optimizers):
            losses = translator.losses(batch)
        all_logs.append(_detached(losses.logs))
        totals = _owned(losses, optimizers)
        del losses
        add_gradients(optimizers, totals, 1 / len(batches), number == len(batches))
    for optimizer in optimizers.values():
        optimizer.apply()
    return _means(all_logs)


def alternating_update(
    translator: Alternating, batches: list[Any], optimizers: Optimizers
) -> dict[str, Tensor]:
    """Update the first networks once, then the others with the updated first networks.

    pix2pix updates the discriminator, then the generator by the new discriminator's outputs for the
    same fake images. With several batches, activations are computed again instead of kept.
    Arguments and return value are those of `simultaneous_update`.
    """
    waiting, all_logs = [], []
    share = 1 / len(batches)
    _forget_gradients(optimizers)
    for number, data in enumerate(batches, start=1):
        batch = translator.data_preprocessor(data, training=True)
        with autocast(optimizers):
            losses, kept = translator.first_losses(batch, len(batches) == 1)
        waiting.append((kept, _detached(losses.logs)))
        first = _owned(losses, optimizers)
        add_gradients(optimizers, first, share, number == len(batches), retain_graph=True)
    _apply(losses, optimizers)
    del losses
    for number, (kept, earlier) in enumerate(waiting, start=1):
        with autocast(optimizers):
            losses = translator.second_losses(kept)
        second = _owned(losses, optimizers)
        add_gradients(optimizers, second, share, number == len(waiting))
        all_logs.append(_detached(losses.logs) | earlier)
    _apply(losses, optimizers)
    return _means(all_logs)


def autocast(optimizers: Optimizers) -> AbstractContextManager[Any]:
    """Return the autocast context for the precision of the optimisers, taken from the first one."""
    return next(iter(optimizers.values())).autocast()


def add_gradients(
    optimizers: Optimizers,
    totals: dict[str, Tensor],
    share: float,
    last: bool,
    retain_graph: bool = False,
) -> None:
    """Run one backward pass for each total; the gradients are added to those already there.

    Each total is removed from `totals` when it is used. The last backward pass can then free
    activations early.

    Args:
        optimizers: the optimisers by name.
        totals: the loss of each optimiser, in the order of the backward passes; emptied.
        share: the factor of the losses, 1 / the number of batches.
        last: state that no other gradient follows before `apply`. The backward passes then also
            average the gradients over all processes.
        retain_graph: keep the graph after the last backward pass, too, for another one.
    """
    for name in list(totals):
        total = totals.pop(name)
        retain = retain_graph or bool(totals)
        optimizers[name].add_gradient(total * share, retain, last)


def _owned(losses: Losses, optimizers: Optimizers) -> dict[str, Tensor]:
    """Return the totals that have an optimiser, in their order; frozen networks have none."""
    return {name: total for name, total in losses.totals.items() if name in optimizers}


def _apply(losses: Losses, optimizers: Optimizers) -> None:
    for name in _owned(losses, optimizers):
        optimizers[name].apply()


def _forget_gradients(optimizers: Optimizers) -> None:
    for optimizer in optimizers.values():
        optimizer.zero_grad()


def _detached(logs: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach() for name, value in logs.items()}


def _means(logs: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([log[name] for log in logs]).mean() for name in logs[0]}
