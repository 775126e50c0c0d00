"""Updates: one step of every network down the mean gradient of one or more batches."""

from contextlib import AbstractContextManager
from typing import Any, Protocol

import torch
from torch import Tensor

from i2ibench.structures import Batch, Losses, Optimizers


class Trainable(Protocol):
    """A method whose networks are updated at once."""

    data_preprocessor: Any

    def losses(self, batch: Batch) -> Losses:
        """Return what each optimiser minimises."""


class Alternating(Protocol):
    """A method whose second networks are updated by the answers of its updated first ones."""

    data_preprocessor: Any

    def first_losses(self, batch: Batch, keep_activations: bool) -> tuple[Losses, Any]:
        """Return what the first optimisers minimise, and what the second losses are made from."""

    def second_losses(self, kept: Any) -> Losses:
        """Return what the second optimisers minimise."""


def batches_of(data: Any) -> list[Any]:
    """Return the batches that a training loader yields for one update."""
    return data if isinstance(data, list) else [data]


def simultaneous_update(
    translator: Trainable, batches: list[Any], optimizers: Optimizers
) -> dict[str, Tensor]:
    """Update every network by the losses of the weights before the step.

    Args:
        translator: what is trained.
        batches: collated scenes, each batch of one size.
        optimizers: of its networks.

    Returns:
        the logged scalars, detached, averaged over the batches.
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
    """Update the first networks, then the others by what the new first ones say of the same.

    pix2pix updates D by the current fakes, then G. Of several batches the activations are not kept
    but computed again. Arguments and result: see simultaneous_update.
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
    """Return the context in which all networks run, at the precision of the optimisers."""
    return next(iter(optimizers.values())).autocast()


def add_gradients(
    optimizers: Optimizers,
    totals: dict[str, Tensor],
    share: float,
    last: bool,
    retain_graph: bool = False,
) -> None:
    """Give each optimiser the gradient of its total.

    Totals are taken out as they are used: the pass of the last one frees the activations on its
    way.

    Args:
        optimizers: of the networks.
        totals: scalars by optimiser, in the order of the backward passes; emptied.
        share: of the update that the losses stand for; 1 if they are all.
        last: whether no more gradients follow before `apply`: the backward passes then average
            the gradients over all processes.
        retain_graph: whether more is to be taken from the graph afterwards.
    """
    for name in list(totals):
        total = totals.pop(name)
        retain = retain_graph or bool(totals)
        optimizers[name].add_gradient(total * share, retain, last)


def _owned(losses: Losses, optimizers: Optimizers) -> dict[str, Tensor]:
    """Return the totals whose networks are not frozen."""
    return {name: total for name, total in losses.totals.items() if name in optimizers}


def _apply(losses: Losses, optimizers: Optimizers) -> None:
    """Step the optimisers of the networks that the losses are for."""
    for name in _owned(losses, optimizers):
        optimizers[name].apply()


def _forget_gradients(optimizers: Optimizers) -> None:
    for optimizer in optimizers.values():
        optimizer.zero_grad()


def _detached(logs: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach() for name, value in logs.items()}


def _means(logs: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([log[name] for log in logs]).mean() for name in logs[0]}
