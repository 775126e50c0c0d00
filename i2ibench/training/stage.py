"""Stages of a run: everything that is built from a stage's config, and checks of all stages."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.hooks import Hook

from i2ibench.data.loaders import build_datasets, build_loader
from i2ibench.errors import UserError
from i2ibench.io.devices import best_device
from i2ibench.io.process_group import is_main_process
from i2ibench.io.progress import say
from i2ibench.io.provenance import sha256
from i2ibench.io.run_folders import list_checkpoints, stage_folders
from i2ibench.models.translators.base import Translator
from i2ibench.models.translators.build import build_translator
from i2ibench.models.translators.compilation import require_compiler
from i2ibench.registry import HOOKS
from i2ibench.training.gradient_averaging import synchronises_batch_norms
from i2ibench.training.hooks.checkpoints import Checkpoints
from i2ibench.training.hooks.non_finite import SkipNonFinite, StopAtNonFinite
from i2ibench.training.hooks.random_states import seed_everything
from i2ibench.training.initial_weights import initial_weights
from i2ibench.training.mmengine_options import runner_options
from i2ibench.training.optimizers import optimizers_of
from i2ibench.training.preflight import check_alike, check_files, check_scenes
from i2ibench.training.previous_stage import previous_stage_weights
from i2ibench.training.saved_state import SavedState
from i2ibench.training.schedules import schedules_of
from i2ibench.training.validation import build_validation

START_ANEW = "Pass --fresh to start anew (the old run is moved aside), or another --work-dir."


class Stage:
    """A stage of a run, or a run without stages, with every part of its config built once.

    A stage that has not started yet holds its weights in CPU memory, and nothing else of size.

    Args:
        config: the config of the stage.
        saved: the state that the stage continues from; None for a stage that starts.

    Attributes:
        work_dir: the folder that the stage writes to.
        seed: the seed of all random numbers.
        options: further options of mmengine's Runner.
        train_data, val_data: the data sets.
        train_loader, val_loader: their data loaders.
        translator: the translator, built with the stage's seed.
        optimizers: the optimisers of the translator's networks.
        hooks: the hooks that the config names.
        metrics: the metrics of the validation, by name.
        sync_batch_norm: whether batch norms compute their statistics over all processes.
        initial: the weights of `start_from`; None for a stage without it, or one that continues.

    Raises:
        UserError: the config has a mistake, or the data does not exist.
    """

    def __init__(self, config: Config, saved: SavedState | None = None) -> None:
        self.config, self.saved = config, saved
        self.work_dir = Path(config.work_dir)
        self.seed: int = config.get("seed", 0)
        self.options = runner_options(config)
        choice = config.get("sync_batch_norm", False)
        self.sync_batch_norm = synchronises_batch_norms(choice, best_device())
        seed_everything(self.seed)
        self.train_data, self.val_data = build_datasets(config)
        check_alike(self.train_data.metainfo, self.val_data.metainfo)
        self.translator: Translator = build_translator(config, self.train_data.metainfo)
        self.optimizers = optimizers_of(config, self.translator)
        self.train_loader = build_loader(self.train_data, config.train_dataloader, True, self.seed)
        self.val_loader = build_loader(self.val_data, config.val_dataloader, training=False)
        networks, updates = self.translator.networks(), len(self.train_loader)
        self.options["param_scheduler"] = schedules_of(
            config, networks, self.optimizers, self.epochs, updates
        )
        self.metrics = build_validation(config.get("protocol"), self.val_data.metainfo)
        self.hooks = build_hooks(config.get("hooks", {}))
        self.initial = (
            initial_weights(config.get("start_from"), self.translator, self.train_data)
            if saved is None
            else None
        )

    @property
    def epochs(self) -> int:
        """Return the number of epochs that the stage trains in all, `train_cfg.max_epochs`."""
        epochs: int = self.options["train_cfg"]["max_epochs"]
        return epochs

    @property
    def is_complete(self) -> bool:
        """Return whether the saved state has the stage's last epoch, trained and validated.

        The result is False for a stage without a saved state. It does not change while the stage
        trains.
        """
        return self.saved is not None and self.saved.is_complete(self.epochs)


def build_hooks(cfg: Mapping[str, Any]) -> list[Hook]:
    """Return the hooks of a config; hooks that are set to None are left out.

    StopAtNonFinite is put first, unless the config has a StopAtNonFinite or SkipNonFinite hook or
    an entry named `non_finite`, which may be None.

    Args:
        cfg: the config's `hooks`: by any name, a dict with the type and options of a hook, or None.

    Raises:
        UserError: an unknown hook or option.
    """
    hooks = [HOOKS.build(options) for options in cfg.values() if options is not None]
    chosen = any(isinstance(hook, StopAtNonFinite | SkipNonFinite) for hook in hooks)
    return hooks if chosen or "non_finite" in cfg else [StopAtNonFinite(), *hooks]


def check_stages(stages: Sequence[Stage], is_new: bool) -> None:
    """Check all stages before the first one starts, so that none fails after days of training.

    One scene of every size is passed through the networks, and a compiler is required if networks
    are compiled. Caches of scenes are opened, and made if they are missing.

    Args:
        stages: in order.
        is_new: whether the run is new. Then the main process reads and checks every file of the
            data, and prints a table of the weights taken from `start_from`.

    Raises:
        UserError: the data does not suit the networks, a file is broken, the compiler is missing,
            or a stage cannot start with the weights of the previous stage.
    """
    if is_new and is_main_process():
        check_all_files(stages)
    for stage in stages:
        datasets = {"train": stage.train_data, "val": stage.val_data}
        check_scenes(datasets, stage.translator, stage.config)
        for dataset in datasets.values():
            dataset.scenes.open_cache()
        require_compiler(stage.translator.compiled, best_device())
    for previous, stage in pairwise(stages):
        _check_weights(previous, stage)
    if is_new and is_main_process():
        for line in [line for s in stages if s.initial for line in s.initial.lines()]:
            say(line)


def _check_weights(previous: Stage, stage: Stage) -> None:
    """Refuse a stage that cannot start with the weights of the previous stage.

    The weights are not compared if the stage has a `start_from` of its own.
    """
    if not any(isinstance(hook, Checkpoints) for hook in previous.hooks):
        raise UserError(
            f"{previous.work_dir}: the config has no hook Checkpoints, without which the next "
            "stage has nothing to start from. Add hooks=dict(checkpoints=dict(type='Checkpoints'))."
        )
    if stage.initial is None:
        previous_stage_weights(stage.translator, previous.translator.state_dict())


def check_all_files(stages: Sequence[Stage]) -> None:
    """Read and check every training and validation file of all stages.

    A stage with the same files as an earlier one is skipped.

    Args:
        stages: the stages of a run.

    Raises:
        UserError: some files are broken or hold wrong ids; the message names them.
    """
    checked: list[Any] = []
    for stage in stages:
        files = [data.scenes.files for data in (stage.train_data, stage.val_data)]
        if files not in checked:
            check_files({"train": stage.train_data, "val": stage.val_data})
            checked.append(files)


def check_stage_order(work_dir: Path, stages: Sequence[Stage], accept_changes: bool) -> None:
    """Refuse a work directory whose saved states the config cannot continue from.

    Args:
        work_dir: the work directory of the run, in which folders of other stages are looked for.
        stages: in order, each with its saved state.
        accept_changes: continue although the config has changed. Changes of `optimizers`,
            `param_scheduler` and `amp` are refused nevertheless.

    Raises:
        UserError: a stage has started although the previous one is unfinished, it began with
            another checkpoint than the previous stage has now, the directory holds a run of other
            stages, or its states were trained with another config.
    """
    own = [stage.work_dir for stage in stages]
    others = [p for p in (work_dir, *stage_folders(work_dir))
              if p not in own and list_checkpoints(p)]  # fmt: skip
    if others:
        raise UserError(
            f"{others[0]} holds checkpoints of other stages than the config's. {START_ANEW}"
        )
    _check_previous_stages(stages)
    for stage in stages:
        _check_config(stage, accept_changes)


def _check_previous_stages(stages: Sequence[Stage]) -> None:
    """Refuse a stage that did not start with the last checkpoint of the previous stage."""
    unfinished: Stage | None = None
    previous: Path | None = None
    for stage in stages:
        saved = stage.saved
        if saved is not None and unfinished is not None:
            raise UserError(
                f"{stage.work_dir} has started from an earlier state of {unfinished.work_dir}, "
                f"which is not finished. {START_ANEW}"
            )
        used = None if saved is None else saved.meta.get("initialised_from")
        if previous is not None and used is not None and used != sha256(previous):
            raise UserError(
                f"{stage.work_dir} began with another checkpoint than {previous}, which was "
                f"trained anew or replaced since. {START_ANEW}"
            )
        previous = None if saved is None else saved.path
        if saved is None or not saved.has_all(stage.epochs):
            unfinished = unfinished or stage


def _check_config(stage: Stage, accept_changes: bool) -> None:
    """Refuse to continue a stage with a changed config, unless the change is accepted and possible.

    A stage without a saved state is not checked.
    """
    if stage.saved is None:
        return
    changed = stage.saved.changed_keys(stage.config)
    if accept_changes:
        stage.saved.require_resumable(changed)
    elif changed:
        raise UserError(
            f"{stage.work_dir} holds a run of another config: {', '.join(changed)} changed since. "
            "Pass --resume to continue with the new config, --fresh to start anew (the old run is "
            "moved aside), or --work-dir for another folder."
        )
