"""Updates: one step of every network down the mean gradient of one or more batches."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import torch
from mmengine.optim import OptimWrapperDict
from torch import Tensor

from i2ibench.translators.objectives import logged_discriminator_terms

if TYPE_CHECKING:
    from i2ibench.translators.paired import PairedTranslator


def batches_of(data: Any) -> list[Any]:
    """The batches that a training loader yields for one update."""
    return data if isinstance(data, list) else [data]


def both_from_one_pass(
    translator: "PairedTranslator", parts: list[Any], optimizers: OptimWrapperDict
) -> dict[str, Tensor]:
    """G, then D, by the losses of the weights before the step, as pix2pixHD's code does.

    Args:
        translator: what is trained.
        parts: collated batches of the same size.
        optimizers: of its networks.

    Returns:
        every loss, detached, averaged over the batches.
    """
    all_logs = []
    share = 1 / len(parts)
    _forget_gradients(optimizers)
    for number, data in enumerate(parts, start=1):
        last = number == len(parts)
        batch = translator.data_preprocessor(data, training=True)
        with autocast(optimizers):
            step = translator.forward_step(batch)
            total, logs = translator.generator_loss(step)
            judged = translator.discriminator_loss(step)
        unweighted = logged_discriminator_terms(translator.adversarial, judged)
        all_logs.append(_detached(logs) | unweighted)
        # D's gradients before G's: G's pass then frees the activations on its way.
        add_gradient(
            optimizers, "discriminator", judged.values(), share, last, "generator" in optimizers
        )
        del step, logs, judged
        add_gradient(optimizers, "generator", [total], share, last)
    apply(optimizers, "generator")
    apply(optimizers, "discriminator")
    return _means(all_logs)


def discriminator_then_generator(
    translator: "PairedTranslator", parts: list[Any], optimizers: OptimWrapperDict
) -> dict[str, Tensor]:
    """D by the current fakes, then G by what the new D says of the same fakes (pix2pix).

    Of several batches the generator's activations are not kept but computed again. Arguments and
    result: see both_from_one_pass.
    """
    steps, judgements, all_logs = [], [], []
    share = 1 / len(parts)
    _forget_gradients(optimizers)
    for number, data in enumerate(parts, start=1):
        last = number == len(parts)
        batch = translator.data_preprocessor(data, training=True)
        with autocast(optimizers):
            step = translator.forward_step(batch, keep_activations=len(parts) == 1)
            judged = translator.discriminator_loss(step)
        add_gradient(optimizers, "discriminator", judged.values(), share, last, retain_graph=True)
        steps.append((step.condition, step.fake, step.real, step.label))
        judgements.append(logged_discriminator_terms(translator.adversarial, judged))
    apply(optimizers, "discriminator")
    for number, (tensors, earlier) in enumerate(zip(steps, judgements, strict=True), start=1):
        with autocast(optimizers):
            total, logs = translator.generator_loss(translator.judge(*tensors))
        add_gradient(optimizers, "generator", [total], share, last=number == len(steps))
        all_logs.append(_detached(logs) | earlier)
    apply(optimizers, "generator")
    return _means(all_logs)


def autocast(optimizers: OptimWrapperDict) -> AbstractContextManager[Any]:
    """The context in which all networks run."""
    return next(iter(optimizers.values())).autocast()


def add_gradient(
    optimizers: OptimWrapperDict,
    name: str,
    losses: Iterable[Tensor],
    share: float,
    last: bool,
    retain_graph: bool = False,
) -> None:
    """Give the optimiser `name` the gradient of the sum of the losses; none if it is frozen.

    Args:
        optimizers: of the networks.
        name: of one of them.
        losses: scalars.
        share: of the update that the losses stand for; 1 if they are all.
        last: whether no more gradients follow before `apply`: these go to the other processes.
        retain_graph: whether another network's gradient is still to be taken from the graph.
    """
    terms = list(losses)
    if terms and name in optimizers:
        optimizers[name].add_gradient(torch.stack(terms).sum() * share, retain_graph, last)


def apply(optimizers: OptimWrapperDict, name: str) -> None:
    """One step of the optimiser `name` down the gradients it was given; none if it is frozen."""
    if name in optimizers:
        optimizers[name].apply()


def _forget_gradients(optimizers: OptimWrapperDict) -> None:
    for optimizer in optimizers.values():
        optimizer.zero_grad()


def _detached(logs: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach() for name, value in logs.items()}


def _means(logs: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([log[name] for log in logs]).mean() for name in logs[0]}
