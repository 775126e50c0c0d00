"""Checkpoints, which hold all state that a run needs to continue and its networks need to run."""

import json
from pathlib import Path
from typing import Any, BinaryIO

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from i2ibench import __version__
from i2ibench.errors import UserError
from i2ibench.io.files import write_file
from i2ibench.io.process_group import barrier, get_world_size, is_main_process
from i2ibench.io.run_folders import INTERRUPTED, last_checkpoint_note, list_epochs
from i2ibench.registry import HOOKS
from i2ibench.registry.plugin_records import plugin_records
from i2ibench.training.hooks.best_epoch import BestEpoch
from i2ibench.training.hooks.ema import averages, validated_average
from i2ibench.training.hooks.random_states import (
    gather_random_states,
    random_state,
    restore_own,
    restore_random_state,
)


@HOOKS.register_module()
class Checkpoints(Hook):
    """Writes `epoch_N.pth` to the work directory; a file is written completely or not at all.

    Every checkpoint is first written as `interrupted.pth`, which replaces the previous file of that
    name. When epoch N has been validated, the file is renamed to `epoch_N.pth`. Therefore
    `interrupted.pth` is always the newest checkpoint, and a run that is stopped during validation
    repeats the validation.

    The file can be loaded with `weights_only=True`. It holds the config as JSON, never as Python.
    Other hooks add their state in `before_save_checkpoint`, which is called in every process.

    Args:
        interval: epochs between two checkpoints; the last epoch always has one.
        keep: the number of newest epochs to keep; 0 keeps all.
        every_steps: also save after this number of steps, for long epochs; None for never.
        best: the validation score, such as "seg/miou", whose best epoch is kept beside the newest
            ones as `best_epoch_N.pth`; None for none. With an average of the weights
            (`ExponentialMovingAverage`) the average's score counts.

    Attributes:
        initialised_from: the SHA-256 of the checkpoint of the previous stage that this stage
            started with; None in a first stage.
        started_from: the SHA-256 of another run's checkpoint whose weights the run started with
            (`start_from`), or None.

    Raises:
        UserError: every_steps is below 1; or, at the start of the training, the validation does
            not compute the score `best`.
    """

    priority = "VERY_LOW"

    def __init__(
        self,
        interval: int = 1,
        keep: int = 2,
        every_steps: int | None = None,
        best: str | None = None,
    ) -> None:
        if every_steps is not None and every_steps < 1:
            raise UserError(f"Checkpoints: every_steps must be at least 1, not {every_steps}.")
        self.interval, self.keep, self.every_steps = interval, keep, every_steps
        self.best = best
        self._validated: tuple[int, float] | None = None  # an epoch and its score
        self.initialised_from: str | None = None
        self.started_from: str | None = None
        self._complete: Path | None = None  # the name that interrupted.pth gets after validation
        self._unvalidated = False
        self._before_val: list[dict[str, Any]] = []

    def record_source(
        self, initialised_from: str | None = None, started_from: str | None = None
    ) -> None:
        """Set the SHA-256 of the file that the stage started with, for the checkpoints that follow.

        Args:
            initialised_from: of the checkpoint of the previous stage, or None.
            started_from: of the checkpoint `start_from`, or None.
        """
        self.initialised_from, self.started_from = initialised_from, started_from

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Restore random numbers, the position in the data and the hashes of earlier files.

        The state that is restored is that of `checkpoint`, which the Runner has read. The hook also
        notes whether its last epoch has still to be validated.
        """
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
        """Validate the last epoch if the run was stopped before it was validated.

        Nothing happens if that epoch is not due for a validation (`val_interval`, `val_begin`).
        """
        if self.best is not None:
            self._best_epoch(runner)  # refuses an unknown score
        loop = runner.train_loop
        due = runner.epoch % loop.val_interval == 0 or runner.epoch == loop.max_epochs
        if self._unvalidated and due and runner.val_loop and runner.epoch >= loop.val_begin:
            runner.val_loop.run()
        self._unvalidated = False

    def before_val(self, runner: Runner) -> None:
        """Keep this process's random state, so that a validation does not change the next epoch."""
        self._before_val.append(random_state())

    def after_val(self, runner: Runner) -> None:
        """Restore this process's random state from before the validation."""
        restore_random_state(self._before_val.pop())

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Note the score that decides which epoch is the best, if the validation computed it."""
        value = (metrics or {}).get(self.best) if self.best is not None else None
        counts = not averages(runner) or validated_average(runner)
        if value is not None and counts:
            self._validated = (runner.epoch, value)

    def before_train_epoch(self, runner: Runner) -> None:
        """Rename `interrupted.pth` to `epoch_N.pth` of the previous epoch, which is validated now.

        The oldest epochs beyond `keep` are deleted. Nothing happens if no epoch waits for its name.
        """
        self._rename(runner)

    def after_train(self, runner: Runner) -> None:
        """Rename `interrupted.pth` to the name of the last epoch, and delete the oldest epochs."""
        self._rename(runner)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Save `interrupted.pth` in the middle of an epoch, at every multiple of `every_steps`.

        Nothing is saved if `every_steps` is None.
        """
        if self.every_steps and (runner.iter + 1) % self.every_steps == 0:
            self.save_step(runner, batch_idx)

    def after_train_epoch(self, runner: Runner) -> None:
        """Save `interrupted.pth` after the last step of an epoch.

        Only epochs at a multiple of `interval`, and the last epoch, are saved.
        """
        if self.every_n_epochs(runner, self.interval) or self.is_last_train_epoch(runner):
            self.save_epoch(runner, runner.epoch + 1)

    def save_step(self, runner: Runner, batch_idx: int) -> None:
        """Save `interrupted.pth` after a step; a resumed run continues with the next batch.

        Call this in `after_train_iter`, in every process.

        Args:
            runner: the Runner of the stage.
            batch_idx: the position in the epoch of the batch that was just trained, from 0.
        """
        loader = runner.train_dataloader
        own = loader.sampler.start + (batch_idx + 1) * loader.batch_size
        meta = {"epoch": runner.epoch, "iter": runner.iter + 1, "scenes": own * get_world_size()}
        self._save(runner, meta)
        self._complete = None

    def save_epoch(self, runner: Runner, epoch: int) -> None:
        """Save `interrupted.pth` after complete epochs; do nothing if it holds them already.

        Call this in every process.

        Args:
            runner: the Runner of the stage.
            epoch: the number of complete epochs.
        """
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

    def _best_epoch(self, runner: Runner) -> BestEpoch:
        assert self.best is not None
        return BestEpoch(Path(runner.work_dir), self.best, _directions(runner))

    def _keep_best(self, runner: Runner, checkpoint: Path) -> None:
        """Keep the checkpoint of the epoch that was just validated if its score is the best."""
        validated, self._validated = self._validated, None
        if validated is not None and self._complete == _epoch_path(runner, validated[0]):
            self._best_epoch(runner).offer(*validated, checkpoint)

    def _rename(self, runner: Runner) -> None:
        """Rename `interrupted.pth` to the name of its epoch, and delete the oldest epochs.

        The newest `keep` epochs stay; 0 deletes none. Nothing happens if no epoch waits for its
        name. Every process must call this method; the main process renames and deletes.
        """
        if self._complete is None:
            return
        barrier()  # a process that has just started may still be reading the file
        if is_main_process():
            folder = Path(runner.work_dir)
            self._keep_best(runner, folder / INTERRUPTED)
            (folder / INTERRUPTED).replace(self._complete)
            if self.keep:
                for old in list_epochs(folder)[: -self.keep]:
                    old.unlink()
        barrier()  # the next stage reads the file by its new name
        self._complete = None


def _directions(runner: Runner) -> dict[str, str]:
    """Return "higher" or "lower" by name for every score of a run's validation."""
    validating = runner.val_loop.evaluator.metrics if runner.val_loop else []
    return {name: way for one in validating for name, way in one.metric.better.items()}


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
        # The Runner requires this key; this project does not log losses through the hub.
        "message_hub": {"log_scalars": {}, "runtime_info": {}, "resumed_keys": {}},
    }


class _CheckedFile:
    """A file that keeps the error of a failed write, because torch.save hides the cause."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write the data, and return the number of bytes; keep and raise an OSError."""
        try:
            return self.file.write(data)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        """Do nothing, because closing the file flushes it."""


def _write(folder: Path, checkpoint: dict[str, Any]) -> None:
    """Write a checkpoint to `interrupted.pth` in a folder, replacing the file of that name.

    If writing fails, the old file stays as it was.
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
