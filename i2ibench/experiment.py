"""Training runs: the only module that knows mmengine's Runner."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import barrier, broadcast_object_list, is_main_process
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner

from i2ibench.checkpoints import (
    changed_keys,
    check_resumable,
    load_weights,
    newest_checkpoint,
    newest_of_config,
    read_checkpoint,
    set_damaged_aside,
)
from i2ibench.compat import log_in_utf_8, mend_runner, start_method
from i2ibench.configuration import list_stages, own_work_dir, prepare_work_dir
from i2ibench.contracts import Dataset
from i2ibench.data_record import check_data, record_data
from i2ibench.datasets.scenes import SceneFiles
from i2ibench.devices import best_device
from i2ibench.errors import UserError
from i2ibench.files import remove_leftovers
from i2ibench.folder_locks import move_contents_aside, new_folder
from i2ibench.growth import carried_weights, grow
from i2ibench.hooks.checkpoints import Checkpoints, list_checkpoints
from i2ibench.hooks.failures import machine_failures
from i2ibench.hooks.log import TrainingLog
from i2ibench.hooks.preemption import Preemption
from i2ibench.hooks.randomness import seed_everything
from i2ibench.hooks.selection import build_hooks
from i2ibench.inference import Inference
from i2ibench.initial_weights import InitialWeights, begin, read_initial_weights, start_of
from i2ibench.lineage import check_order, is_complete
from i2ibench.loaders import build_dataset, build_loader, prepare_datasets
from i2ibench.mmengine_options import check_mmengines_parts, train_loop
from i2ibench.preflight import check_files, check_scenes
from i2ibench.progress import say
from i2ibench.provenance import sha256
from i2ibench.translators.base import Translator
from i2ibench.translators.building import build_translator
from i2ibench.translators.compilation import require_compiler
from i2ibench.translators.distributed import broadcast_weights
from i2ibench.translators.optimizers import build_optimizers, choose_precision, require_trained
from i2ibench.validation import validation_metrics, validation_of


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
    stages = list_stages(config)
    if len(stages) > 1 and resume_from is not None:
        raise UserError("A staged run finds its own checkpoints: pass --resume without a path.")
    with own_work_dir(work_dir, "training", "give another --work-dir"):
        _train_stages(config, stages, fresh, resume, resume_from, preemption)
    return work_dir


def _train_stages(
    config: Config,
    stages: Sequence[Config],
    fresh: bool,
    resume: bool,
    resume_from: Path | None,
    preemption: Preemption | None,
) -> None:
    """Train in a work directory that is owned; see `train`."""
    scenes, begun = _begin(config, stages, fresh, resume_from)
    before: Path | None = None
    known = False
    for stage in stages:
        checkpoint = resume_from or newest_checkpoint(stage, accept_changes=resume)
        if checkpoint is None or not is_complete(stage, checkpoint):
            if not known and is_main_process():
                first = Path(stages[0].work_dir)
                _know_data(first, scenes, begun, resume or resume_from is not None)
            known = True
            barrier()  # the other processes wait for the verdict on the data
            _run(build_runner(stage, checkpoint, before, preemption))
        before = newest_of_config(stage)


def _begin(
    config: Config, stages: Sequence[Config], fresh: bool, resume_from: Path | None
) -> tuple[list[SceneFiles], bool]:
    """Check everything and clear the way; the files of all scenes, and whether the run goes on."""
    if resume_from is not None:  # before every file of the data is read
        check_resumable(resume_from, changed_keys(config, resume_from))
        _require_unfinished(stages[0], resume_from)
    if is_main_process() and not fresh:
        set_damaged_aside(config, needed=resume_from is None)
    barrier()  # the other processes must not see what is renamed
    begun = any(list_checkpoints(Path(stage.work_dir)) for stage in stages)
    if begun and start_of(stages[0]) is not None and not fresh and is_main_process():
        say(f"{config.work_dir} has begun already and goes on: start_from is not used again.")
    scenes = check_stages(stages, begins=fresh or not begun)
    if fresh and is_main_process():
        aside = move_contents_aside(Path(config.work_dir))
        if aside is not None:
            say(f"The earlier run is at {aside}.")
    barrier()  # the other processes must not see the checkpoints that are being moved
    check_order(config, stages)
    return scenes, begun and not fresh


def _know_data(work_dir: Path, scenes: Sequence[SceneFiles], goes_on: bool, accept: bool) -> None:
    """Compare the data with what it was, if the run goes on, or note what it is."""
    if goes_on:
        check_data(work_dir, scenes, accept)
    else:
        record_data(work_dir, scenes)


def _require_unfinished(stage: Config, checkpoint: Path) -> None:
    """Refuse to go on from a checkpoint after which the config trains nothing.

    Raises:
        UserError: the checkpoint has all of the config's epochs.
    """
    if is_complete(stage, checkpoint):
        epochs = train_loop(stage)["max_epochs"]
        raise UserError(
            f"{checkpoint} has all {epochs} epochs of the config: nothing is left to train. "
            "Raise train_cfg.max_epochs, or begin a new run with its weights: "
            f"--start-from {checkpoint}"
        )


def _run(runner: Runner) -> None:
    """Train, and end the progress display whatever happens."""
    try:
        with machine_failures(runner):
            runner.train()
    finally:
        for hook in runner.hooks:
            if isinstance(hook, TrainingLog):
                hook.close()


def check_stages(stages: Sequence[Config], begins: bool) -> list[SceneFiles]:
    """Build what every stage will need, so that no later stage fails after days of training.

    Return the files of all of their scenes.

    Args:
        stages: in order.
        begins: whether the run is new: then every file of the data is checked, and the weights
            that it begins with are.

    Raises:
        UserError: a stage cannot be built, or cannot begin with the weights of the one before.
    """
    before: dict[str, Any] = {}
    checked: list[Any] = []
    scenes: list[SceneFiles] = []
    for stage in stages:
        datasets = _build_datasets(stage)
        scenes += [files for dataset in datasets.values() for files in dataset.scenes.files]
        translator = build_translator(stage, datasets["train"].metainfo)
        files = [dataset.scenes.files for dataset in datasets.values()]
        if begins and files not in checked and is_main_process():
            check_files(datasets)
            checked.append(files)
        check_scenes(datasets, translator, stage)
        train_loop(stage)
        check_mmengines_parts(stage)
        build_loader(datasets["train"], stage.train_dataloader, training=True)
        build_loader(datasets["val"], stage.val_dataloader, training=False)
        optimizers_of(stage, translator)
        require_compiler(translator.compiled, best_device())
        hooks = build_hooks(stage.get("hooks", {}))
        if stage is not stages[-1] and not any(isinstance(h, Checkpoints) for h in hooks):
            raise UserError(f"{stage.work_dir}: without the hook Checkpoints no stage can follow.")
        validation_metrics(stage, datasets["val"])
        if start_of(stage) is None:
            carried_weights(translator, before)
        elif begins and is_main_process():
            for line in _initial_weights(stage, translator, datasets["train"]).lines():
                say(line)
        before = translator.state_dict()
    return scenes


def build_runner(
    config: Config,
    checkpoint: Path | None = None,
    grow_from: Path | None = None,
    preemption: Preemption | None = None,
) -> Runner:
    """The Runner of a config with every part built and checked.

    Args:
        config: of one stage.
        checkpoint: go on from here.
        grow_from: without that, begin with the weights of this stage before.
        preemption: see `train`.

    Raises:
        UserError: see `train`.
    """
    mend_runner()
    seed = config.get("seed", 0)
    seed_everything(seed)
    datasets = _build_datasets(config)
    translator = build_translator(config, datasets["train"].metainfo)
    if is_main_process():  # two would trip over each other's removal of what a kill has left
        prepare_work_dir(Path(config.work_dir))
        remove_leftovers(Path(config.work_dir), Path(config.work_dir) / "pictures")
    barrier()
    translator.to(best_device())
    optimizers = optimizers_of(config, translator)
    if checkpoint is not None:
        saved = read_checkpoint(checkpoint)
        _require_classes(saved, datasets["train"].metainfo["classes"], checkpoint)
        load_weights(translator, saved["state_dict"], checkpoint)
    elif (start := start_of(config)) is not None:
        initial = _initial_weights(config, translator, datasets["train"])
        begin(translator, optimizers, initial, start.moments)
    elif grow_from is not None:
        grow(translator, optimizers, read_checkpoint(grow_from))
    broadcast_weights(translator)
    runner = _Runner(
        model=translator,
        train_dataloader=build_loader(datasets["train"], config.train_dataloader, True, seed),
        optim_wrapper=optimizers,
        custom_hooks=_hooks(config, grow_from, preemption),
        load_from=str(checkpoint) if checkpoint else None,
        resume=checkpoint is not None,
        **_settings(config),
        **validation_of(config, datasets["val"]),
    )
    log_in_utf_8(runner.logger)
    return runner


class _Runner(Runner):
    """mmengine's Runner, with a log folder of its own for each of two runs of one second."""

    _timestamp: str

    def setup_env(self, env_cfg: dict[str, Any]) -> None:
        """Choose the name of the log folder, which is that of the second unless it is taken."""
        super().setup_env(env_cfg)
        names = [self._timestamp]
        if is_main_process():
            names = [new_folder(Path(self.work_dir) / self._timestamp).name]
        broadcast_object_list(names)
        self._timestamp = names[0]


def _require_classes(saved: dict[str, Any], classes: Sequence[str], checkpoint: Path) -> None:
    """Refuse to go on with data of other classes.

    Raises:
        UserError: names the classes that differ, and how a new run begins with the weights.
    """
    before = saved["meta"]["dataset_meta"]["classes"]
    if list(classes) != list(before):
        differing = [name for name in (*classes, *before) if (name in classes) != (name in before)]
        named = ", ".join(differing) or "in another order"
        raise UserError(
            f"{checkpoint} was trained on other classes than the data has ({named}), so that run "
            "cannot go on. Begin a new one with its weights, matched by class name: --start-from "
            f"{checkpoint}"
        )


def _initial_weights(config: Config, translator: Translator, dataset: Dataset) -> InitialWeights:
    """Return what the translator takes of the checkpoint that the config starts from."""
    start = start_of(config)
    assert start is not None
    height, width = Inference(translator).padded(dataset[0]["image"][None].float()).shape[-2:]
    classes = dataset.metainfo["classes"]
    return read_initial_weights(translator, classes, start.checkpoint, (height, width))


def _hooks(config: Config, grow_from: Path | None, preemption: Preemption | None) -> list[Hook]:
    """Return the config's hooks; checkpoints name the one that the stage began with."""
    hooks = build_hooks(config.get("hooks", {}))
    start = start_of(config)
    for hook in hooks:
        if isinstance(hook, Checkpoints) and start is not None:
            hook.started_from = sha256(start.checkpoint)
        elif isinstance(hook, Checkpoints) and grow_from is not None:
            hook.grown_from = sha256(grow_from)
    return hooks if preemption is None else [*hooks, preemption]


def _settings(config: Config) -> dict[str, Any]:
    """The Runner's arguments that are no part of the system."""
    return {
        "cfg": config,
        "work_dir": config.work_dir,
        "experiment_name": f"{Path(config.work_dir).name}_{time.time_ns()}",
        "train_cfg": train_loop(config),
        "param_scheduler": config.get("param_scheduler"),
        "default_hooks": dict.fromkeys(("runtime_info", "timer", "logger", "checkpoint")),
        "env_cfg": {
            "cudnn_benchmark": config.get("cudnn_benchmark", False),
            "mp_cfg": {"mp_start_method": start_method()},
        },
        "randomness": {"seed": config.get("seed", 0)},
        "log_level": "WARNING",
        "visualizer": {
            "type": "Visualizer",
            "vis_backends": [dict(backend) for backend in config.get("vis_backends", [])],
        },
    }


def _build_datasets(config: Config) -> dict[str, Dataset]:
    """Return the data sets of both loaders; one that makes its files has made them."""
    prepare_datasets(config)
    seed = config.get("seed", 0)
    return {
        name: build_dataset(config[f"{name}_dataloader"], config.get("data_root"), seed)
        for name in ("train", "val")
    }


def optimizers_of(config: Config, translator: Translator) -> OptimWrapperDict:
    """Return the config's optimisers, at the precision of its `amp`, which is "auto" without one.

    Raises:
        UserError: a network has no optimiser, parameters belong to none, or an option or the
            precision is wrong.
    """
    networks = translator.networks()
    require_trained(translator, networks)
    precision = choose_precision(config.get("amp", "auto"), best_device())
    return build_optimizers(networks, config.get("optimizers", {}), precision, best_device())
