"""Hooks for losses that are NaN or infinite: one stops the run, the other skips the update."""

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
    """Stops the run if a loss is NaN or infinite. Nothing is saved after that step.

    The losses are checked on the device, and the result is read every few steps and before each
    checkpoint. A checkpoint is not written either if a weight is not finite. Every run has this
    hook, unless its config has SkipNonFinite or `hooks=dict(non_finite=None)`.

    Args:
        interval: steps between two reads; each read makes the CPU wait for the GPU.

    Raises:
        UserError: interval is below 1.
    """

    def __init__(self, interval: int = 20) -> None:
        if interval < 1:
            raise UserError(f"StopAtNonFinite: interval must be at least 1, not {interval}.")
        self.interval = interval
        self._names: list[str] = []
        self._first: Tensor | None = None  # by loss, the first step with a bad value, or 0

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Record the step of a loss that is not finite; at the interval, stop if there was one.

        Raises:
            UserError: names the loss and the first step in which it was not finite.
        """
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
        """Stop the run if a loss or a weight is not finite, before other hooks use the weights.

        Raises:
            UserError: names the loss or the weight.
        """
        self._stop_if_found(runner)
        require_finite_weights(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Stop the run before a checkpoint is written, if a loss or a weight is not finite.

        Raises:
            UserError: names the loss or the weight.
        """
        self.after_train_epoch(runner)

    def _stop_if_found(self, runner: Runner) -> None:
        steps = [] if self._first is None else self._first.tolist()
        found = [(step, name) for step, name in zip(steps, self._names, strict=True) if step]
        if found:
            step, name = min(found, key=lambda pair: pair[0])
            raise UserError(
                f"Training stopped: the loss {name} was not finite in step {step}. "
                f"{last_checkpoint_note(Path(runner.work_dir))} A lower learning rate may help, or "
                "hooks=dict(non_finite=dict(type='SkipNonFinite')), which skips such updates."
            )


@HOOKS.register_module()
class SkipNonFinite(Hook):
    """Skips every update whose gradient, averaged over the processes, is not finite.

    Each network is treated separately; the log counts its skipped updates as
    `train/<network>.skipped`. A skipped update changes neither weights nor the optimiser's state.
    Running statistics of batch norms are updated nevertheless. A fused optimiser skips on the
    device; other optimisers make the CPU wait for the GPU in every step.

    Args:
        patience: the number of consecutive updates of one network that may be skipped. The run
            stops after more.
        interval: steps between two checks of that number.

    Raises:
        UserError: a number is below 1.
    """

    def __init__(self, patience: int = 10, interval: int = 20) -> None:
        for name, value in (("patience", patience), ("interval", interval)):
            if value < 1:
                raise UserError(f"SkipNonFinite: {name} must be at least 1, not {value}.")
        self.patience, self.interval = patience, interval

    def before_train(self, runner: Runner) -> None:
        """Make all optimisers skip updates whose gradients are not finite."""
        for optimizer in runner.optim_wrapper.values():
            optimizer.skips = True

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Stop the run, at the interval, if more consecutive updates were skipped than `patience`.

        Raises:
            UserError: names the network and the number of updates.
        """
        if (runner.iter + 1) % self.interval == 0:
            self._stop_if_too_many(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Stop the run before other hooks use weights that are not finite.

        Raises:
            UserError: too many consecutive updates were skipped, or a weight is not finite.
        """
        self._stop_if_too_many(runner)
        require_finite_weights(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Stop the run before weights that are not finite are saved.

        Raises:
            UserError: too many consecutive updates were skipped, or a weight is not finite.
        """
        self.after_train_epoch(runner)

    def _stop_if_too_many(self, runner: Runner) -> None:
        for name, optimizer in runner.optim_wrapper.items():
            longest = int(optimizer.longest_skipped)
            if longest > self.patience:
                raise UserError(
                    f"Training stopped by step {runner.iter + 1}: {longest} consecutive updates of "
                    f"the {name} had no finite gradient (patience {self.patience}). "
                    f"{last_checkpoint_note(Path(runner.work_dir))}"
                )


def require_finite_weights(runner: Runner) -> None:
    """Refuse parameters or buffers of the Runner's model with NaN or infinity.

    The style bank, in which NaN means unknown, is not checked.

    Raises:
        UserError: names the first tensor that is not finite.
    """
    weights = {
        name: x
        for name, x in runner.model.state_dict().items()
        if x.is_floating_point() and not name.startswith("style_bank.")  # nan there means unknown
    }
    finite = torch.stack([x.isfinite().all() for x in weights.values()]).tolist()
    for name, good in zip(weights, finite, strict=True):
        if not good:
            raise UserError(
                f"Training stopped in epoch {runner.epoch + 1}: the weights {name} are no longer "
                f"finite. {last_checkpoint_note(Path(runner.work_dir))}"
            )
