"""Configs: loading one, checking its keys, and where its run lives."""

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
from i2ibench.io.processes import barrier, is_main_process
from i2ibench.registry.assignments import names_a_path, resolve
from i2ibench.registry.compat import read_config
from i2ibench.registry.plugin_folders import use_plugin_folders

KEYS = {
    "model": "the translator (type, generator, discriminator, encoder, adversarial, losses)",
    "data_preprocessor": "how samples become the condition",
    "data_root": "where the data is",
    "train_dataloader": "dataset, batch_size, num_workers, prefetch, accumulate, cache",
    "val_dataloader": "the same, for validation and evaluation",
    "protocol": "how images are scored: the name of a protocol, or a dict with type and options",
    "optimizers": "one torch optimizer per network",
    "param_scheduler": "list of mmengine schedulers, or a dict of such lists by optimizer",
    "train_cfg": "max_epochs, val_interval",
    "hooks": "hooks by name; None switches one off",
    "vis_backends": "where scalars and images go",
    "seed": "of everything random",
    "stages": "changes to the rest of the config by stage name, trained in this order",
    "start_from": "a checkpoint whose weights a new run begins with, or a dict with checkpoint and "
    "moments",
    "amp": "auto (the default: bf16 on GPUs that have it), bf16, fp16, or None for float32",
    "sync_batch_norm": "True for statistics of batch norms over all processes (GPUs)",
    "cudnn_benchmark": "let cuDNN choose its kernels by timing them",
    "work_dir": "where the run writes",
    "plugins": "folders whose files are plugins, relative to the config file",
    "custom_imports": "mmengine's: modules that are imported, for train and eval CONFIG only",
}
"""Every top-level key a config may have, and what it holds."""

STAGE_KEYS = KEYS.keys() - {"stages", "work_dir", "plugins", "custom_imports"}
"""A stage may change these keys."""

DICTS = (
    "model", "data_preprocessor", "train_dataloader", "val_dataloader", "optimizers",
    "train_cfg", "hooks", "stages",
)  # fmt: skip
LISTS = ("param_scheduler", "vis_backends", "plugins")

REQUIRED = ("model", "data_preprocessor", "train_dataloader", "val_dataloader")


BACKSLASH = (
    "In a Python string a backslash begins an escape: write C:/Users, or r'C:\\Users', or "
    "'C:\\\\Users'."
)


def load_config(
    path: Path, overrides: Mapping[str, Any] | None = None, work_dir: Path | None = None
) -> Config:
    """The config in a file, with its bases, overrides and work directory resolved.

    Args:
        path: a Python config in mmengine's `_base_` style.
        overrides: values, or `Written` texts, by dotted key, such as
            {"optimizers.generator.lr": 1e-4}.
        work_dir: where the run writes; None for the config's own or work_dirs/<file name>.

    Raises:
        UserError: the file is missing or broken, or has an unknown key.
    """
    if not path.is_file():
        raise UserError(f"There is no config {path}.{_similar_config(path)}")
    try:
        config = read_config(path, import_custom_modules=True)
        config.merge_from_dict(resolve(overrides or {}, config.to_dict()))
    except UserError:
        raise
    except Exception as error:  # a config is the user's own program and may raise anything
        raise UserError(f"The config {path} cannot be loaded: {_reason(error)}") from error
    _check_keys(config, path)
    _check_paths(config.to_dict(), str(path))
    _use_plugins(config, path)
    config.work_dir = str(work_dir or config.get("work_dir") or Path("work_dirs") / path.stem)
    return config


def _use_plugins(config: Config, path: Path) -> None:
    """Load the plugin folders that the user's config names; the config of a run names none.

    Raises:
        UserError: one is no folder.
    """
    named = config.pop("plugins", [])
    use_plugin_folders(named, path.parent, f"{path}: plugins")


def read_assignments(path: Path, what: str) -> dict[str, Any]:
    """Return what a Python file that is no config assigns; names that begin with _ are left out.

    Args:
        path: the file; it may have mmengine's `_base_`.
        what: what it describes, such as "grid", for the messages.

    Raises:
        UserError: the file is missing or broken.
    """
    if not path.is_file():
        raise UserError(f"There is no {what} file {path}.")
    try:
        content = read_config(path, import_custom_modules=False).to_dict()
    except UserError:
        raise
    except Exception as error:  # such a file is the user's own program and may raise anything
        raise UserError(f"The {what} {path} cannot be loaded: {_reason(error)}") from error
    _check_paths(content, str(path))
    return {key: value for key, value in content.items() if not key.startswith("_")}


def list_stages(config: Config) -> list[Config]:
    """The configs of a run's stages in order; the config itself if it has none.

    A stage is the config with the stage's changes merged in; its work directory is
    `<number>_<name>` in the run's.

    Raises:
        UserError: a stage changes an unknown key.
    """
    stages = []
    for number, (name, changes) in enumerate((config.get("stages") or {}).items(), start=1):
        if not re.fullmatch(r"\w+", name) or not isinstance(changes, Mapping):
            raise UserError(
                f"Stage {name!r}: its name is letters, digits and _, and its value a dict of "
                f"changes (dict() for none), not {changes!r}."
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
            stage.pop("start_from", None)  # later stages begin with the stage before
        stage.merge_from_dict(copy.deepcopy(dict(changes)))
        check_values(stage, f"stage {name!r}")
        stage.work_dir = str(Path(config.work_dir) / f"{number}_{name}")
        stages.append(stage)
    return stages or [config]


def _reason(error: Exception) -> str:
    """Return the kind and message of an error, and the way out of an unescaped backslash."""
    escape = "unicodeescape" in str(error) or "escape sequence" in str(error)
    return f"{type(error).__name__}: {error}{'. ' + BACKSLASH if escape else ''}"


def _check_paths(value: Any, place: str, key: str = "") -> None:
    """Refuse paths with control characters, which come of "C:\\new" for C:\\new.

    Raises:
        UserError: names the place, the key and the value.
    """
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
        config.pop(key)  # names that a config file uses for itself
    for key in config:
        if key not in KEYS:
            raise UserError(
                f"{path}: unknown key {key!r}.{near_match(key, KEYS)} Known: {', '.join(KEYS)}."
            )
    for key in REQUIRED:
        if key not in config:
            raise UserError(f"{path} lacks {key!r}: {KEYS[key]}.")
    check_values(config, str(path))


def check_values(config: Config, place: str) -> None:
    """Refuse values of the wrong kind at the top level of a config.

    Raises:
        UserError: names the place, the key and the value.
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


def _similar_config(path: Path) -> str:
    folder = path.parent if path.parent.is_dir() else Path("configs")
    return near_match(path.name, [candidate.name for candidate in folder.glob("*.py")])


@contextlib.contextmanager
def own_work_dir(
    work_dir: Path, purpose: str, otherwise: str, parts: Sequence[str] = ()
) -> Iterator[None]:
    """Own the folder that a command writes to; what killed writes have left in it is removed.

    Of a group of processes the first one owns it, and the others wait for its verdict.

    Args:
        work_dir: the folder, which is made.
        purpose: what is done there, such as "training", for those who are refused.
        otherwise: what they can do instead.
        parts: subfolders in all of which, at any depth, the command writes too.

    Raises:
        UserError: another process owns it, or it cannot be made or written.
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
    """Make a folder that a command writes to.

    Raises:
        UserError: it cannot be made or written.
    """
    try:
        work_dir.mkdir(parents=True, exist_ok=True)
        probe = work_dir / f".writable.{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UserError(f"The folder {work_dir} cannot be written: {error}") from None
