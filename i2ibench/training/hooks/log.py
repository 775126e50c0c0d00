"""The log of training: losses to the visualiser, progress to the screen."""

from typing import Any

import torch
from mmengine.dist import all_gather, all_reduce
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from i2ibench.errors import UserError
from i2ibench.io.processes import get_rank, get_world_size, is_main_process
from i2ibench.io.progress import Progress
from i2ibench.registry import HOOKS
from i2ibench.training.hooks.ema import shown_average
from i2ibench.training.hooks.throughput import Pace, advice
from i2ibench.training.optimizers import skipped

SHOWN = ("seg/pixel_acc", "seg/miou")
"""The validation scores that the terminal shows; the logs have all of them."""


@HOOKS.register_module()
class TrainingLog(Hook):
    """Mean losses every few iterations, validation scores every time, and a progress display.

    The losses in the log are means over all processes, as one process with all of their scenes
    would log them. Every process and step must therefore give losses of the same names.

    Losses stay on the device in between: mmengine's own hooks read every one of them back in
    every iteration, which makes a GPU wait. The scores of averaged weights are `val_ema/...`; where
    updates may be left out, `train/<network>.skipped` counts them. `train/step_s` is the seconds of
    a step, `train/data_share` the share of them in which the data was waited for: where that is
    much, the screen says once what makes it less.

    Args:
        interval: iterations that are averaged into one record.
    """

    priority = "BELOW_NORMAL"

    def __init__(self, interval: int = 20) -> None:
        if interval < 1:
            raise UserError(f"TrainingLog averages at least 1 iteration, not {interval}.")
        self.interval = interval
        self._sums: dict[str, Tensor] = {}
        self._count = 0  # steps in the sums
        self._pace: Pace | None = None
        self._advised = False
        self._progress: Progress | None = None

    def before_train(self, runner: Runner) -> None:
        """Show the progress of the whole run."""
        self._progress = Progress(
            "training", runner.max_iters, completed=runner.iter, visible=is_main_process()
        )
        self._progress.__enter__()
        self._pace = Pace(runner.train_dataloader)
        self._pace.go()

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Add the step's losses; at the interval, record their means."""
        for name, value in (outputs or {}).items():
            self._sums[name] = self._sums.get(name, 0.0) + value.float()
        self._count += 1
        self._timed.steps += 1
        status = ""
        if (runner.iter + 1) % self.interval == 0:
            status = self._record(runner)
        if self._progress is not None:
            self._progress.advance(1, status)

    def before_val(self, runner: Runner) -> None:
        """Stop the clock."""
        if self._pace is not None:
            self._pace.stop()

    def after_val(self, runner: Runner) -> None:
        """Let the clock go on."""
        if self._pace is not None:
            self._pace.go()

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Record and show the validation scores."""
        if not metrics:
            return
        average = shown_average(runner)
        place = "_".join(filter(None, ["val", average]))
        runner.visualizer.add_scalars(
            {f"{place}/{k}": v for k, v in metrics.items()}, step=runner.iter
        )
        shown = {name: metrics[name] for name in SHOWN if name in metrics} or metrics
        if self._progress is not None:
            epoch = f"epoch {runner.epoch}/{runner.max_epochs}{average and ', average'}"
            self._progress.note(f"{epoch}  {_listing(shown)}")

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Add every process's losses since the last record."""
        sums = all_gather(self._stacked()) if self._sums else []
        checkpoint["log"] = {"names": list(self._sums), "sums": sums, "count": self._count}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Go on with the saved losses, so that the next record is the uninterrupted run's.

        With another number of processes than before, each goes on with the mean of the sums.
        """
        log = checkpoint.get("log", {"names": [], "sums": [], "count": 0})
        sums, self._count = log["sums"], log["count"]
        if sums:
            own = sums[get_rank()] if len(sums) == get_world_size() else torch.stack(sums).mean(0)
            self._sums = dict(zip(log["names"], own.unbind(), strict=True))

    def after_train(self, runner: Runner) -> None:
        """End the display."""
        self.close()

    def close(self) -> None:
        """End the display, also after an error."""
        if self._progress is not None:
            self._progress.__exit__(None, None, None)
            self._progress = None

    def _record(self, runner: Runner) -> str:
        means = self._stacked() / self._count
        all_reduce(means, "mean")
        losses = dict(zip(self._sums, means.tolist(), strict=True))
        seconds, waiting = self._timed.take()
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
        """Say once that the data is waited for."""
        text = advice(self._timed.loader, waiting)
        if text and not self._advised and self._progress is not None:
            self._advised = True
            self._progress.note(text)

    @property
    def _timed(self) -> Pace:
        assert self._pace is not None, "steps follow before_train"
        return self._pace


def _listing(values: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.3g}" for name, value in values.items())
