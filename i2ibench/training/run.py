"""Training runs: train a config, stage by stage, until its last checkpoint."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from mmengine.config import Config
from mmengine.runner import Runner

from i2ibench.data.data_fingerprints import check_fingerprints, record_fingerprints
from i2ibench.errors import UserError
from i2ibench.io.folder_locks import move_contents_aside
from i2ibench.io.process_group import barrier, is_main_process
from i2ibench.io.progress import say
from i2ibench.io.run_folders import last_checkpoint_note, list_checkpoints, list_epochs
from i2ibench.registry.configuration import list_stages, own_work_dir
from i2ibench.training.hooks.log import TrainingLog
from i2ibench.training.hooks.preemption import Preemption
from i2ibench.training.runner import build_runner
from i2ibench.training.saved_state import SavedState, open_states
from i2ibench.training.stage import Stage, check_all_files, check_stage_order, check_stages


def train(
    config: Config,
    fresh: bool = False,
    resume: bool = False,
    resume_from: Path | None = None,
    preemption: Preemption | None = None,
) -> Path:
    """Train until the config's last epoch, stage by stage, and return the work directory.

    If the work directory has checkpoints, the run continues from the newest one that can be read.
    Newer ones that cannot be read are renamed to `NAME.damaged`. A finished run is left as it is. A
    changed config or changed data is an error without `fresh`, `resume` or `resume_from`.

    Args:
        config: from `load_config`.
        fresh: start anew. The contents of the work directory are moved into a new folder beside it,
            not deleted.
        resume: continue even if the config or the data has changed since. Another optimiser,
            schedule or precision is refused nevertheless.
        resume_from: like `resume`, but continue from this checkpoint instead of the newest. Only a
            run without stages, or with one stage, takes it.
        preemption: the hook that receives the signals on which the run saves and ends; None to save
            at no signal.

    Raises:
        UserError: the config, the data or the work directory cannot be used, and nothing has been
            trained; or the machine or a loss failed, and the last good checkpoint is intact.
        Preempted: a signal arrived. The same call continues the run.
    """
    work_dir = Path(config.work_dir)
    configs = list_stages(config)
    if len(configs) > 1 and resume_from is not None:
        raise UserError("A staged run finds its own checkpoints: pass --resume without a path.")
    with own_work_dir(work_dir, "training", "give another --work-dir"):
        stages = _prepare_stages(work_dir, configs, fresh, resume, resume_from)
        _train_all(stages, preemption)
    return work_dir


def _prepare_stages(
    work_dir: Path, configs: Sequence[Config], fresh: bool, resume: bool, resume_from: Path | None
) -> list[Stage]:
    """Build and check the stages of a run, and prepare the work directory for their training.

    All data sets, networks, optimisers and saved states are built or read first. With `fresh`, the
    contents of the work directory are moved into a new folder beside it only after all checks have
    passed. Otherwise the saved states are read before the checks, and damaged ones are renamed. The
    data files are then compared with the fingerprints of the earlier run. A new run reads them all
    and records their fingerprints. Neither happens if all stages are complete. Every process must
    call this function.
    """
    folders = [Path(config.work_dir) for config in configs]
    states = [None] * len(folders) if fresh else open_states(folders, resume_from)
    continues = not fresh and any(map(list_checkpoints, folders))
    stages = [Stage(config, state) for config, state in zip(configs, states, strict=True)]
    accept_changes = resume or resume_from is not None
    if not fresh:
        check_stage_order(work_dir, stages, accept_changes)
    if resume_from is not None and stages[0].is_complete:
        raise UserError(
            f"{resume_from} has all {stages[0].epochs} epochs of the config: nothing is left to "
            "train. Raise train_cfg.max_epochs, or begin a new run with its weights: "
            f"--start-from {resume_from}"
        )
    check_stages(stages, is_new=not continues)
    if is_main_process():
        if fresh and (aside := move_contents_aside(work_dir)) is not None:
            say(f"The earlier run was moved to {aside}.")
        if continues and stages[0].config.get("start_from"):
            say(f"{work_dir} has a run already, which continues: start_from is not used again.")
    barrier()  # the other processes must not see the checkpoints that are being moved
    if is_main_process() and not all(stage.is_complete for stage in stages):
        _check_or_record_data(stages, continues, accept_changes)
    barrier()  # the other processes wait until the data has been checked
    return stages


def _check_or_record_data(stages: Sequence[Stage], continues: bool, accept_changes: bool) -> None:
    """Compare all stages' data files with their fingerprints, or record those of a new run."""
    datasets = [data for stage in stages for data in (stage.train_data, stage.val_data)]
    scenes = [files for data in datasets for files in data.scenes.files]
    if continues:
        accept = partial(check_all_files, stages) if accept_changes else None
        check_fingerprints(stages[0].work_dir, scenes, accept)
    else:
        record_fingerprints(stages[0].work_dir, scenes)


def _train_all(stages: list[Stage], preemption: Preemption | None) -> None:
    """Train the stages that are not complete, one after the other.

    Each stage that has not started yet begins with the last checkpoint of the previous stage.
    """
    previous: SavedState | None = None
    while stages:
        folder = stages[0].work_dir
        if stages[0].is_complete:
            previous = stages.pop(0).saved
            continue
        _run(build_runner(stages.pop(0), previous, preemption))
        previous = SavedState(list_epochs(folder)[-1]) if stages else None


def _run(runner: Runner) -> None:
    """Train the stage of a Runner, and close the progress display, also after an error."""
    try:
        with _machine_failures(runner):
            runner.train()
    finally:
        for hook in runner.hooks:
            if isinstance(hook, TrainingLog):
                hook.close()


@contextmanager
def _machine_failures(runner: Runner) -> Iterator[None]:
    """Return a context that turns failures of the machine into a UserError.

    Every OSError counts, such as a full disk or a removed work directory. Of RuntimeErrors, only
    the death of a data-loader worker counts. Other errors, such as CUDA out of memory, are raised
    unchanged.
    """
    work_dir = Path(runner.work_dir)
    try:
        yield
    except (OSError, RuntimeError) as error:
        cause = _cause(error, work_dir)
        if cause is None:
            raise
        raise UserError(
            f"Training stopped in step {runner.iter + 1}: {cause} {last_checkpoint_note(work_dir)}"
        ) from error


def _cause(error: OSError | RuntimeError, work_dir: Path) -> str | None:
    """Return the cause of a machine failure as a sentence; None for an error of another kind.

    For an OSError, the cause is the removal of the work directory if it is gone. Otherwise it is
    the last line of the error's text, or the error's type if it has no text. A RuntimeError is a
    machine failure only if a data-loader worker died. Running out of GPU memory gives None.
    """
    if isinstance(error, OSError):
        if not work_dir.is_dir():
            return f"the work directory {work_dir} was removed."
        text = str(error).strip() or type(error).__name__
        return f"{text.splitlines()[-1]}."  # a worker's traceback comes before
    if str(error).startswith("DataLoader worker"):
        return (
            f"{str(error).splitlines()[0].rstrip('. ')}. If the memory ran out, lower "
            "train_dataloader.num_workers."
        )
    return None
