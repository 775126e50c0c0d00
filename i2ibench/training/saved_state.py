"""Saved states: the checkpoints that a run goes on from, each of them read once."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from i2ibench.errors import UserError
from i2ibench.inference.checkpoint_contents import read_config
from i2ibench.inference.checkpoints import (
    config_that_affects_results,
    read_checkpoint,
    why_unusable,
)
from i2ibench.io.processes import barrier, is_main_process
from i2ibench.io.progress import say
from i2ibench.io.run_folders import INTERRUPTED, list_checkpoints


class SavedState:
    """The state of a training run in a checkpoint, which is read here and never again.

    Args:
        path: of the checkpoint. Its tensors stay in the file until they are used.

    Attributes:
        contents: what the file holds.

    Raises:
        UserError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.contents: dict[str, Any] = read_checkpoint(path)

    @property
    def meta(self) -> dict[str, Any]:
        """Return where the run was: its epoch, classes and line of descent."""
        meta: dict[str, Any] = self.contents["meta"]
        return meta

    def has_all(self, epochs: int) -> bool:
        """Return whether it is of the last one of so many epochs."""
        return bool(self.meta["epoch"] >= epochs)

    def is_complete(self, epochs: int) -> bool:
        """Return whether it is of the last one of so many epochs, and that one is validated."""
        return self.path.name != INTERRUPTED and self.has_all(epochs)

    def changed_keys(self, config: Config) -> list[str]:
        """Return the top-level keys whose value differs from the config of the saved run.

        Raises:
            UserError: the checkpoint holds weights only, so that no run can go on from it.
        """
        before = read_config(self.contents, self.path)
        loaders = {"train_dataloader", "val_dataloader"}
        if "optimizer" not in self.contents or not loaders <= before.keys():
            raise UserError(
                f"No run can go on from {self.path}: it holds weights without the state of a "
                "training run (optimisers, epoch, data), as `convert` writes it. translate, eval, "
                "edit, styles and study take it as it is, and a new run begins with its weights: "
                f"--start-from {self.path}"
            )
        before = config_that_affects_results(before)
        now = config_that_affects_results(json.loads(json.dumps(config.to_dict())))
        return sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))

    def require_resumable(self, changed: Sequence[str]) -> None:
        """Refuse to go on where the optimisers' saved state belongs to another configuration.

        Args:
            changed: keys of the config that have changed.

        Raises:
            UserError: names the keys.
        """
        bound = [key for key in changed if key in ("optimizers", "param_scheduler", "amp")]
        if bound:
            raise UserError(
                f"{self.path} cannot be resumed with other {', '.join(bound)}: the saved state of "
                "the optimisers and schedules belongs to the old ones. Put the change into a new "
                "stage, or start --fresh."
            )

    def require_classes(self, classes: Sequence[str]) -> None:
        """Refuse to go on with data of other classes.

        Raises:
            UserError: names the classes that differ, and how a new run begins with the weights.
        """
        before = self.meta["dataset_meta"]["classes"]
        if list(classes) == list(before):
            return
        differing = [name for name in (*classes, *before) if (name in classes) != (name in before)]
        named = ", ".join(differing) or "in another order"
        raise UserError(
            f"{self.path} was trained on other classes than the data has ({named}), so that run "
            "cannot go on. Begin a new one with its weights, matched by class name: --start-from "
            f"{self.path}"
        )


def open_states(folders: Sequence[Path], chosen: Path | None) -> list[SavedState | None]:
    """Return the newest saved state of every stage, None for one that has not begun.

    The newest checkpoints of the run that cannot be read are renamed, as far as there are any, and
    the run goes on from the newest that can.

    Args:
        folders: of the stages, in order; the run is owned.
        chosen: the checkpoint that the only stage goes on from instead.

    Raises:
        UserError: a checkpoint that is needed cannot be read.
    """
    state = None if chosen is None else SavedState(chosen)
    newest = _set_damaged_aside(folders, state) if is_main_process() else None
    barrier()  # the other processes must not see what is renamed
    if state is not None:
        return [state]
    return [_newest_in(folder, newest) for folder in folders]


def _newest_in(folder: Path, known: SavedState | None) -> SavedState | None:
    found = list_checkpoints(folder)
    if known is not None and found and found[-1] == known.path:
        return known
    return SavedState(found[-1]) if found else None


def _set_damaged_aside(folders: Sequence[Path], chosen: SavedState | None) -> SavedState | None:
    """Rename the newest checkpoints as far as they cannot be read, and return the first that can.

    Raises:
        UserError: there are checkpoints, none can be read, and none was chosen.
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
            f"{next(iter(damaged.values()))} No checkpoint of the run is whole: bring one back "
            "from a copy, or start anew with --fresh (what is there is moved aside)."
        )
    goes_on = f", and the run goes on from {whole.path}" if whole and chosen is None else ""
    for path, reason in damaged.items():
        aside = path.with_name(f"{path.name}.damaged")
        path.replace(aside)
        say(f"{reason} It is {aside.name} now{goes_on}.")
    return whole
