"""Checkpoints as others use them: opened without executing anything in them."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

from i2ibench.errors import UnknownPartError, UserError
from i2ibench.inference import Inference, InferenceOptions
from i2ibench.inference.checkpoint_contents import check_contents, read_config
from i2ibench.inference.options import PLAIN
from i2ibench.io.checksums import zip_damage
from i2ibench.io.processes import is_main_process
from i2ibench.io.progress import say
from i2ibench.io.run_folders import list_checkpoints, list_epochs, stage_folders
from i2ibench.io.weights import why_unreadable
from i2ibench.models.translators.base import Translator
from i2ibench.models.translators.build import build_translator, drop_training_parts, training_only
from i2ibench.registry.configuration import Config, ConfigDict, list_stages
from i2ibench.registry.plugin_records import changed_plugins, missing_plugin
from i2ibench.registry.sources import blame


@dataclass(frozen=True)
class OpenedCheckpoint:
    """A translator with its weights, and where they come from.

    Attributes:
        path: the file.
        config: the run's resolved config; its `model` without what only training needs.
        metainfo: the classes of the training data.
        epoch: epochs trained.
        translator: in eval mode, on the device asked for, without what only training needs.
        inference: makes images with it as asked for.
    """

    path: Path
    config: ConfigDict
    metainfo: dict[str, Any]
    epoch: int
    translator: Translator
    inference: Inference


def open_checkpoint(
    path: Path,
    device: str = "cpu",
    ema: bool = False,
    options: InferenceOptions = PLAIN,
) -> OpenedCheckpoint:
    """The translator that a training run saved, ready to make images.

    Args:
        path: of the checkpoint.
        device: where the translator goes.
        ema: take the averaged weights of what makes images, with the styles of those.
        options: how images are made.

    Raises:
        UserError: the file is missing, broken, no i2ibench checkpoint, does not fit its config, or
            has no averaged weights; or its method cannot do what the options ask for.
    """
    saved = read_checkpoint(path)
    state = saved["state_dict"]
    if ema:
        if "ema_state_dict" not in saved:
            raise UserError(
                f"{path} has no averaged weights; its run needed "
                "hooks=dict(ema=dict(type='ExponentialMovingAverage'))."
            )
        state = {**state, **saved["ema_state_dict"]}
    config = ConfigDict(read_config(saved, path))
    meta = saved["meta"]
    with building_from(path):
        tell_changed_plugins(path, meta, config)  # first: it explains what else may be wrong
        left_out = training_only(config)
        model = {key: value for key, value in config["model"].items() if key not in left_out}
        config["model"] = ConfigDict(model)
        translator = drop_training_parts(build_translator(config, meta["dataset_meta"]))
        kept = {k: v for k, v in state.items() if k.split(".")[0] not in left_out}
        load_weights(translator, kept, path)
    translator.eval().requires_grad_(False).to(device)
    inference = Inference(translator, options)
    return OpenedCheckpoint(
        path, config, meta["dataset_meta"], meta["epoch"], translator, inference
    )


def tell_changed_plugins(path: Path, meta: dict[str, Any], config: Mapping[str, Any]) -> None:
    """Say once which plugins of the translator in a checkpoint have changed since."""
    used = {key: config[key] for key in ("model", "data_preprocessor")}
    line = changed_plugins(path, meta, used)
    if line and is_main_process():
        _say_once(line)


def has_ema(path: Path) -> bool:
    """Return whether a checkpoint has averaged weights too.

    Raises:
        UserError: see read_checkpoint.
    """
    return "ema_state_dict" in read_checkpoint(path)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The raw contents of a checkpoint, read without executing a pickle.

    Raises:
        UserError: missing, broken, unsafe, or written by something else.
    """
    _require_whole(path)
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except FileNotFoundError:
        raise UserError(f"There is no checkpoint at {path}.") from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder; name the checkpoint file in it.") from None
    except Exception as error:  # whatever a foreign file makes the unpickler raise
        raise UserError(f"{path} cannot be read as a checkpoint: {why_unreadable(error)}") from None
    check_contents(saved, path)
    if "grown_from" in saved["meta"]:  # its name in older checkpoints
        saved["meta"]["initialised_from"] = saved["meta"].pop("grown_from")
    return saved


@contextlib.contextmanager
def building_from(path: Path) -> Iterator[None]:
    """Build in this block what the config in a checkpoint describes; its parts are named by it.

    Args:
        path: of the checkpoint, for the messages.

    Raises:
        UserError: the config names a part that is not there, and the message says which plugin had
            it when the checkpoint was written; or it gives a part options that are impossible.
    """
    try:
        yield
    except UnknownPartError as error:
        meta = read_checkpoint(path)["meta"]
        raise UserError(f"{path}: {error}{missing_plugin(meta, error)}") from None
    except UserError:
        raise
    except Exception as error:  # whatever a foreign config makes a constructor raise
        if blame(error) is not None:
            raise
        reason = next(iter(str(error).splitlines()), "")
        raise UserError(
            f"{path}: nothing can be built from its config: {type(error).__name__}: {reason}"
        ) from error


def _require_whole(path: Path) -> None:
    """Refuse a file that differs from what was written, which torch does not notice.

    Raises:
        UserError: names the part, and the newest checkpoint beside it that is whole.
    """
    try:
        damage = zip_damage(path)
    except OSError:
        return  # opening it says which
    if damage is not None:
        others = [p for p in list_checkpoints(path.parent) if p != path and not zip_damage(p)]
        whole = f" The newest whole one beside it is {others[-1]}." if others else ""
        raise UserError(f"{path} cannot be read as a checkpoint: {damage}.{whole}")


def load_weights(translator: torch.nn.Module, state: dict[str, Any], path: Path) -> None:
    """Put the saved weights into the translator, every one of them.

    Raises:
        UserError: names or shapes differ; the first three are listed.
    """
    own = translator.state_dict()
    differing = [
        f"{name} {tuple(state[name].shape)} instead of {tuple(own[name].shape)}"
        for name in own
        if name in state and own[name].shape != state[name].shape
    ]
    if not differing:  # modules may know how to fill what their older form did not have
        found = translator.load_state_dict(dict(state), strict=False)
        differing = sorted([*found.missing_keys, *found.unexpected_keys])
    if differing:
        raise UserError(
            f"{path} does not fit the model of the config; {len(differing)} weights differ, "
            f"first: {', '.join(differing[:3])}."
        )


def newest_of_run(work_dir: Path) -> Path | None:
    """The newest complete epoch of a run; of its last stage that has one, if it has stages."""
    return _last_in([work_dir, *stage_folders(work_dir)])


def latest_checkpoint(work_dir: Path) -> Path:
    """The newest checkpoint of a run.

    Raises:
        UserError: there is none.
    """
    found = newest_of_run(work_dir)
    if found is None:
        raise UserError(
            f"{work_dir} has no checkpoint of a complete epoch; train first, or name a file."
        )
    return found


def newest_of_config(config: Config) -> Path | None:
    """The newest complete epoch of the config's own stages, or of its run without stages."""
    return _last_in([Path(stage.work_dir) for stage in list_stages(config)])


def _last_in(folders: Sequence[Path]) -> Path | None:
    """The newest complete epoch of the last folder that has one."""
    return _newest_whole([path for folder in folders for path in list_epochs(folder)])


def _newest_whole(paths: Sequence[Path]) -> Path | None:
    """The last of some checkpoints that can be read; None if there are none.

    Those after it are named, once.

    Raises:
        UserError: none of them can be read.
    """
    reasons: list[str] = []
    for path in reversed(paths):
        try:
            read_checkpoint(path)
        except UserError as error:
            reasons.append(why_unusable(error))
            continue
        if reasons and is_main_process():
            _say_once(f"{' '.join(reasons)} Taking {path} instead.")
        return path
    if reasons:
        raise UserError(f"{reasons[0]} No other checkpoint of the run is whole.")
    return None


def why_unusable(error: UserError) -> str:
    """Return why `read_checkpoint` refused a file, without the other file that it names."""
    return str(error).partition(" The newest whole")[0]


_say_once = cache(say)


def stage_of(config: Config, checkpoint: Path) -> Config:
    """The config of the stage in whose folder a checkpoint lies; of the last one otherwise."""
    stages = list_stages(config)
    here = [s for s in stages if Path(s.work_dir).resolve() == checkpoint.parent.resolve()]
    return (here or stages)[-1]


def config_that_affects_results(config: dict[str, Any]) -> dict[str, Any]:
    """The config without what does not change the numbers: places, logs, workers, caches."""
    places = ("work_dir", "vis_backends", "start_from")  # a run that goes on has begun
    kept = {k: v for k, v in config.items() if k not in places}
    for loader in ("train_dataloader", "val_dataloader"):
        options = config.get(loader, {}).items()
        kept[loader] = {k: v for k, v in options if k not in ("num_workers", "cache", "prefetch")}
    return kept
