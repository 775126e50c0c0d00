"""Training runs: the only module that knows mmengine's Runner."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import barrier, is_main_process
from mmengine.evaluator import Evaluator
from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner

from i2ibench.checkpoints import (
    build_translator,
    changed_keys,
    check_resumable,
    load_weights,
    newest_checkpoint,
    newest_of_config,
    read_checkpoint,
)
from i2ibench.compat import load_checkpoints_safely
from i2ibench.configuration import list_stages, prepare_work_dir
from i2ibench.datasets.scenes import SceneDataset
from i2ibench.errors import UserError
from i2ibench.growth import carried_weights, grow
from i2ibench.hooks.checkpoints import INTERRUPTED, Checkpoints, list_checkpoints
from i2ibench.hooks.failures import machine_failures
from i2ibench.hooks.log import TrainingLog
from i2ibench.hooks.preemption import Preemption
from i2ibench.hooks.randomness import seed_everything
from i2ibench.hooks.selection import build_hooks
from i2ibench.lineage import check_order, is_finished
from i2ibench.loaders import build_dataset, build_loader
from i2ibench.metrics.evaluator import ValidationMetric, build_metrics
from i2ibench.mmengine_options import check_mmengines_parts, train_loop
from i2ibench.preflight import check_files, check_scenes
from i2ibench.progress import say
from i2ibench.protocols.protocol import build_protocol
from i2ibench.provenance import sha256
from i2ibench.translators.optimizers import build_optimizers, choose_precision
from i2ibench.translators.paired import PairedTranslator


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
        resume: go on even if the config has changed since.
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
    begun = any(list_checkpoints(Path(stage.work_dir)) for stage in stages)
    check_stages(stages, read_files=fresh or not begun)
    if resume_from is not None:
        check_resumable(resume_from, changed_keys(config, resume_from))
    if fresh and is_main_process():
        _move_aside(work_dir)
    barrier()  # the other processes must not see the checkpoints that are being moved
    check_order(config, stages)
    before: Path | None = None
    for stage in stages:
        checkpoint = resume_from or newest_checkpoint(stage, accept_changes=resume)
        if checkpoint is None or not _is_complete(stage, checkpoint):
            _run(build_runner(stage, checkpoint, before, preemption))
        before = newest_of_config(stage)
    return work_dir


def _is_complete(config: Config, checkpoint: Path) -> bool:
    """Whether a stage's last epoch is trained and validated."""
    return checkpoint.name != INTERRUPTED and is_finished(config, checkpoint)


def _run(runner: Runner) -> None:
    """Train, and end the progress display whatever happens."""
    try:
        with machine_failures(runner):
            runner.train()
    finally:
        for hook in runner.hooks:
            if isinstance(hook, TrainingLog):
                hook.close()


def check_stages(stages: Sequence[Config], read_files: bool) -> None:
    """Build what every stage will need, so that no later stage fails after days of training.

    Args:
        stages: in order.
        read_files: check every file of the data; a run that goes on did so before.

    Raises:
        UserError: a stage cannot be built, or cannot begin with the weights of the one before.
    """
    before: dict[str, Any] = {}
    checked: list[Any] = []
    for stage in stages:
        datasets = _build_datasets(stage)
        translator = build_translator(stage, datasets["train"].metainfo)
        files = [dataset.scenes.files for dataset in datasets.values()]
        if read_files and files not in checked and is_main_process():
            check_files(datasets)
            checked.append(files)
        check_scenes(datasets, translator, stage)
        train_loop(stage)
        check_mmengines_parts(stage)
        build_loader(datasets["train"], stage.train_dataloader, training=True)
        build_loader(datasets["val"], stage.val_dataloader, training=False)
        _build_optimizers(stage, translator)
        hooks = build_hooks(stage.get("hooks", {}))
        if stage is not stages[-1] and not any(isinstance(h, Checkpoints) for h in hooks):
            raise UserError(f"{stage.work_dir}: without the hook Checkpoints no stage can follow.")
        _validation_metrics(stage, datasets["val"])
        carried_weights(translator.state_dict(), before)
        before = translator.state_dict()


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
    load_checkpoints_safely()
    seed = config.get("seed", 0)
    seed_everything(seed)
    datasets = _build_datasets(config)
    translator = build_translator(config, datasets["train"].metainfo)
    if is_main_process():  # two would trip over each other's removal of what a kill has left
        prepare_work_dir(Path(config.work_dir))
    barrier()
    translator.to(device_type())
    optimizers = _build_optimizers(config, translator)
    if checkpoint is not None:
        load_weights(translator, read_checkpoint(checkpoint)["state_dict"], checkpoint)
    elif grow_from is not None:
        grow(translator, optimizers, read_checkpoint(grow_from))
    hooks = build_hooks(config.get("hooks", {}))
    for hook in hooks:
        if isinstance(hook, Checkpoints) and grow_from is not None:
            hook.grown_from = sha256(grow_from)
    if preemption is not None:
        hooks.append(preemption)
    return Runner(
        model=translator,
        work_dir=config.work_dir,
        train_dataloader=build_loader(datasets["train"], config.train_dataloader, True, seed),
        train_cfg=train_loop(config),
        optim_wrapper=optimizers,
        param_scheduler=config.get("param_scheduler"),
        default_hooks=dict.fromkeys(("runtime_info", "timer", "logger", "checkpoint")),
        custom_hooks=hooks,
        load_from=str(checkpoint) if checkpoint else None,
        resume=checkpoint is not None,
        env_cfg={"cudnn_benchmark": config.get("cudnn_benchmark", False)},
        log_level="WARNING",
        visualizer={
            "type": "Visualizer",
            "vis_backends": [dict(backend) for backend in config.get("vis_backends", [])],
        },
        randomness={"seed": seed},
        experiment_name=f"{Path(config.work_dir).name}_{time.time_ns()}",
        cfg=config,
        **_validation(datasets["val"], config),
    )


def _build_datasets(config: Config) -> dict[str, SceneDataset]:
    seed = config.get("seed", 0)
    return {
        name: build_dataset(config[f"{name}_dataloader"], config.get("data_root"), seed)
        for name in ("train", "val")
    }


def device_type() -> str:
    """Where runs train: "cuda" if there is a GPU, else "cpu"."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def _build_optimizers(config: Config, translator: PairedTranslator) -> OptimWrapperDict:
    """The config's optimisers, at the precision of its `amp`, which is "auto" if it has none."""
    networks = translator.networks()
    precision = choose_precision(config.get("amp", "auto"), device_type())
    return build_optimizers(networks, config.get("optimizers", {}), precision, device_type())


def _validation(dataset: SceneDataset, config: Config) -> dict[str, Any]:
    """The Runner's validation arguments: only metrics whose weights are at hand."""
    metrics = _validation_metrics(config, dataset)
    for name, metric in metrics.items():
        if metric.unavailable and is_main_process():
            say(f"validation goes without {name}: {metric.unavailable}")
    usable = [ValidationMetric(metric) for metric in metrics.values() if not metric.unavailable]
    for metric in usable:
        metric.collect_dir = str(Path(config.work_dir) / ".collected")
    loader = build_loader(dataset, config.val_dataloader, training=False)
    return {"val_dataloader": loader, "val_evaluator": Evaluator(usable), "val_cfg": {}}


def _validation_metrics(config: Config, dataset: SceneDataset) -> dict[str, Any]:
    """The metrics of the config's protocol that a training run computes."""
    if config.get("protocol") is None:
        return {}
    protocol = build_protocol(config.protocol)
    chosen = {name: cfg for name, cfg in protocol.metrics.items() if name in protocol.validation}
    return build_metrics(chosen, dataset.metainfo)


def _move_aside(work_dir: Path) -> None:
    if work_dir.exists():
        work_dir.rename(
            work_dir.with_name(f"{work_dir.name}.before-{time.strftime('%Y%m%d-%H%M%S')}")
        )
