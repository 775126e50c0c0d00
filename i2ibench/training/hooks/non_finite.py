"""Losses that are no longer finite: stop, or leave the update out."""

from pathlib import Path
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from i2ibench.errors import UserError
from i2ibench.io.run_folders import last_checkpoint_note
from i2ibench.registry import HOOKS


@HOOKS.register_module()
class StopAtNonFinite(Hook):
    """Stops the run at the first loss that is NaN or infinite, and saves nothing from then on.

    The losses are compared on the device and read every few steps, and before each checkpoint,
    which is not written either if a weight is not finite. A run has this hook unless its config
    names another of this module, or `hooks=dict(non_finite=None)`.

    Args:
        interval: steps between two reads; each makes a GPU wait.

    Raises:
        UserError: interval is below 1.
    """

    def __init__(self, interval: int = 20) -> None:
        if interval < 1:
            raise UserError(f"StopAtNonFinite looks every 1 or more steps, not every {interval}.")
        self.interval = interval
        self._names: list[str] = []
        self._first: Tensor | None = None  # per loss the step at which it was not finite; or 0

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Note the step of a loss that is not finite; at the interval, stop if there was one."""
        values = torch.stack([value.detach().float() for value in outputs.values()])
        if self._first is None or self._names != list(outputs):
            self._names = list(outputs)
            self._first = torch.zeros(len(values), dtype=torch.int64, device=values.device)
        now = torch.full_like(self._first, runner.iter + 1)
        new = ~values.isfinite() & (self._first == 0)
        self._first = torch.where(new, now, self._first)
        if (runner.iter + 1) % self.interval == 0:
            self._stop_if_found(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Stop before others work with weights that are no longer good."""
        self._stop_if_found(runner)
        require_finite_weights(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Stop instead of saving such weights."""
        self.after_train_epoch(runner)

    def _stop_if_found(self, runner: Runner) -> None:
        steps = [] if self._first is None else self._first.tolist()
        found = [(step, name) for step, name in zip(steps, self._names, strict=True) if step]
        if found:
            step, name = min(found, key=lambda pair: pair[0])
            raise UserError(
                f"Training stopped: the loss {name} was not finite in step {step}. "
                f"{last_checkpoint_note(Path(runner.work_dir))} A lower learning rate may help, or "
                " hooks=dict(non_finite=dict(type='SkipNonFinite'))."
            )


@HOOKS.register_module()
class SkipNonFinite(Hook):
    """Leaves out every update whose gradient, averaged over the processes, is not finite.

    Each network's is judged by itself and counted as `train/<network>.skipped`; the weights and
    the optimiser's moments stay as they were. A fused optimiser decides on the device, others
    make a GPU wait in every step. Running statistics of batch norms take part in the step all the
    same.

    Args:
        patience: updates of one network that may be left out one after the other; then the run
            stops.
        interval: steps between two looks at their number.

    Raises:
        UserError: a number is below 1.
    """

    def __init__(self, patience: int = 10, interval: int = 20) -> None:
        for name, value in (("patience", patience), ("interval", interval)):
            if value < 1:
                raise UserError(f"SkipNonFinite's {name} is at least 1, not {value}.")
        self.patience, self.interval = patience, interval

    def before_train(self, runner: Runner) -> None:
        """Let the optimisers look at their gradients."""
        for optimizer in runner.optim_wrapper.values():
            optimizer.skips = True

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """At the interval, stop if too many updates were left out one after the other."""
        if (runner.iter + 1) % self.interval == 0:
            self._stop_if_hopeless(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Stop before others work with weights that are no longer good."""
        self._stop_if_hopeless(runner)
        require_finite_weights(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Stop instead of saving such weights."""
        self.after_train_epoch(runner)

    def _stop_if_hopeless(self, runner: Runner) -> None:
        for name, optimizer in runner.optim_wrapper.items():
            longest = int(optimizer.longest_skipped)
            if longest > self.patience:
                raise UserError(
                    f"Training stopped by step {runner.iter + 1}: {longest} updates of the {name} "
                    f"one after the other had no finite gradient (patience {self.patience}). "
                    f"{last_checkpoint_note(Path(runner.work_dir))}"
                )


def require_finite_weights(runner: Runner) -> None:
    """Refuse weights with NaN or infinity.

    Raises:
        UserError: names the first.
    """
    weights = {
        name: x
        for name, x in runner.model.state_dict().items()
        if x.is_floating_point() and not name.startswith("style_bank.")  # nan: not known
    }
    finite = torch.stack([x.isfinite().all() for x in weights.values()]).tolist()
    for name, good in zip(weights, finite, strict=True):
        if not good:
            raise UserError(
                f"Training stopped in epoch {runner.epoch + 1}: the weights {name} are no longer "
                f"finite. {last_checkpoint_note(Path(runner.work_dir))}"
            )
