"""Saved states: the checkpoints that a run continues from. Each of them is read once."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from i2ibench.errors import UserError
from i2ibench.inference.checkpoint_checks import read_config
from i2ibench.inference.checkpoints import (
    config_that_affects_results,
    read_checkpoint,
    why_unusable,
)
from i2ibench.io.process_group import barrier, is_main_process
from i2ibench.io.progress import say
from i2ibench.io.run_folders import INTERRUPTED, list_checkpoints


class SavedState:
    """The state of a training run in a checkpoint, whose file is read once.

    Args:
        path: the checkpoint. Its tensors are memory-mapped until they are used.

    Attributes:
        contents: the contents of the file.

    Raises:
        UserError: the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.contents: dict[str, Any] = read_checkpoint(path)

    @property
    def meta(self) -> dict[str, Any]:
        """Return the checkpoint's `meta`: epoch, step, data set, plugins, initial checkpoints."""
        meta: dict[str, Any] = self.contents["meta"]
        return meta

    def has_all(self, epochs: int) -> bool:
        """Return whether the saved run has trained at least `epochs` epochs, validated or not."""
        return bool(self.meta["epoch"] >= epochs)

    def is_complete(self, epochs: int) -> bool:
        """Return whether the saved run has trained `epochs` epochs and validated the last one.

        A checkpoint named `interrupted.pth` is never complete.
        """
        return self.path.name != INTERRUPTED and self.has_all(epochs)

    def changed_keys(self, config: Config) -> list[str]:
        """Return the top-level keys, sorted, whose value differs from the config of the saved run.

        Keys that only one of the two configs has are included. Settings that do not affect results
        are ignored: `work_dir`, `vis_backends`, `start_from`, and the loaders' `num_workers`,
        `cache` and `prefetch`.

        Args:
            config: the config of the stage now.

        Raises:
            UserError: the checkpoint holds weights only, so that no run can continue from it.
        """
        before = read_config(self.contents, self.path)
        loaders = {"train_dataloader", "val_dataloader"}
        if "optimizer" not in self.contents or not loaders <= before.keys():
            raise UserError(
                f"No run can go on from {self.path}: it holds weights without the state of a "
                "training run (optimisers, epoch, data), as `convert` writes it. translate, eval, "
                "edit, styles and study can use it, and a new run can start with its weights: "
                f"--start-from {self.path}"
            )
        before = config_that_affects_results(before)
        now = config_that_affects_results(json.loads(json.dumps(config.to_dict())))
        return sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))

    def require_resumable(self, changed: Sequence[str]) -> None:
        """Refuse to continue if the saved state of the optimisers belongs to another config.

        Args:
            changed: keys of the config that have changed. Only `optimizers`, `param_scheduler` and
                `amp` are refused.

        Raises:
            UserError: names the refused keys.
        """
        bound = [key for key in changed if key in ("optimizers", "param_scheduler", "amp")]
        if bound:
            raise UserError(
                f"{self.path} cannot be resumed with other {', '.join(bound)}: the saved state of "
                "optimisers and schedules belongs to the old values. Put the change into a new "
                "stage, or start anew with --fresh."
            )

    def require_classes(self, classes: Sequence[str]) -> None:
        """Refuse to continue with data of other classes, or of the same classes in another order.

        Args:
            classes: the names of the data's classes, in the order of their channels.

        Raises:
            UserError: names the classes that differ, and how to start a new run with the weights.
        """
        before = self.meta["dataset_meta"]["classes"]
        if list(classes) == list(before):
            return
        differing = [name for name in (*classes, *before) if (name in classes) != (name in before)]
        named = ", ".join(differing) or "in another order"
        raise UserError(
            f"{self.path} was trained on other classes than the data has ({named}), so this run "
            "cannot continue. Start a new run with the weights, matched by class name: "
            f"--start-from {self.path}"
        )


def open_states(folders: Sequence[Path], chosen: Path | None) -> list[SavedState | None]:
    """Read and return the newest saved state of every stage; None for a stage that has not started.

    If the newest checkpoints of the run cannot be read, they are renamed to `NAME.damaged`, and the
    run continues from the newest one that can be read. Every process must call this function; only
    the main process renames.

    Args:
        folders: the folders of the stages, in order. The caller must hold the run's lock.
        chosen: a checkpoint that the only stage continues from instead of its newest; None for the
            newest. With a path, the result is its state alone.

    Raises:
        UserError: a checkpoint that is needed cannot be read.
    """
    state = None if chosen is None else SavedState(chosen)
    newest = _set_damaged_aside(folders, state) if is_main_process() else None
    barrier()  # the other processes must not see the files that are being renamed
    if state is not None:
        return [state]
    return [_newest_in(folder, newest) for folder in folders]


def _newest_in(folder: Path, known: SavedState | None) -> SavedState | None:
    checkpoints = list_checkpoints(folder)
    if known is not None and checkpoints and checkpoints[-1] == known.path:
        return known
    return SavedState(checkpoints[-1]) if checkpoints else None


def _set_damaged_aside(folders: Sequence[Path], chosen: SavedState | None) -> SavedState | None:
    """Rename the newest checkpoints that cannot be read, and return the newest one that can.

    Checkpoints are read from the newest on, until one can be read; older ones are not looked at.
    The new name is `NAME.damaged`, and a line is printed for each file.
    """
    damaged: dict[Path, str] = {}
    whole: SavedState | None = None
    for path in reversed([p for folder in folders for p in list_checkpoints(folder)]):
        try:
            same = chosen is not None and path.samefile(chosen.path)
            whole = chosen if same else SavedState(path)
            break
        except UserError as error:
            damaged[path] = why_unusable(error)
    if damaged and whole is None and chosen is None:
        raise UserError(
            f"{next(iter(damaged.values()))} No checkpoint of the run can be read: restore one "
            "from a backup, or start anew with --fresh (the old run is moved aside)."
        )
    continues = f", and the run continues from {whole.path}" if whole and chosen is None else ""
    for path, reason in damaged.items():
        aside = path.with_name(f"{path.name}.damaged")
        path.replace(aside)
        say(f"{reason} It was renamed to {aside.name}{continues}.")
    return whole
