"""The log of training: losses for the visualiser, progress and step times for the terminal."""

import os
import time
from typing import Any, Protocol

import torch
from mmengine.dist import all_gather, all_reduce
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from i2ibench.errors import UserError
from i2ibench.io.process_group import get_rank, get_world_size, is_main_process
from i2ibench.io.progress import Progress
from i2ibench.registry import HOOKS
from i2ibench.registry.contracts import Dataset
from i2ibench.training.hooks.ema import validated_average
from i2ibench.training.optimizers import skipped

SHOWN = ("seg/pixel_acc", "seg/miou")
"""The validation scores that the terminal shows; the logs have all scores."""

MUCH = 0.2
"""The share of time waiting for data from which advice is printed."""


@HOOKS.register_module()
class TrainingLog(Hook):
    """Logs average losses every few iterations and all validation scores, and shows progress.

    Losses are averaged over all processes, as if one process had trained on all scenes. Every
    process and step must therefore return losses of the same names. Losses stay on the device until
    they are logged. mmengine's own hooks read all losses in every iteration, which makes the CPU
    wait for the GPU.

    Besides the losses, these scalars are logged:

    - `val/...`, and `val_ema/...` for averaged weights: the validation scores.
    - `train/<network>`: the learning rate.
    - `train/<network>.skipped`: the number of skipped updates, if updates may be skipped.
    - `train/step_s`: seconds per step.
    - `train/data_share`: the share of that time that was spent waiting for data, 0..1. If it is
      large, the terminal shows advice once.

    Args:
        interval: iterations that are averaged into one record.

    Raises:
        UserError: interval is below 1.
    """

    priority = "BELOW_NORMAL"

    def __init__(self, interval: int = 20) -> None:
        if interval < 1:
            raise UserError(f"TrainingLog: interval must be at least 1 iteration, not {interval}.")
        self.interval = interval
        self._sums: dict[str, Tensor] = {}
        self._count = 0  # steps in the sums
        self._timer: StepTimer | None = None
        self._advised = False
        self._progress: Progress | None = None

    def before_train(self, runner: Runner) -> None:
        """Open the progress display, and start the timer of training steps."""
        self._progress = Progress(
            "training", runner.max_iters, completed=runner.iter, visible=is_main_process()
        )
        self._progress.__enter__()
        self._timer = StepTimer(runner.train_dataloader)
        self._timer.start()

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Add the losses of the step to their sums; at the interval, log the averages."""
        for name, value in (outputs or {}).items():
            self._sums[name] = self._sums.get(name, 0.0) + value.float()
        self._count += 1
        self._running_timer.steps += 1
        status = ""
        if (runner.iter + 1) % self.interval == 0:
            status = self._record(runner)
        if self._progress is not None:
            self._progress.advance(1, status)

    def before_val(self, runner: Runner) -> None:
        """Pause the timer of training steps."""
        if self._timer is not None:
            self._timer.stop()

    def after_val(self, runner: Runner) -> None:
        """Continue the timer of training steps."""
        if self._timer is not None:
            self._timer.start()

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Log all validation scores, and show those in SHOWN on the terminal.

        If none of SHOWN was computed, all scores are shown. Nothing happens without scores.
        """
        if not metrics:
            return
        average = validated_average(runner)
        prefix = "_".join(filter(None, ["val", average]))
        runner.visualizer.add_scalars(
            {f"{prefix}/{k}": v for k, v in metrics.items()}, step=runner.iter
        )
        shown = {name: metrics[name] for name in SHOWN if name in metrics} or metrics
        if self._progress is not None:
            epoch = f"epoch {runner.epoch}/{runner.max_epochs}{average and ', average'}"
            self._progress.note(f"{epoch}  {_listing(shown)}")

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Add the losses of every process since the last record to the checkpoint, as "log"."""
        sums = all_gather(self._stacked()) if self._sums else []
        checkpoint["log"] = {"names": list(self._sums), "sums": sums, "count": self._count}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Restore the losses that `before_save_checkpoint` saved.

        The next record then equals that of an uninterrupted run. If the number of processes has
        changed, each process gets the average of the saved sums. A checkpoint without losses is
        accepted.
        """
        log = checkpoint.get("log", {"names": [], "sums": [], "count": 0})
        sums, self._count = log["sums"], log["count"]
        if sums:
            own = sums[get_rank()] if len(sums) == get_world_size() else torch.stack(sums).mean(0)
            self._sums = dict(zip(log["names"], own.unbind(), strict=True))

    def after_train(self, runner: Runner) -> None:
        """Close the progress display at the end of the training."""
        self.close()

    def after_run(self, runner: Runner) -> None:
        """Close the backends of the log, so that they send what they hold back."""
        runner.visualizer.close()

    def close(self) -> None:
        """Close the progress display; it may be closed already."""
        if self._progress is not None:
            self._progress.__exit__(None, None, None)
            self._progress = None

    def _record(self, runner: Runner) -> str:
        means = self._stacked() / self._count
        all_reduce(means, "mean")
        losses = dict(zip(self._sums, means.tolist(), strict=True))
        seconds, waiting = self._running_timer.restart()
        self._advise(waiting)
        rates = {name: values[0] for name, values in runner.optim_wrapper.get_lr().items()}
        scalars = {f"train/{k}": v for k, v in losses.items()}
        scalars |= {f"train/{k}": v for k, v in rates.items()}
        scalars |= {"train/step_s": seconds, "train/data_share": waiting}
        scalars |= {f"train/{k}.skipped": v for k, v in skipped(runner.optim_wrapper).items()}
        runner.visualizer.add_scalars(scalars, step=runner.iter + 1)
        self._sums, self._count = {}, 0
        return f"epoch {runner.epoch + 1}  {_listing(losses)}  waiting for data {waiting:.0%}"

    def _stacked(self) -> Tensor:
        return torch.stack(list(self._sums.values()))

    def _advise(self, waiting: float) -> None:
        """Show advice once if much time is spent waiting for data."""
        text = loading_advice(self._running_timer.loader, waiting)
        if text and not self._advised and self._progress is not None:
            self._advised = True
            self._progress.note(text)

    @property
    def _running_timer(self) -> "StepTimer":
        assert self._timer is not None, "steps follow before_train"
        return self._timer


def _listing(values: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.3g}" for name, value in values.items())


class Loader(Protocol):
    """The interface of the loaders that StepTimer works with.

    Attributes:
        waited: seconds spent waiting for batches since the loader was built.
        num_workers: the number of worker processes.
        dataset: the data set.
    """

    waited: float
    num_workers: int
    dataset: Dataset


class StepTimer:
    """A timer of training steps and of the time spent waiting for the data loader.

    The timer runs between `start` and `stop`. It does not synchronise with a GPU.

    Args:
        loader: the loader of the batches.

    Attributes:
        steps: the number of steps, which the caller counts.
    """

    def __init__(self, loader: Loader) -> None:
        self.loader = loader
        self.steps, self._seconds, self._waited = 0, 0.0, 0.0
        self._since: tuple[float, float] | None = None

    def start(self) -> None:
        """Start or continue to count the time and the loader's waiting time."""
        self._since = time.perf_counter(), self.loader.waited

    def stop(self) -> None:
        """Add the time since `start` to the totals; do nothing if the timer is stopped already."""
        if self._since is not None:
            self._seconds += time.perf_counter() - self._since[0]
            self._waited += self.loader.waited - self._since[1]
            self._since = None

    def restart(self) -> tuple[float, float]:
        """Return the averages since the last restart, and start anew from zero.

        Returns:
            Seconds per step, and the share of that time that was spent waiting for data, 0..1.
        """
        self.stop()
        seconds, share = self._seconds / max(self.steps, 1), self._waited / max(self._seconds, 1e-9)
        self.steps, self._seconds, self._waited = 0, 0.0, 0.0
        self.start()
        return seconds, share


def loading_advice(loader: Loader, share: float) -> str:
    """Return a sentence with options that reduce the time spent waiting for data, or "".

    The result is "" if little time is spent, or if scenes are cached and there are enough workers.

    Args:
        loader: the loader of the batches.
        share: the share of time spent waiting, 0..1; no advice is given below MUCH.
    """
    cores = os.cpu_count() or 1
    ways = []
    if not loader.dataset.scenes.is_cached:
        ways.append("cache=True")
    if loader.num_workers < cores - 1:
        ways.append(f"num_workers={min(cores, 8)} (now {loader.num_workers})")
    if share < MUCH or not ways:
        return ""
    return (
        f"{share:.0%} of a training step is spent waiting for data. "
        f"In train_dataloader: {' or '.join(ways)}."
    )
