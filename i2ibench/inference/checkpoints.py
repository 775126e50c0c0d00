"""Opening checkpoints, without executing anything in them, and finding them in run folders."""

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import torch

from i2ibench import __version__
from i2ibench.errors import UnknownPartError, UserError
from i2ibench.inference.checkpoint_checks import check_contents, read_config
from i2ibench.inference.inference import DEFAULT_OPTIONS, Inference, InferenceOptions
from i2ibench.io.file_integrity import zip_damage
from i2ibench.io.process_group import is_main_process
from i2ibench.io.progress import say
from i2ibench.io.run_folders import list_checkpoints, list_epochs, stage_folders
from i2ibench.io.weights import why_unreadable
from i2ibench.models.translators.base import Translator
from i2ibench.models.translators.build import build_translator, drop_training_parts, method_of
from i2ibench.registry.configuration import Config, ConfigDict, list_stages
from i2ibench.registry.plugin_records import changed_plugins, missing_plugin
from i2ibench.registry.sources import blame

Weights = Literal["average", "last"]
"""The averaged weights of a checkpoint (`ExponentialMovingAverage`), or those of the last step."""


@dataclass(frozen=True)
class OpenedCheckpoint:
    """A trained translator and the contents of its checkpoint.

    Attributes:
        path: the file.
        config: the run's resolved config; its `model` lacks the options that only training needs.
        metainfo: the class table of the training data.
        epoch: the number of trained epochs.
        translator: the translator in eval mode on its device, without parts that only training
            needs.
        inference: the translator with the chosen options.
        averaged: whether the translator holds the averaged weights.
    """

    path: Path
    config: ConfigDict
    metainfo: dict[str, Any]
    epoch: int
    translator: Translator
    inference: Inference
    averaged: bool = False


def open_checkpoint(
    path: Path,
    device: str = "cpu",
    weights: Weights | None = None,
    options: InferenceOptions = DEFAULT_OPTIONS,
) -> OpenedCheckpoint:
    """Load the translator of a training run for inference, in eval mode and without gradients.

    The translator lacks networks that only training needs. A line is printed if plugins that it
    uses have changed since the training.

    Args:
        path: the checkpoint.
        device: the device of the translator.
        weights: "average" for the average over training and the style bank that was fitted with
            it, "last" for the weights after the last step; None for the average if there is one.
        options: the options of the translations.

    Raises:
        UserError: the file is missing, broken, not an i2ibench checkpoint, does not fit its config,
            or has no averaged weights; or the method does not support the options.
    """
    if weights not in (None, *get_args(Weights)):
        raise UserError(f"weights is 'average' or 'last', not {weights!r}.")
    saved = read_checkpoint(path)
    state = saved["state_dict"]
    if weights == "average" and "ema_state_dict" not in saved:
        raise UserError(
            f"{path} has no averaged weights; its run needed "
            "hooks=dict(ema=dict(type='ExponentialMovingAverage'))."
        )
    averaged = weights != "last" and "ema_state_dict" in saved
    if averaged:
        state = {**state, **saved["ema_state_dict"]}
    config = ConfigDict(read_config(saved, path))
    meta = saved["meta"]
    with building_from(path):
        tell_changed_plugins(path, meta, config)  # first, as it explains later errors
        left_out = method_of(config).TRAINING_ONLY
        model = {key: value for key, value in config["model"].items() if key not in left_out}
        config["model"] = ConfigDict(model)
        translator = drop_training_parts(build_translator(config, meta["dataset_meta"]))
        kept = {k: v for k, v in state.items() if k.split(".")[0] not in left_out}
        load_weights(translator, kept, path)
    translator.eval().requires_grad_(False).to(device)
    inference = Inference(translator, options)
    return OpenedCheckpoint(
        path, config, meta["dataset_meta"], meta["epoch"], translator, inference, averaged
    )


def tell_changed_plugins(path: Path, meta: dict[str, Any], config: Mapping[str, Any]) -> None:
    """Print which plugins of a checkpoint's translator have changed since its training.

    Nothing is printed if none has changed, if this line was printed before, or in other processes
    than the main one.

    Args:
        path: the checkpoint, for the line.
        meta: the checkpoint's `meta`, which records the plugins.
        config: the checkpoint's config; only `model` and `data_preprocessor` are compared.
    """
    used = {key: config[key] for key in ("model", "data_preprocessor")}
    line = changed_plugins(path, meta, used)
    if line and is_main_process():
        _say_once(line)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return the contents of a checkpoint on the CPU, read without executing a pickle.

    Keys are at least `config` (a JSON text), `meta` and `state_dict`. Checksums are verified first.
    The tensors are mapped from the file, so that their values are read when they are used.

    Raises:
        UserError: the file is missing, broken, unsafe, or not an i2ibench checkpoint.
    """
    _require_whole(path)
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except FileNotFoundError:
        raise UserError(f"There is no checkpoint at {path}.") from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder; name the checkpoint file in it.") from None
    except Exception as error:  # an unknown file can make the unpickler raise anything
        raise UserError(f"{path} cannot be read as a checkpoint: {why_unreadable(error)}") from None
    check_contents(saved, path)
    if "grown_from" in saved["meta"]:  # its name in older checkpoints
        saved["meta"]["initialised_from"] = saved["meta"].pop("grown_from")
    return saved


@contextlib.contextmanager
def building_from(path: Path) -> Iterator[None]:
    """Add the checkpoint's path to errors of a `with` block that builds parts of its config.

    A UserError about something else than an unknown part, and an error in a plugin's code, pass
    unchanged.

    Args:
        path: the checkpoint, for the messages.

    Raises:
        UserError: the config names an unknown part, and the message says which plugin provided it
            when the checkpoint was written; or nothing can be built from the config.
    """
    try:
        yield
    except UnknownPartError as error:
        saved = read_checkpoint(path)
        plugin = missing_plugin(saved["meta"], error)
        raise UserError(f"{path}: {error}{plugin}{newer_version(saved)}") from None
    except UserError:
        raise
    except Exception as error:  # an unknown config can make a constructor raise anything
        if blame(error) is not None:
            raise
        reason = next(iter(str(error).splitlines()), "")
        raise UserError(
            f"{path}: nothing can be built from its config: {type(error).__name__}: {reason}"
            f"{newer_version(read_checkpoint(path))}"
        ) from error


def newer_version(saved: Mapping[str, Any]) -> str:
    """Return a sentence, after a space, if a checkpoint was written by a newer i2ibench; else "".

    Args:
        saved: the contents of the checkpoint. Its version is a text such as "0.2.0".
    """
    written = str(saved.get("i2ibench", ""))
    numbers = [[int(n) for n in re.findall(r"\d+", text)[:3]] for text in (written, __version__)]
    if numbers[0] <= numbers[1]:
        return ""
    return (
        f" It was written by i2ibench {written[:20]}, and this is {__version__}: "
        "update the package."
    )


def _require_whole(path: Path) -> None:
    """Check the checksums of a checkpoint, which torch.load does not.

    A file that cannot be opened passes, since torch.load raises a better error.
    """
    try:
        damage = zip_damage(path)
    except OSError:
        return  # torch.load raises a better error
    if damage is not None:
        others = [p for p in list_checkpoints(path.parent) if p != path and not zip_damage(p)]
        whole = f" The newest whole one beside it is {others[-1]}." if others else ""
        raise UserError(f"{path} cannot be read as a checkpoint: {damage}.{whole}")


def load_weights(translator: torch.nn.Module, state: dict[str, Any], path: Path) -> None:
    """Load all saved weights into a translator, in place.

    Buffers that a module can fill in may be missing from older state dicts.

    Args:
        translator: the translator.
        state: its state dict.
        path: the checkpoint, for the messages.

    Raises:
        UserError: names or shapes differ; the message lists the first three. If names differ, the
            weights with equal names are loaded.
    """
    own = translator.state_dict()
    differing = [
        f"{name} {tuple(state[name].shape)} instead of {tuple(own[name].shape)}"
        for name in own
        if name in state and own[name].shape != state[name].shape
    ]
    if not differing:  # modules may fill in buffers that older state dicts lack
        keys = translator.load_state_dict(dict(state), strict=False)
        differing = sorted([*keys.missing_keys, *keys.unexpected_keys])
    if differing:
        raise UserError(
            f"{path} does not fit the model of the config; {len(differing)} weights differ, "
            f"first: {', '.join(differing[:3])}."
        )


def newest_of_run(work_dir: Path) -> Path | None:
    """Return the checkpoint of a run's newest complete epoch, in any of its stages.

    Damaged checkpoints are skipped and named once. The result is None if there is no checkpoint.

    Args:
        work_dir: the folder of the run, which holds the folders of its stages if there are any.

    Raises:
        UserError: there are checkpoints, but none of them can be read.
    """
    return _last_in([work_dir, *stage_folders(work_dir)])


def latest_checkpoint(work_dir: Path) -> Path:
    """Return the checkpoint of a run's newest complete epoch, in any of its stages.

    Damaged checkpoints are skipped and named once.

    Args:
        work_dir: the folder of the run, which holds the folders of its stages if there are any.

    Raises:
        UserError: there is none, or none of them can be read.
    """
    newest = newest_of_run(work_dir)
    if newest is None:
        raise UserError(
            f"{work_dir} has no checkpoint of a complete epoch; train first, or name a file."
        )
    return newest


def newest_of_config(config: Config) -> Path | None:
    """Return the checkpoint of the newest complete epoch of a config's stages.

    The stages' folders are those that the config states. Damaged checkpoints are skipped and named
    once. The result is None if there is no checkpoint.

    Raises:
        UserError: there are checkpoints, but none of them can be read.
    """
    return _last_in([Path(stage.work_dir) for stage in list_stages(config)])


def _last_in(folders: Sequence[Path]) -> Path | None:
    """Return the newest readable checkpoint of an epoch, in the last folder that has one."""
    return _newest_whole([path for folder in folders for path in list_epochs(folder)])


def _newest_whole(paths: Sequence[Path]) -> Path | None:
    """Return the last readable checkpoint of a list; None for an empty list.

    The reasons why later checkpoints are skipped are printed once.
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
    """Return the message of an error of `read_checkpoint` without the advice at its end.

    That advice names an intact checkpoint beside the damaged one.
    """
    return str(error).partition(" The newest whole")[0]


_say_once = cache(say)


def stage_of(config: Config, checkpoint: Path) -> Config:
    """Return the config of the stage whose folder holds a checkpoint.

    If no stage has that folder, the result is the config of the last stage.

    Args:
        config: the config of a run, which may have stages.
        checkpoint: the file.
    """
    stages = list_stages(config)
    here = [s for s in stages if Path(s.work_dir).resolve() == checkpoint.parent.resolve()]
    return (here or stages)[-1]


def config_that_affects_results(config: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of a config without the entries that do not affect results.

    Left out are `work_dir`, `vis_backends` and `start_from`, and of both loaders `num_workers`,
    `cache` and `prefetch`.
    """
    # A resumed run does not read start_from again.
    ignored = ("work_dir", "vis_backends", "start_from")
    kept = {k: v for k, v in config.items() if k not in ignored}
    for loader in ("train_dataloader", "val_dataloader"):
        options = config.get(loader, {}).items()
        kept[loader] = {k: v for k, v in options if k not in ("num_workers", "cache", "prefetch")}
    return kept
