"""Checks of all stages before the first begins, so that none fails after days of training."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from i2ibench.errors import UserError
from i2ibench.io.devices import best_device
from i2ibench.io.processes import is_main_process
from i2ibench.io.progress import say
from i2ibench.models.translators.compilation import require_compiler
from i2ibench.training.hooks.checkpoints import Checkpoints
from i2ibench.training.preflight import check_files, check_scenes
from i2ibench.training.previous_stage import carried_weights
from i2ibench.training.stage import Stage


def check(stages: Sequence[Stage], begins: bool) -> None:
    """Refuse stages that cannot be trained one after the other.

    Args:
        stages: in order.
        begins: whether the run is new: then every file of the data is checked, and a table of the
            weights that it begins with is printed.

    Raises:
        UserError: data and networks do not go together, a file is broken, or a stage cannot begin
            with the weights of the one before.
    """
    if begins and is_main_process():
        _check_files(stages)
    for stage in stages:
        datasets = {"train": stage.train_data, "val": stage.val_data}
        check_scenes(datasets, stage.translator, stage.config)
        for dataset in datasets.values():
            dataset.scenes.open_cache()
        require_compiler(stage.translator.compiled, best_device())
    for before, stage in pairwise(stages):
        _check_growth(before, stage)
    if begins and is_main_process():
        for line in [line for s in stages if s.initial for line in s.initial.lines()]:
            say(line)


def _check_growth(before: Stage, stage: Stage) -> None:
    """Refuse a stage that cannot begin with what the one before will leave."""
    if not any(isinstance(hook, Checkpoints) for hook in before.hooks):
        raise UserError(f"{before.work_dir}: without the hook Checkpoints no stage can follow.")
    if stage.initial is None:
        carried_weights(stage.translator, before.translator.state_dict())


def _check_files(stages: Sequence[Stage]) -> None:
    """Check every file of the data once."""
    checked: list[Any] = []
    for stage in stages:
        files = [data.scenes.files for data in (stage.train_data, stage.val_data)]
        if files not in checked:
            check_files({"train": stage.train_data, "val": stage.val_data})
            checked.append(files)
