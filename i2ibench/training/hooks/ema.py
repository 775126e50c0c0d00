"""The exponential moving average of the weights of the networks that make images."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from i2ibench.errors import UserError
from i2ibench.models.translators.base import Translator
from i2ibench.registry import HOOKS


@HOOKS.register_module()
class ExponentialMovingAverage(Hook):
    """Averages the weights of the networks that make images over the training steps.

    After step t, average = d average + (1 - d) weights with d = min(decay, (1 + t) / (10 + t)).
    The smaller d of early steps keeps the average of a short run from staying at its first weights
    (as in TensorFlow's ExponentialMovingAverage with `num_updates`). Buffers, such as running
    statistics, are copied. The average is validated after the weights themselves, and saved as
    `ema_state_dict`.

    Args:
        decay: from 0 to below 1.

    Attributes:
        in_model: whether the model holds the average instead of its weights now.

    Raises:
        UserError: the decay is out of range.
    """

    priority = "LOW"  # other hooks have handled the first validation when the second one starts

    def __init__(self, decay: float = 0.999) -> None:
        if not 0 <= decay < 1:
            raise UserError(
                f"ExponentialMovingAverage: decay must be from 0 to below 1, not {decay}."
            )
        self.decay = decay
        self.steps = 0
        self.in_model = False
        self._average: dict[str, Tensor] = {}

    def before_run(self, runner: Runner) -> None:
        """Start the average anew with a copy of the model's current weights."""
        self.steps = 0
        self._average = {name: x.detach().clone() for name, x in _kept(runner.model).items()}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Load the saved average and its number of steps.

        Each tensor that the checkpoint has no average of starts with the model's current value.
        """
        self.steps = checkpoint.get("ema_steps", 0)
        for name, value in _kept(runner.model).items():
            source = checkpoint.get("ema_state_dict", {}).get(name, value)
            self._average[name].copy_(source)

    @torch.no_grad()
    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Update the average of the weights after a training step, and copy the buffers."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        averaged = runner.model.translation_parts()
        names = [n for n, _ in runner.model.named_parameters() if n.split(".")[0] in averaged]
        weights = _kept(runner.model)
        averages = [self._average[name] for name in names]
        torch._foreach_lerp_(averages, [weights[name] for name in names], 1 - decay)
        for name in weights.keys() - set(names):
            if name.split(".")[0] in averaged:
                self._average[name].copy_(weights[name])

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Validate the average after the weights.

        Nothing happens if the validation that has ended was that of the average.
        """
        if not self.in_model:
            with self.averaged(runner.model):
                runner.val_loop.run()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Add the average (`ema_state_dict`) and its step count (`ema_steps`) to the checkpoint.

        While the average is validated, it is in the model. It is then exchanged with the weights,
        so that `state_dict` holds the weights in any case.
        """
        average = self._average
        if self.in_model:
            average = {name: checkpoint["state_dict"][name] for name in average}
            checkpoint["state_dict"] = {**checkpoint["state_dict"], **self._average}
        checkpoint |= {"ema_state_dict": dict(average), "ema_steps": self.steps}

    @contextmanager
    def averaged(self, model: Translator) -> Iterator[None]:
        """Return a context in which the model holds the average instead of its weights.

        The two are exchanged in place, and exchanged back at the end of the block, also after an
        error.
        """
        self._exchange(model)
        self.in_model = True
        try:
            yield
        finally:
            self._exchange(model)
            self.in_model = False

    @torch.no_grad()
    def _exchange(self, model: Translator) -> None:
        for name, value in _kept(model).items():
            other = self._average[name].clone()
            self._average[name].copy_(value)
            value.copy_(other)


def averages(runner: Runner) -> list[ExponentialMovingAverage]:
    """Return the ExponentialMovingAverage hooks of a run, one or none."""
    return [hook for hook in runner.hooks if isinstance(hook, ExponentialMovingAverage)]


def validated_average(runner: Runner) -> str:
    """Return "ema" while a validation of the averaged weights runs, else ""."""
    return "ema" if any(hook.in_model for hook in averages(runner)) else ""


def _kept(model: Translator) -> dict[str, Tensor]:
    """Return the model's tensors that the average covers, by their name in the model.

    These are the parameters and buffers of the parts that make images. They include the style bank,
    which belongs to the averaged encoder.
    """
    kept = (*model.translation_parts(), "style_bank")
    return {name: x for name, x in model.state_dict().items() if name.split(".")[0] in kept}
