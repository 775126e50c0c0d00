"""Work-arounds for mmengine and torch, each with its reason."""

import contextlib
import io
import logging
import multiprocessing
import os
import pprint
import sys
import time
import warnings
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from mmengine.config import Config
from mmengine.config import config as mmengines_config

from i2ibench.errors import UserError
from i2ibench.io.files import read_text

LAUNCHERS = ("none", "pytorch", "slurm", "mpi")

SECONDS_TO_READ = 2
"""How long a failed first process waits, so that the others learn the cause from its store."""


def read_config(path: Path, import_custom_modules: bool) -> Config:
    """Return mmengine's Config of a Python file; it and its bases are read by `read_text`.

    mmengine 0.10.7 refuses a byte order mark, and looks for packages ("package::" before a base)
    with pkg_resources, which setuptools has no more from 82 on.

    Raises:
        UserError: the file or one of its bases is not UTF-8.
    """
    own = {"open": _open, "is_installed": is_installed, "get_installed_path": installed_path}
    before = {name: getattr(mmengines_config, name, open) for name in own}
    for name, function in own.items():
        setattr(mmengines_config, name, function)
    try:
        return Config.fromfile(path, import_custom_modules=import_custom_modules)
    finally:
        for name, function in before.items():
            setattr(mmengines_config, name, function)


def _open(file: str, mode: str = "r", **options: Any) -> Any:
    if mode == "r":
        return io.StringIO(read_text(Path(file)))
    return open(file, mode, **options)  # noqa: PTH123  what mmengine calls


def is_installed(package: str) -> bool:
    """Return whether a distribution or a module of this name can be imported."""
    try:
        installed_path(package)
    except ModuleNotFoundError:
        return False
    return True


def installed_path(package: str) -> str:
    """Return the folder of a package, named as its distribution or as its module.

    Raises:
        ModuleNotFoundError: there is none.
    """
    modules = [package.replace("-", "_")]
    modules += [module for module, owners in packages_distributions().items() if package in owners]
    for module in modules:
        spec = find_spec(module)
        if spec is not None and spec.origin is not None:
            return str(Path(spec.origin).parent)
    raise ModuleNotFoundError(f"There is no package {package!r}.", name=package)


def dump_odd_keys() -> None:
    """Make the config that the Runner dumps valid where a key has a quote or a backslash.

    mmengine 0.10.7 writes such keys between quotes as they are, and fails or changes them.
    """
    formatted = Config.pretty_text
    if getattr(formatted, "is_ours", False):
        return

    class Text(property):
        is_ours = True

    def text(config: Config) -> str:
        content = config.to_dict()
        if not _has_odd_keys(content):
            return str(formatted.fget(config))
        return "".join(f"{key} = {pprint.pformat(value)}\n" for key, value in content.items())

    Config.pretty_text = Text(text)


def _has_odd_keys(value: object) -> bool:
    if isinstance(value, dict):
        odd = any(isinstance(key, str) and repr(key) != f"'{key}'" for key in value)
        return odd or any(_has_odd_keys(inner) for inner in value.values())
    return isinstance(value, list | tuple) and any(_has_odd_keys(inner) for inner in value)


def log_in_utf_8(logger: logging.Logger) -> None:
    """Make the log files of a run UTF-8: mmengine opens them in the encoding of the locale."""
    for handler in logger.handlers:
        if isinstance(handler, logging.FileHandler) and isinstance(handler.stream, TextIOWrapper):
            handler.stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def start_method() -> str:
    """Return how workers are started: as the process has chosen, else by fork on Linux alone.

    mmengine forks wherever it is not on Windows; on macOS a forked process that uses the system's
    libraries may crash, so that Python itself spawns there.
    """
    chosen = multiprocessing.get_start_method(allow_none=True)
    return chosen or ("fork" if sys.platform == "linux" else "spawn")


@contextlib.contextmanager
def process_group(launcher: str) -> Iterator[None]:
    """Join the processes that `launcher` started, and leave them at the end.

    mmengine's own initialisation always calls `torch.cuda.set_device`, which fails on a CPU-only
    machine, and never destroys the group, so that gloo aborts at exit.

    Args:
        launcher: none, pytorch (torchrun), slurm (srun) or mpi (mpirun).

    Raises:
        UserError: unknown launcher, or its environment variables are missing.
    """
    if launcher not in LAUNCHERS:
        raise UserError(f"--launcher is one of {', '.join(LAUNCHERS)}, not {launcher!r}.")
    if launcher == "none":
        yield
        return
    _export_ranks(launcher)
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    store, rank, world_size = next(iter(dist.rendezvous("env://")))
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=world_size)
    try:
        with _failing_together(dist.PrefixStore("failure", store), rank):
            yield
    finally:
        dist.destroy_process_group()


@contextlib.contextmanager
def _failing_together(store: dist.Store, rank: int) -> Iterator[None]:
    """Tell the other processes why this one fails, and fail for their reason if they did first.

    A process that has left makes the others' communication fail, which says nothing of the cause.

    Raises:
        UserError: another process failed; its message.
    """
    try:
        yield
    except Exception as error:
        cause = _cause_elsewhere(store, error) if isinstance(error, RuntimeError) else None
        if cause is not None:
            raise UserError(cause) from error
        with contextlib.suppress(RuntimeError):  # the store may have gone with its process
            store.set("cause", f"Process {rank} failed: {type(error).__name__}: {error}")
            if rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
                time.sleep(SECONDS_TO_READ)  # the store goes with this process
        raise


def _cause_elsewhere(store: dist.Store, error: RuntimeError) -> str | None:
    """Why another process has left, if that is what made this one's communication fail."""
    with contextlib.suppress(RuntimeError):
        if store.check(["cause"]):
            return store.get("cause").decode()
    if "by peer" in str(error):  # gloo's "Connection closed by peer"
        return f"Another process ended without a word, killed or out of memory: {error}"
    return None


def _export_ranks(launcher: str) -> None:
    """Set RANK, WORLD_SIZE, LOCAL_RANK from what the launcher calls them."""
    own_names = {
        "pytorch": {name: name for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")},
        "slurm": {
            "RANK": "SLURM_PROCID",
            "WORLD_SIZE": "SLURM_NTASKS",
            "LOCAL_RANK": "SLURM_LOCALID",
        },
        "mpi": {
            "RANK": "OMPI_COMM_WORLD_RANK",
            "WORLD_SIZE": "OMPI_COMM_WORLD_SIZE",
            "LOCAL_RANK": "OMPI_COMM_WORLD_LOCAL_RANK",
        },
    }[launcher]
    missing = [own for own in own_names.values() if own not in os.environ]
    if missing:
        raise UserError(
            f"--launcher {launcher} needs the environment variable {missing[0]}, which "
            "torchrun, srun or mpirun sets: start the command through it."
        )
    for name, own in own_names.items():
        os.environ[name] = os.environ[own]
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    os.environ.setdefault("MASTER_PORT", "29500")


def silence_third_parties() -> None:
    """Hide the warnings of libraries that a user can do nothing about."""
    third = "mmengine mmcv lpips torchvision cleanfid tensorboard torch._dynamo torch._inductor"
    for module in third.split():
        warnings.filterwarnings("ignore", module=rf"{module}.*")
    # The data loaders pin memory for GPUs; on the CPU torch warns about it at every epoch.
    warnings.filterwarnings("ignore", message=".*pin_memory.*")
