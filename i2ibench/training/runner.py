"""The Runner of a stage: mmengine's training loop with this project's checkpoints."""

import copy
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from i2ibench.inference.checkpoints import load_weights, tell_changed_plugins
from i2ibench.io.devices import best_device
from i2ibench.io.files import remove_leftovers
from i2ibench.io.folder_locks import new_folder
from i2ibench.io.process_group import barrier, broadcast_object_list, is_main_process
from i2ibench.io.provenance import sha256
from i2ibench.registry.configuration import prepare_work_dir
from i2ibench.registry.mmengine_workarounds import dump_odd_keys, log_in_utf_8
from i2ibench.training.gradient_averaging import broadcast_weights, synchronise_batch_norms
from i2ibench.training.hooks.checkpoints import Checkpoints
from i2ibench.training.initial_weights import load_initial_weights
from i2ibench.training.previous_stage import load_previous_stage
from i2ibench.training.saved_state import SavedState
from i2ibench.training.stage import Stage
from i2ibench.training.validation import ValidationLoop, evaluator_of


class StageRunner(Runner):
    """A Runner of mmengine that continues from a state that has been read already.

    Two runs that start in the same second get separate log folders.

    Args:
        saved: the state to continue from; None for a stage that starts.
        options: the options of mmengine's Runner.
    """

    _timestamp: str

    def __init__(self, saved: SavedState | None, **options: Any) -> None:
        self._saved = saved
        path = str(saved.path) if saved else None
        options["model"].val_step = None  # mmengine requires it; ValidationLoop does not call it
        super().__init__(load_from=path, resume=saved is not None, **options)

    def setup_env(self, env_cfg: dict[str, Any]) -> None:
        """Set up mmengine's environment, and create the run's log folder in the work directory.

        The folder is named by the time, with a suffix such as -2 if that folder exists. All
        processes use the name that the main process chose.
        """
        super().setup_env(env_cfg)
        names = [self._timestamp]
        if is_main_process():
            names = [new_folder(Path(self.work_dir) / self._timestamp).name]
        broadcast_object_list(names)
        self._timestamp = names[0]

    def load_checkpoint(self, filename: str, *_: Any, **__: Any) -> dict[str, Any]:
        """Load the weights of the saved state into the model, and return the state.

        mmengine would read the file again, leave `weights_only` to torch, and execute the text in
        `meta["config"]`, an entry that this project does not write. The state is copied, except for
        the weights, so that the file can be closed. The message hub starts empty, because its
        runtime information belongs to the new process. Hooks get the state in
        `after_load_checkpoint` before the weights are loaded. The method can be called once.

        Args:
            filename: the path of the saved state that the constructor got.

        Raises:
            UserError: the weights do not fit the model.
        """
        saved, self._saved = self._saved, None  # the file is closed when no reference is left
        assert saved is not None and str(saved.path) == filename
        state = {k: v if k == "state_dict" else copy.deepcopy(v) for k, v in saved.contents.items()}
        state["meta"].pop("config", None)
        state["message_hub"] = {"log_scalars": {}, "runtime_info": {}, "resumed_keys": {}}
        self.call_hook("after_load_checkpoint", checkpoint=state)
        load_weights(self.model, state["state_dict"], saved.path)  # a hook may have changed them
        self._has_loaded = True
        return state


def build_runner(
    stage: Stage, previous: SavedState | None = None, preemption: Hook | None = None
) -> StageRunner:
    """Return the Runner of a stage, with the weights that the stage starts or continues with.

    The translator is moved to the device. The stage's folder is created, and temporary files of
    killed writes in it are deleted. Every process must call this function.

    Args:
        stage: the stage to train.
        previous: the last state of the previous stage; None for a first stage.
        preemption: the hook that receives the signals on which the run saves and ends; None for
            none.

    Raises:
        UserError: the saved state does not fit the stage, or its folder cannot be written.
    """
    dump_odd_keys()
    if is_main_process():  # only one process may delete the temporary files of killed writes
        prepare_work_dir(stage.work_dir)
        remove_leftovers(stage.work_dir, stage.work_dir / "pictures")
    barrier()
    stage.translator.to(best_device())
    if stage.sync_batch_norm:
        synchronise_batch_norms(stage.translator)
    _load_weights(stage, previous)
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


def _load_weights(stage: Stage, previous: SavedState | None) -> None:
    """Load the weights of a stage into its translator, in place.

    They come from the stage's own saved state, else from `start_from`, else from the previous
    stage. Without any of these, the translator keeps its random weights. With the last two, saved
    optimiser state is loaded too, and the hook Checkpoints gets the SHA-256 of the file.
    """
    hashes: dict[str, str] = {}
    if stage.saved is not None:
        tell_changed_plugins(stage.saved.path, stage.saved.meta, stage.config)
        stage.saved.require_classes(stage.train_data.metainfo["classes"])
        load_weights(stage.translator, stage.saved.contents["state_dict"], stage.saved.path)
    elif stage.initial is not None:
        load_initial_weights(stage.translator, stage.optimizers, stage.initial)
        hashes = {"started_from": sha256(stage.initial.path)}
    elif previous is not None:
        load_previous_stage(stage.translator, stage.optimizers, previous.contents)
        hashes = {"initialised_from": sha256(previous.path)}
    for hook in stage.hooks:
        if isinstance(hook, Checkpoints):
            hook.record_source(**hashes)
