"""The exponential moving average of the weights that translate."""

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
    """Averages the weights of what makes images over the steps, beside the training.

    After step t, average = d average + (1 - d) weights with d = min(decay, (1 + t) / (10 + t)),
    so that a short run's average does not stay at its first weights (as TensorFlow's
    ExponentialMovingAverage with `num_updates` does). Buffers, such as running statistics, are
    copied. The average is validated after the weights themselves, and saved as `ema_state_dict`.

    Args:
        decay: from 0 to below 1.

    Raises:
        UserError: another decay.
    """

    priority = "LOW"  # the others have dealt with a validation when the second one begins

    def __init__(self, decay: float = 0.999) -> None:
        if not 0 <= decay < 1:
            raise UserError(f"The decay of an average is from 0 to below 1, not {decay}.")
        self.decay = decay
        self.steps = 0
        self.shown = False
        self._average: dict[str, Tensor] = {}

    def before_run(self, runner: Runner) -> None:
        """Begin with the weights."""
        self.steps = 0
        self._average = {name: x.detach().clone() for name, x in _kept(runner.model).items()}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Go on with the saved average; begin with the weights if there is none."""
        self.steps = checkpoint.get("ema_steps", 0)
        for name, value in _kept(runner.model).items():
            source = checkpoint.get("ema_state_dict", {}).get(name, value)
            self._average[name].copy_(source)

    @torch.no_grad()
    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Average the weights after the step."""
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
        """Validate the average too, once the weights have been."""
        if not self.shown:
            with self.averaged(runner.model):
                runner.val_loop.run()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Add the average; while it is validated, the model holds it and this hook the weights."""
        average = self._average
        if self.shown:
            average = {name: checkpoint["state_dict"][name] for name in average}
            checkpoint["state_dict"] = {**checkpoint["state_dict"], **self._average}
        checkpoint |= {"ema_state_dict": dict(average), "ema_steps": self.steps}

    @contextmanager
    def averaged(self, model: Translator) -> Iterator[None]:
        """Let the model hold the average meanwhile."""
        self._exchange(model)
        self.shown = True
        try:
            yield
        finally:
            self._exchange(model)
            self.shown = False

    @torch.no_grad()
    def _exchange(self, model: Translator) -> None:
        for name, value in _kept(model).items():
            other = self._average[name].clone()
            self._average[name].copy_(value)
            value.copy_(other)


def averages(runner: Runner) -> list[ExponentialMovingAverage]:
    """The run's averages: one or none."""
    return [hook for hook in runner.hooks if isinstance(hook, ExponentialMovingAverage)]


def shown_average(runner: Runner) -> str:
    """ "ema" while the average is validated, else nothing."""
    return "ema" if any(hook.shown for hook in averages(runner)) else ""


def _kept(model: Translator) -> dict[str, Tensor]:
    """The tensors that an averaged translator has of its own, by their name in the model.

    The styles are among them, for they are its encoder's.
    """
    kept = (*model.translation_parts(), "style_bank")
    return {name: x for name, x in model.state_dict().items() if name.split(".")[0] in kept}
