"""Checkpoints: everything a run needs to go on, and everything others need to use its networks."""

import json
from pathlib import Path
from typing import Any, BinaryIO

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from i2ibench import __version__
from i2ibench.errors import UserError
from i2ibench.io.files import write_file
from i2ibench.io.processes import barrier, get_world_size, is_main_process
from i2ibench.io.run_folders import INTERRUPTED, last_checkpoint_note, list_epochs
from i2ibench.registry import HOOKS
from i2ibench.registry.plugin_records import plugin_records
from i2ibench.training.hooks.random_states import (
    gather_random_states,
    random_state,
    restore_own,
    restore_random_state,
)


@HOOKS.register_module()
class Checkpoints(Hook):
    """Writes `epoch_N.pth` to the work directory, whole or not at all.

    Every checkpoint is first `interrupted.pth`, in place of the one before. It becomes
    `epoch_N.pth` by renaming, when epoch N has been validated, so that a run that is stopped in
    its validation repeats that, and `interrupted.pth` is always the newest.

    The file opens with `weights_only=True`; the config is in it as JSON, never as Python.
    `initialised_from` is the SHA-256 of the checkpoint of the previous stage that this stage began
    with; None in a first stage. `started_from` is that of another run's checkpoint whose weights
    the run began with, or None.
    Other hooks add what they need to go on in `before_save_checkpoint`, in every process.

    Args:
        interval: epochs between two checkpoints; the last epoch always has one.
        keep: how many of the newest epochs to keep; all with 0.
        every_steps: also save after so many steps, for long epochs; None for never.

    Raises:
        UserError: every_steps is below 1.
    """

    priority = "VERY_LOW"

    def __init__(self, interval: int = 1, keep: int = 2, every_steps: int | None = None) -> None:
        if every_steps is not None and every_steps < 1:
            raise UserError(f"Checkpoints saves every 1 or more steps, not every {every_steps}.")
        self.interval, self.keep, self.every_steps = interval, keep, every_steps
        self.initialised_from: str | None = None
        self.started_from: str | None = None
        self._complete: Path | None = None  # what interrupted.pth becomes with its epoch's end
        self._unvalidated = False
        self._before_val: list[dict[str, Any]] = []

    def begun_with(
        self, initialised_from: str | None = None, started_from: str | None = None
    ) -> None:
        """Name in every checkpoint the SHA-256 of the file that the stage began with."""
        self.initialised_from, self.started_from = initialised_from, started_from

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Continue random numbers, data and line of descent where the checkpoint left them."""
        meta = checkpoint["meta"]
        self.initialised_from = meta.get("initialised_from")
        self.started_from = meta.get("started_from")
        restore_own(checkpoint)
        scenes = meta.get("scenes", 0)
        runner.train_dataloader.sampler.start_at(meta["epoch"], scenes)
        loaded, own = Path(runner._load_from), Path(runner.work_dir) / INTERRUPTED
        self._unvalidated = loaded.name == INTERRUPTED and not scenes
        if self._unvalidated and loaded.resolve() == own.resolve():
            self._complete = _epoch_path(runner, meta["epoch"])

    def before_train(self, runner: Runner) -> None:
        """Validate the epoch after which the run was stopped, if it was not validated then."""
        loop = runner.train_loop
        due = runner.epoch % loop.val_interval == 0 or runner.epoch == loop.max_epochs
        if self._unvalidated and due and runner.val_loop and runner.epoch >= loop.val_begin:
            runner.val_loop.run()
        self._unvalidated = False

    def before_val(self, runner: Runner) -> None:
        """Keep the random state: whether an epoch is validated must not change the next one."""
        self._before_val.append(random_state())

    def after_val(self, runner: Runner) -> None:
        """Go on as if nothing had been drawn."""
        restore_random_state(self._before_val.pop())

    def before_train_epoch(self, runner: Runner) -> None:
        """Name the checkpoint of the epoch before, which is complete now."""
        self._rename(runner)

    def after_train(self, runner: Runner) -> None:
        """Name the checkpoint of the last epoch."""
        self._rename(runner)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Save in the middle of an epoch, if it is time."""
        if self.every_steps and (runner.iter + 1) % self.every_steps == 0:
            self.save_step(runner, batch_idx)

    def after_train_epoch(self, runner: Runner) -> None:
        """Save after the epoch's last step."""
        if self.every_n_epochs(runner, self.interval) or self.is_last_train_epoch(runner):
            self.save_epoch(runner, runner.epoch + 1)

    def save_step(self, runner: Runner, batch_idx: int) -> None:
        """Save from within `after_train_iter`; the run goes on with the epoch's next batch."""
        loader = runner.train_dataloader
        own = loader.sampler.start + (batch_idx + 1) * loader.batch_size
        meta = {"epoch": runner.epoch, "iter": runner.iter + 1, "scenes": own * get_world_size()}
        self._save(runner, meta)
        self._complete = None

    def save_epoch(self, runner: Runner, epoch: int) -> None:
        """Save after a number of whole epochs, unless this has been done."""
        path = _epoch_path(runner, epoch)
        if self._complete != path:
            self._save(runner, {"epoch": epoch, "iter": runner.iter, "scenes": 0})
            self._complete = path

    def _save(self, runner: Runner, position: dict[str, int]) -> None:
        checkpoint = _contents(runner)
        origin = {"initialised_from": self.initialised_from, "started_from": self.started_from}
        checkpoint["meta"] |= {**position, **origin}
        first, *others = gather_random_states()
        checkpoint |= {"random_state": first, "other_random_states": others}
        runner.call_hook("before_save_checkpoint", checkpoint=checkpoint)
        if is_main_process():
            _write(Path(runner.work_dir), checkpoint)

    def _rename(self, runner: Runner) -> None:
        """Give interrupted.pth the name of its epoch, and remove the oldest epochs."""
        if self._complete is None:
            return
        barrier()  # a process that has just started may still be reading it
        if is_main_process():
            folder = Path(runner.work_dir)
            (folder / INTERRUPTED).replace(self._complete)
            if self.keep:
                for old in list_epochs(folder)[: -self.keep]:
                    old.unlink()
        barrier()  # the next stage begins with the file of that name
        self._complete = None


def _epoch_path(runner: Runner, epoch: int) -> Path:
    return Path(runner.work_dir) / f"epoch_{epoch:04d}.pth"


def _contents(runner: Runner) -> dict[str, Any]:
    schedulers = runner.param_schedulers or {}
    return {
        "i2ibench": __version__,
        "config": json.dumps(runner.cfg.to_dict()),
        "meta": {
            "seed": runner.seed,
            "dataset_meta": runner.train_dataloader.dataset.metainfo,
            "plugins": plugin_records(),
        },
        "state_dict": runner.model.state_dict(),
        "optimizer": runner.optim_wrapper.state_dict(),
        "param_schedulers": {
            name: [scheduler.state_dict() for scheduler in group]
            for name, group in schedulers.items()
        },
        # The Runner asks for this key; the losses of this project do not go through the hub.
        "message_hub": {"log_scalars": {}, "runtime_info": {}, "resumed_keys": {}},
    }


class _CheckedFile:
    """A file that remembers why a write failed: torch.save says only that a position is wrong."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write, or remember why not."""
        try:
            return self.file.write(data)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        """Do nothing; closing the file flushes it."""


def _write(folder: Path, checkpoint: dict[str, Any]) -> None:
    """Make `interrupted.pth` hold the checkpoint.

    Raises:
        UserError: the disk is full, or the folder is gone.
    """
    path = folder / INTERRUPTED
    if not folder.is_dir():
        raise UserError(f"The work directory {folder} was removed while the run was training.")
    try:
        write_file(path, lambda aside: _save_to(aside, checkpoint))
    except OSError as error:
        raise UserError(
            f"The checkpoint {path} cannot be written: {error.strerror or error}. "
            f"{last_checkpoint_note(folder)}"
        ) from error


def _save_to(path: Path, checkpoint: dict[str, Any]) -> None:
    with path.open("wb") as file:
        checked = _CheckedFile(file)
        try:
            torch.save(checkpoint, checked)  # type: ignore[arg-type]
        except RuntimeError:
            if checked.error is None:
                raise
            raise checked.error from None
