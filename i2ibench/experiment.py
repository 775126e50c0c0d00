"""Training runs: the only module that knows mmengine's Runner."""

import json
import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dist import barrier, is_main_process
from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from mmengine.runner import Runner

from i2ibench.checkpoints import build_translator, read_checkpoint
from i2ibench.compat import load_checkpoints_safely
from i2ibench.configuration import prepare_work_dir
from i2ibench.datasets.scenes import SceneDataset
from i2ibench.datasets.validate import require_faultless
from i2ibench.errors import UserError
from i2ibench.hooks.checkpoints import list_checkpoints
from i2ibench.hooks.log import TrainingLog
from i2ibench.loaders import build_dataset, build_loader
from i2ibench.ops.images import require_multiple
from i2ibench.progress import Progress
from i2ibench.registry import HOOKS, METRICS
from i2ibench.translators.optimizers import build_optimizers
from i2ibench.translators.paired import PairedTranslator


def train(config: Config, fresh: bool = False, resume_from: Path | None = None) -> Path:
    """Train until the config's last epoch; gives the work directory.

    A run whose work directory has checkpoints goes on from the newest.

    Args:
        config: from `load_config`.
        fresh: start anew; what the work directory holds is moved aside, not deleted.
        resume_from: go on from this checkpoint instead of the newest, and accept that the config
            has changed since.

    Raises:
        UserError: the config, the data or the work directory cannot be used. Nothing has been
            trained then.
    """
    work_dir = Path(config.work_dir)
    if fresh and is_main_process():
        _move_aside(work_dir)
    barrier()  # the other processes must not see the checkpoints that are being moved
    checkpoint = resume_from or _newest_of_same_config(config, work_dir)
    runner = build_runner(config, checkpoint)
    try:
        runner.train()
    finally:
        for hook in runner.hooks:
            if isinstance(hook, TrainingLog):
                hook.close()
    return work_dir


def build_runner(config: Config, checkpoint: Path | None = None) -> Runner:
    """The Runner of a config with every part built and checked.

    Raises:
        UserError: see `train`.
    """
    load_checkpoints_safely()
    seed = config.get("seed", 0)
    seed_everything(seed)
    datasets = {
        name: build_dataset(config[f"{name}_dataloader"], config.get("data_root"), seed)
        for name in ("train", "val")
    }
    translator = build_translator(config, datasets["train"].metainfo)
    if checkpoint is None and is_main_process():
        check_files(datasets)
    check_scenes(datasets["train"], translator)
    prepare_work_dir(Path(config.work_dir))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    translator.to(device)
    return Runner(
        model=translator,
        work_dir=config.work_dir,
        train_dataloader=build_loader(datasets["train"], config.train_dataloader, True, seed),
        train_cfg=_train_loop(config),
        optim_wrapper=build_optimizers(
            translator.networks(), config.get("optimizers", {}), config.get("amp"), device
        ),
        param_scheduler=config.get("param_scheduler"),
        default_hooks=dict.fromkeys(("runtime_info", "timer", "logger", "checkpoint")),
        custom_hooks=build_hooks(config.get("hooks", {})),
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


def check_files(datasets: Mapping[str, SceneDataset]) -> None:
    """Check every file of the data sets.

    Raises:
        UserError: some are broken or hold wrong ids; they are named.
    """
    for name, dataset in datasets.items():
        with Progress(f"checking {name} files", len(dataset)) as progress:
            require_faultless(dataset.scenes, progress.advance)


def check_scenes(dataset: SceneDataset, translator: PairedTranslator) -> None:
    """See whether the translator can train on the data set's scenes.

    Raises:
        UserError: the size does not suit the networks, or photos or instance maps are missing.
    """
    sample = dataset[0]
    if "image" not in sample:
        raise UserError("The training data has no photos.")
    if "instance" not in sample and translator.encoder is not None:
        raise UserError("The encoder needs instance maps, and the training data has none.")
    batch = translator.data_preprocessor(torch.utils.data.default_collate([sample]))
    dry_run(translator, *batch["condition"].shape[-2:])


def dry_run(translator: PairedTranslator, height: int, width: int) -> None:
    """One pass of a scene of the given size through the networks, as shapes without numbers.

    Raises:
        UserError: a network refuses the size.
    """
    channels = translator.data_preprocessor.condition_channels
    features = translator.encoder.out_channels if translator.encoder is not None else 0
    try:
        _on_meta(translator.generator, (1, channels + features, height, width))
        if translator.encoder is not None:
            require_multiple(torch.empty(1, 1, height, width), translator.encoder.stride)
        if translator.discriminator is not None:
            _on_meta(translator.discriminator, (1, channels + 3, height, width))
    except UserError as error:
        raise UserError(
            f"{error} Set it in train_dataloader.dataset.transforms, for example with "
            "dict(type='Resize', width=512, height=256)."
        ) from None
    except (RuntimeError, ValueError) as error:
        raise UserError(f"The networks refuse scenes of {width}x{height}: {error}") from error


def _on_meta(network: torch.nn.Module, shape: tuple[int, ...]) -> None:
    tensors = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    stand_ins = {name: tensor.to("meta") for name, tensor in tensors.items()}
    torch.func.functional_call(network, stand_ins, (torch.empty(shape, device="meta"),))


def build_hooks(cfg: Mapping[str, Any]) -> list[Hook]:
    """The hooks of a config, those set to None left out.

    Raises:
        UserError: an unknown hook or option.
    """
    return [HOOKS.build(options) for options in cfg.values() if options is not None]


def build_metrics(cfg: Mapping[str, Any], metainfo: Mapping[str, Any]) -> dict[str, Any]:
    """The metrics of a config by name, those set to None left out.

    A metric that asks for the data set's classes gets them.

    Raises:
        UserError: an unknown metric or option.
    """
    metrics = {}
    for name, options in cfg.items():
        if options is not None:
            asked = METRICS.parameters(options["type"])
            known = {key: value for key, value in metainfo.items() if key in asked}
            metrics[name] = METRICS.build(options, **known)
    return metrics


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def _train_loop(config: Config) -> dict[str, Any]:
    return {"type": "EpochBasedTrainLoop", **config.get("train_cfg", {"max_epochs": 1})}


def _validation(dataset: SceneDataset, config: Config) -> dict[str, Any]:
    """The Runner's validation arguments: only metrics whose weights are at hand."""
    metrics = build_metrics(config.get("evaluator", {}), dataset.metainfo).values()
    usable = [metric for metric in metrics if not getattr(metric, "unavailable", None)]
    loader = build_loader(dataset, config.val_dataloader, training=False)
    return {"val_dataloader": loader, "val_evaluator": Evaluator(usable), "val_cfg": {}}


def _newest_of_same_config(config: Config, work_dir: Path) -> Path | None:
    """The run's newest checkpoint.

    Raises:
        UserError: it was trained with another config.
    """
    found = list_checkpoints(work_dir)
    if not found:
        return None
    before = json.loads(read_checkpoint(found[-1])["config"])
    now = json.loads(json.dumps(config.to_dict()))
    changed = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
    if changed:
        raise UserError(
            f"{work_dir} holds a run of another config: {', '.join(changed)} changed since. Pass "
            f"--resume to go on with the new config, --fresh to start anew (the old run is moved "
            "aside), or --work-dir for another place."
        )
    return found[-1]


def _move_aside(work_dir: Path) -> None:
    if work_dir.exists():
        work_dir.rename(
            work_dir.with_name(f"{work_dir.name}.before-{time.strftime('%Y%m%d-%H%M%S')}")
        )
