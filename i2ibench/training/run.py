"""Training runs, from a config to its last checkpoint."""

from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.runner import Runner

from i2ibench.data.data_fingerprints import check_fingerprints, record_fingerprints
from i2ibench.errors import UserError
from i2ibench.io.folder_locks import move_contents_aside
from i2ibench.io.processes import barrier, is_main_process
from i2ibench.io.progress import say
from i2ibench.io.run_folders import list_checkpoints, list_epochs
from i2ibench.registry.configuration import list_stages, own_work_dir
from i2ibench.training.checks import check
from i2ibench.training.hooks.failures import machine_failures
from i2ibench.training.hooks.log import TrainingLog
from i2ibench.training.hooks.preemption import Preemption
from i2ibench.training.runner import build_runner
from i2ibench.training.saved_state import SavedState, open_states
from i2ibench.training.stage import Stage
from i2ibench.training.stage_order import check_stage_order


def train(
    config: Config,
    fresh: bool = False,
    resume: bool = False,
    resume_from: Path | None = None,
    preemption: Preemption | None = None,
) -> Path:
    """Train until the config's last epoch, stage by stage; gives the work directory.

    A run whose work directory has checkpoints goes on from the newest; a finished one is left as
    it is.

    Args:
        config: from `load_config`.
        fresh: start anew; what the work directory holds is moved aside, not deleted.
        resume: go on even if the config or the data has changed since.
        resume_from: the same, from this checkpoint instead of the newest.
        preemption: listens to the signals on which the run is to save and end.

    Raises:
        UserError: the config, the data or the work directory cannot be used, and nothing has been
            trained; or the machine or a loss failed, and the last good checkpoint is intact.
        Preempted: a signal came; the same call goes on.
    """
    work_dir = Path(config.work_dir)
    configs = list_stages(config)
    if len(configs) > 1 and resume_from is not None:
        raise UserError("A staged run finds its own checkpoints: pass --resume without a path.")
    with own_work_dir(work_dir, "training", "give another --work-dir"):
        stages = _begin(work_dir, configs, fresh, resume, resume_from)
        _train_all(stages, preemption)
    return work_dir


def _begin(
    work_dir: Path, configs: Sequence[Config], fresh: bool, resume: bool, resume_from: Path | None
) -> list[Stage]:
    """Return the run's stages, built and checked, when the way is clear to train them."""
    folders = [Path(config.work_dir) for config in configs]
    states = [None] * len(folders) if fresh else open_states(folders, resume_from)
    begun = not fresh and any(map(list_checkpoints, folders))
    stages = [Stage(config, state) for config, state in zip(configs, states, strict=True)]
    accept = resume or resume_from is not None
    if not fresh:
        check_stage_order(work_dir, stages, accept)
    if resume_from is not None:
        _require_unfinished(stages[0], resume_from)
    check(stages, begins=not begun)
    if is_main_process():
        _clear_the_way(work_dir, stages[0], fresh, begun)
    barrier()  # the other processes must not see the checkpoints that are being moved
    if is_main_process() and not all(stage.is_complete for stage in stages):
        _know_data(stages, begun, accept)
    barrier()  # the other processes wait for the verdict on the data
    return stages


def _require_unfinished(stage: Stage, checkpoint: Path) -> None:
    """Refuse to go on from a checkpoint after which the stage trains nothing.

    Raises:
        UserError: the checkpoint has all of the stage's epochs.
    """
    if stage.is_complete:
        raise UserError(
            f"{checkpoint} has all {stage.epochs} epochs of the config: nothing is left to train. "
            "Raise train_cfg.max_epochs, or begin a new run with its weights: "
            f"--start-from {checkpoint}"
        )


def _clear_the_way(work_dir: Path, first: Stage, fresh: bool, begun: bool) -> None:
    """Move an earlier run aside, or say that the run that has begun goes on."""
    if fresh and (aside := move_contents_aside(work_dir)) is not None:
        say(f"The earlier run is at {aside}.")
    if begun and first.config.get("start_from"):
        say(f"{work_dir} has begun already and goes on: start_from is not used again.")


def _know_data(stages: Sequence[Stage], goes_on: bool, accept: bool) -> None:
    """Compare the data with what it was, if the run goes on, or note what it is."""
    datasets = [data for stage in stages for data in (stage.train_data, stage.val_data)]
    scenes = [files for data in datasets for files in data.scenes.files]
    if goes_on:
        check_fingerprints(stages[0].work_dir, scenes, accept)
    else:
        record_fingerprints(stages[0].work_dir, scenes)


def _train_all(stages: list[Stage], preemption: Preemption | None) -> None:
    """Train the stages that are not complete, and let each go when it is."""
    before: SavedState | None = None
    while stages:
        folder = stages[0].work_dir
        if stages[0].is_complete:
            before = stages.pop(0).saved
            continue
        _run(build_runner(stages.pop(0), before, preemption))
        before = SavedState(list_epochs(folder)[-1]) if stages else None


def _run(runner: Runner) -> None:
    """Train, and end the progress display whatever happens."""
    try:
        with machine_failures(runner):
            runner.train()
    finally:
        for hook in runner.hooks:
            if isinstance(hook, TrainingLog):
                hook.close()
