"""The Runner: mmengine's training loop over the parts of a stage."""

import copy
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from i2ibench.inference.checkpoints import load_weights, tell_changed_plugins
from i2ibench.io.devices import best_device
from i2ibench.io.files import remove_leftovers
from i2ibench.io.folder_locks import new_folder
from i2ibench.io.processes import barrier, broadcast_object_list, is_main_process
from i2ibench.io.provenance import sha256
from i2ibench.registry.compat import dump_odd_keys, log_in_utf_8
from i2ibench.registry.configuration import prepare_work_dir
from i2ibench.training.distributed import broadcast_weights, synchronise_batch_norms
from i2ibench.training.hooks.checkpoints import Checkpoints
from i2ibench.training.initial_weights import begin
from i2ibench.training.previous_stage import load_previous_stage
from i2ibench.training.saved_state import SavedState
from i2ibench.training.stage import Stage
from i2ibench.training.validation import ValidationLoop, evaluator_of


class StageRunner(Runner):
    """mmengine's Runner of a stage, which goes on from a state that is read already.

    Two runs of one second have a log folder each.

    Args:
        saved: the state to go on from; None for a stage that begins.
        options: mmengine's.
    """

    _timestamp: str

    def __init__(self, saved: SavedState | None, **options: Any) -> None:
        self._saved = saved
        path = str(saved.path) if saved else None
        options["model"].val_step = None  # mmengine asks for one; ValidationLoop calls none
        super().__init__(load_from=path, resume=saved is not None, **options)

    def setup_env(self, env_cfg: dict[str, Any]) -> None:
        """Choose the name of the log folder, which is that of the second unless it is taken."""
        super().setup_env(env_cfg)
        names = [self._timestamp]
        if is_main_process():
            names = [new_folder(Path(self.work_dir) / self._timestamp).name]
        broadcast_object_list(names)
        self._timestamp = names[0]

    def load_checkpoint(self, filename: str, *_: Any, **__: Any) -> dict[str, Any]:
        """Return the state to go on from, and give the model its weights.

        mmengine would read the file again, leave `weights_only` to torch, and run the text in
        `meta["config"]` as a program; this project writes no such entry. The state is copied, so
        that nothing keeps the file open. Of the message hub nothing is taken over: its runtime
        information is the new run's own.
        """
        saved, self._saved = self._saved, None  # the file is closed when nobody needs it
        assert saved is not None and str(saved.path) == filename
        state = {k: v if k == "state_dict" else copy.deepcopy(v) for k, v in saved.contents.items()}
        state["meta"].pop("config", None)
        state["message_hub"] = {"log_scalars": {}, "runtime_info": {}, "resumed_keys": {}}
        self.call_hook("after_load_checkpoint", checkpoint=state)
        load_weights(self.model, state["state_dict"], saved.path)  # a hook may have changed them
        self._has_loaded = True
        return state


def build_runner(
    stage: Stage, before: SavedState | None = None, preemption: Hook | None = None
) -> StageRunner:
    """Return the Runner of a stage, whose translator has the weights to begin or go on with.

    Args:
        stage: what is trained.
        before: the last state of the stage before, whose weights this one begins with.
        preemption: listens to the signals on which the run is to save and end.

    Raises:
        UserError: the saved state does not fit the stage, or its folder cannot be written.
    """
    dump_odd_keys()
    if is_main_process():  # two would trip over each other's removal of what a kill has left
        prepare_work_dir(stage.work_dir)
        remove_leftovers(stage.work_dir, stage.work_dir / "pictures")
    barrier()
    stage.translator.to(best_device())
    if stage.sync_batch_norm:
        synchronise_batch_norms(stage.translator)
    _take_over(stage, before)
    broadcast_weights(stage.translator)
    runner = StageRunner(
        stage.saved,
        model=stage.translator,
        train_dataloader=stage.train_loader,
        optim_wrapper=stage.optimizers,
        val_dataloader=stage.val_loader,
        val_evaluator=evaluator_of(stage.metrics, stage.work_dir),
        val_cfg={"type": ValidationLoop},
        custom_hooks=[*stage.hooks, preemption] if preemption else stage.hooks,
        **stage.options,
    )
    log_in_utf_8(runner.logger)
    return runner


def _take_over(stage: Stage, before: SavedState | None) -> None:
    """Give the translator its weights; checkpoints will name the file that they come from."""
    begun_with: dict[str, str] = {}
    if stage.saved is not None:
        tell_changed_plugins(stage.saved.path, stage.saved.meta, stage.config)
        stage.saved.require_classes(stage.train_data.metainfo["classes"])
        load_weights(stage.translator, stage.saved.contents["state_dict"], stage.saved.path)
    elif stage.initial is not None:
        begin(stage.translator, stage.optimizers, stage.initial)
        begun_with = {"started_from": sha256(stage.initial.path)}
    elif before is not None:
        load_previous_stage(stage.translator, stage.optimizers, before.contents)
        begun_with = {"initialised_from": sha256(before.path)}
    for hook in stage.hooks:
        if isinstance(hook, Checkpoints):
            hook.begun_with(**begun_with)
