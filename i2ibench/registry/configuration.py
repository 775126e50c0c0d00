"""Configs: functions that load one, check its keys, list its stages and make its work folder."""

import contextlib
import copy
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config as Config
from mmengine.config import ConfigDict as ConfigDict
from mmengine.config.config import RESERVED_KEYS as RESERVED_KEYS

from i2ibench.errors import UserError, near_match
from i2ibench.io.files import remove_leftovers
from i2ibench.io.folder_locks import lock_folder
from i2ibench.io.process_group import barrier, is_main_process
from i2ibench.registry.assignments import names_a_path, resolve
from i2ibench.registry.mmengine_workarounds import read_config
from i2ibench.registry.plugin_folders import use_plugin_folders
from i2ibench.registry.shipped_configs import find_config

KEYS = {
    "model": "the translator (type, generator, discriminator, encoder, adversarial, losses)",
    "data_preprocessor": "how samples become the condition of the generator",
    "data_root": "the folder of the data",
    "train_dataloader": "dataset, batch_size, num_workers, prefetch, accumulate, cache",
    "val_dataloader": "the same, for validation and evaluation",
    "protocol": "how images are scored: the name of a protocol, or a dict with type and options",
    "optimizers": "one torch optimizer per network",
    "param_scheduler": "a list of mmengine schedulers, or a dict of such lists by optimizer",
    "train_cfg": "max_epochs, val_interval",
    "hooks": "hooks by name; None switches one off",
    "vis_backends": "where scalars and images are logged",
    "seed": "the seed of all random numbers",
    "stages": "changes to the rest of the config by stage name, trained in this order",
    "start_from": "a checkpoint whose weights a new run begins with, or a dict with checkpoint and "
    "moments",
    "amp": "auto (the default: bf16 on GPUs that have it), bf16, fp16, or None for float32",
    "sync_batch_norm": "True to compute batch norm statistics over all processes (GPUs only)",
    "cudnn_benchmark": "True to let cuDNN choose its kernels by timing them",
    "work_dir": "the folder that the run writes to",
    "plugins": "folders whose files are plugins, relative to the config file",
    "custom_imports": "mmengine's: modules that are imported, for train and eval CONFIG only",
}
"""Every top-level key of a config, with a description for error messages."""

STAGE_KEYS = KEYS.keys() - {"stages", "work_dir", "plugins", "custom_imports"}
"""The keys that a stage may change."""

DICTS = (
    "model", "data_preprocessor", "train_dataloader", "val_dataloader", "optimizers",
    "train_cfg", "hooks", "stages",
)  # fmt: skip
LISTS = ("param_scheduler", "vis_backends", "plugins")

REQUIRED = ("model", "data_preprocessor", "train_dataloader", "val_dataloader")


BACKSLASH = (
    "In a Python string a backslash starts an escape sequence: write C:/Users, r'C:\\Users' or "
    "'C:\\\\Users'."
)


def load_config(
    path: Path, overrides: Mapping[str, Any] | None = None, work_dir: Path | None = None
) -> Config:
    """Return the config in a file, with its bases, overrides and work directory resolved.

    The plugin folders that the config names are added to $I2IBENCH_PLUGINS, and the key `plugins`
    is removed. Variables that begin with _ are removed. The modules in `custom_imports` are
    imported.

    Args:
        path: a Python config in mmengine's `_base_` style, which is executed; or the name of a
            config in the package. A base may be named as "i2ibench::NAME.py".
        overrides: values, or `Written` texts, by dotted key, such as {"optimizers.generator.lr":
            1e-4}.
        work_dir: the folder that the run writes to; None for the config's `work_dir` or, without
            one, work_dirs/<file name>. It is not created.

    Raises:
        UserError: the file is missing or broken, lacks a required key, has an unknown key or a
            value of a wrong type, or names a plugin folder that does not exist.
    """
    path = find_config(path)
    try:
        config = read_config(path, import_custom_modules=True)
        config.merge_from_dict(resolve(overrides or {}, config.to_dict()))
    except UserError:
        raise
    except Exception as error:  # a config is the user's own program and may raise anything
        raise UserError(f"The config {path} cannot be loaded: {_reason(error)}") from error
    _check_keys(config, path)
    _check_paths(config.to_dict(), str(path))
    # `plugins` is removed, so that the config in a checkpoint names no folders to import.
    use_plugin_folders(config.pop("plugins", []), path.parent, f"{path}: plugins")
    config.work_dir = str(work_dir or config.get("work_dir") or Path("work_dirs") / path.stem)
    return config


def read_assignments(path: Path, what: str) -> dict[str, Any]:
    """Return the variables of a Python file that is no config, such as a grid or a study, by name.

    Names that begin with _ are left out. The names are not checked.

    Args:
        path: the file, which exists and is executed; it may have mmengine's `_base_`.
        what: the kind of file, such as "grid", for error messages.

    Raises:
        UserError: the file is broken.
    """
    try:
        content = read_config(path, import_custom_modules=False).to_dict()
    except UserError:
        raise
    except Exception as error:  # such a file is the user's own program and may raise anything
        raise UserError(f"The {what} {path} cannot be loaded: {_reason(error)}") from error
    _check_paths(content, str(path))
    return {key: value for key, value in content.items() if not key.startswith("_")}


def list_stages(config: Config) -> list[Config]:
    """Return the configs of a run's stages in order; the config itself if it has no stages.

    The config of a stage is a copy of the run's config with the changes of the stage merged in. Its
    work directory is `<number>_<name>` in the run's, numbered from 1. The run's `start_from`
    applies to the first stage only.

    Raises:
        UserError: a stage has an invalid name, changes an unknown key, is no dict, or has a value
            of a wrong type.
    """
    stages = []
    for number, (name, changes) in enumerate((config.get("stages") or {}).items(), start=1):
        if not re.fullmatch(r"\w+", name) or not isinstance(changes, Mapping):
            raise UserError(
                f"Stage {name!r}: the name of a stage has letters, digits and _ only, and its "
                f"value is a dict of changes (dict() for none), not {changes!r}."
            )
        stage = copy.deepcopy(config)
        stage.pop("stages")
        unknown = [key for key in changes if key not in STAGE_KEYS]
        if unknown:
            raise UserError(
                f"Stage {name!r} changes {unknown[0]!r}, which is no key of a config."
                f"{near_match(unknown[0], STAGE_KEYS)}"
            )
        if number > 1:
            stage.pop("start_from", None)  # later stages start from the previous stage
        stage.merge_from_dict(copy.deepcopy(dict(changes)))
        check_values(stage, f"stage {name!r}")
        stage.work_dir = str(Path(config.work_dir) / f"{number}_{name}")
        stages.append(stage)
    return stages or [config]


def _reason(error: Exception) -> str:
    """Return the type and message of an error, with advice if a backslash was not escaped."""
    escape = "unicodeescape" in str(error) or "escape sequence" in str(error)
    return f"{type(error).__name__}: {error}{'. ' + BACKSLASH if escape else ''}"


def _check_paths(value: Any, place: str, key: str = "") -> None:
    """Refuse paths with control characters, the result of writing "C:\\new" for C:\\new."""
    if isinstance(value, Mapping):
        for inner, content in value.items():
            _check_paths(content, place, str(inner))
    elif isinstance(value, list | tuple):
        for content in value:
            _check_paths(content, place, key)
    elif isinstance(value, str) and names_a_path(key) and any(ord(c) < 32 for c in value):
        raise UserError(f"{place}: {key!r} is {value!r}, with a control character. {BACKSLASH}")


def _check_keys(config: Config, path: Path) -> None:
    for key in [key for key in config if key.startswith("_")]:
        config.pop(key)  # private variables of the config file
    for key in config:
        if key not in KEYS:
            raise UserError(
                f"{path}: unknown key {key!r}.{near_match(key, KEYS)} Known: {', '.join(KEYS)}."
            )
    for key in REQUIRED:
        if key not in config:
            raise UserError(f"{path} lacks the key {key!r}: {KEYS[key]}.")
    check_values(config, str(path))


def check_values(config: Config, place: str) -> None:
    """Refuse values of the wrong type at the top level of a config.

    Args:
        config: the config of a run or a stage.
        place: the file or stage, for error messages.

    Raises:
        UserError: a value is no dict or list where one is needed, or the seed is no integer from 0
            to 2^32 - 1.
    """
    for key, value in config.items():
        kind = Mapping if key in DICTS else list if key in LISTS else object
        by_name = key == "param_scheduler" and isinstance(value, Mapping)
        if not isinstance(value, kind) and not by_name:
            word = "list" if key in LISTS else "dict"
            raise UserError(f"{place}: {key!r} is a {word} ({KEYS[key]}), not {value!r}.")
    seed = config.get("seed", 0)
    if not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise UserError(f"{place}: 'seed' is an integer from 0 to 2^32 - 1, not {seed!r}.")


@contextlib.contextmanager
def own_work_dir(
    work_dir: Path, purpose: str, otherwise: str, parts: Sequence[str] = ()
) -> Iterator[None]:
    """Lock the folder that a command writes to, as long as the `with` block runs.

    The folder is created, and temporary files that killed writes left in it are deleted. In
    distributed runs the main process holds the lock, and the others wait until it has it.

    Args:
        work_dir: the folder; it is created if it does not exist.
        purpose: the activity that needs the folder, such as "training", for the message that
            another process gets.
        otherwise: the advice in that message, such as "give another --work-dir".
        parts: subfolders in which temporary files are deleted too, at any depth.

    Raises:
        UserError: another process holds the lock, or the folder cannot be created or written.
    """
    with contextlib.ExitStack() as owned:
        if is_main_process():
            owned.enter_context(lock_folder(work_dir, purpose, otherwise))
            prepare_work_dir(work_dir)
            trees = [path for part in parts for path in (work_dir / part).glob("**/")]
            remove_leftovers(work_dir, *trees)
        barrier()
        yield


def prepare_work_dir(work_dir: Path) -> None:
    """Create a folder that a command writes to, and check that it can be written.

    Missing parents are created too. For the check, a file is written and deleted.

    Raises:
        UserError: the folder cannot be created or written.
    """
    try:
        work_dir.mkdir(parents=True, exist_ok=True)
        probe = work_dir / f".writable.{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UserError(f"The folder {work_dir} cannot be written: {error}") from None
