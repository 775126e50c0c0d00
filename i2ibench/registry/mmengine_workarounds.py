"""Workarounds for mmengine and torch, each with its reason."""

import contextlib
import gc
import io
import logging
import multiprocessing
import os
import pprint
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
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
from i2ibench.registry.shipped_configs import PREFIX, named_file

LAUNCHERS = ("none", "pytorch", "slurm", "mpi")

SECONDS_TO_READ = 2
"""Time that a failed first process waits, so that the others can read the cause in its store."""


def read_config(path: Path, import_custom_modules: bool) -> Config:
    """Return mmengine's Config of a Python file, with the file and its bases read by `read_text`.

    mmengine 0.10.7 refuses a byte order mark. It looks for packages ("package::" before a base)
    with pkg_resources, which setuptools 82 has removed. It looks for "i2ibench::" in a folder of
    installed packages that this one lacks. mmengine's functions are replaced during the call.

    Args:
        path: the file, which is executed.
        import_custom_modules: import the modules that the file lists in `custom_imports`.

    Raises:
        UserError: the file or one of its bases is not UTF-8. Other errors of the file are not
            changed.
    """
    patches = {"open": _open, "is_installed": is_installed, "get_installed_path": installed_path}
    before = {name: getattr(mmengines_config, name, open) for name in patches}
    for name, function in patches.items():
        setattr(mmengines_config, name, function)
    mmengines = Config._get_cfg_path
    Config._get_cfg_path = staticmethod(partial(_path_of_base, mmengines))
    try:
        return Config.fromfile(path, import_custom_modules=import_custom_modules)
    finally:
        Config._get_cfg_path = staticmethod(mmengines)
        for name, function in before.items():
            setattr(mmengines_config, name, function)


def _path_of_base(
    mmengines: Callable[[str, str], tuple[str, str | None]], base: str, config: str
) -> tuple[str, str | None]:
    """Return the path and mmengine's scope of a base that a config names."""
    if base.startswith(PREFIX):
        return str(named_file(base, Path())), None
    return mmengines(base, config)


def _open(file: str, mode: str = "r", **options: Any) -> Any:
    if mode == "r":
        return io.StringIO(read_text(Path(file)))
    return open(file, mode, **options)  # noqa: PTH123  same signature as mmengine's call


def is_installed(package: str) -> bool:
    """Return whether a distribution or a module of this name can be imported."""
    try:
        installed_path(package)
    except ModuleNotFoundError:
        return False
    return True


def installed_path(package: str) -> str:
    """Return the folder of an installed package as text.

    Args:
        package: the name of the distribution or of the module.

    Raises:
        ModuleNotFoundError: there is no such package.
    """
    modules = [package.replace("-", "_")]
    modules += [module for module, owners in packages_distributions().items() if package in owners]
    for module in modules:
        spec = find_spec(module)
        if spec is not None and spec.origin is not None:
            return str(Path(spec.origin).parent)
    raise ModuleNotFoundError(f"There is no package {package!r}.", name=package)


def dump_odd_keys() -> None:
    """Patch mmengine's Config so that it dumps keys with quotes or backslashes correctly.

    mmengine 0.10.7 writes such keys between quotes without escaping them. The Runner then fails, or
    its config file has other keys. Configs without such keys are dumped as before. A second call
    does nothing.
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
    """Switch the open log files of a logger to UTF-8, in place.

    mmengine opens them in the encoding of the locale.
    """
    for handler in logger.handlers:
        if isinstance(handler, logging.FileHandler) and isinstance(handler.stream, TextIOWrapper):
            handler.stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def start_method() -> str:
    """Return the start method of worker processes: "fork" on Linux, "spawn" elsewhere.

    A method that the process has set already is kept. mmengine would fork on macOS too, where a
    forked process that uses system libraries may crash; Python's own default there is "spawn".
    """
    chosen = multiprocessing.get_start_method(allow_none=True)
    return chosen or ("fork" if sys.platform == "linux" else "spawn")


@contextlib.contextmanager
def process_group(launcher: str) -> Iterator[None]:
    """Initialise the distributed process group of a launcher, and destroy it when the block ends.

    mmengine's own initialisation always calls `torch.cuda.set_device`, which fails on a CPU-only
    machine. It never destroys the group, so that gloo aborts at exit. The backend is nccl with a
    GPU, else gloo.

    Args:
        launcher: pytorch (torchrun), slurm (srun) or mpi (mpirun); "none" initialises nothing.

    Raises:
        UserError: the launcher is unknown, its environment variables are missing, or another
            process failed.
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
        with _sharing_failures(dist.PrefixStore("failure", store), rank):
            yield
    finally:
        gc.collect()  # DDP objects stand in reference cycles and keep gloo's threads running
        dist.destroy_process_group()


@contextlib.contextmanager
def _sharing_failures(store: dist.Store, rank: int) -> Iterator[None]:
    """Tell the other processes why the block fails here; report their error if they failed first.

    When a process ends, the communication of the others fails with a RuntimeError that does not
    name the cause. Only a RuntimeError is replaced by the cause of another process. Every other
    error is stored for the others and raised unchanged.
    """
    try:
        yield
    except Exception as error:
        cause = _cause_elsewhere(store, error) if isinstance(error, RuntimeError) else None
        if cause is not None:
            raise UserError(cause) from error
        with contextlib.suppress(RuntimeError):  # the process that holds the store may have ended
            store.set("cause", f"Process {rank} failed: {type(error).__name__}: {error}")
            if rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
                time.sleep(SECONDS_TO_READ)  # the store ends with this process
        raise


def _cause_elsewhere(store: dist.Store, error: RuntimeError) -> str | None:
    """Return a message about another process that failed first, or None if nothing points to one.

    If a process has stored its error in `store`, that text is returned, whatever `error` is. Else,
    if `error` says that another process closed the connection, the text says that the process
    ended without an error message.
    """
    with contextlib.suppress(RuntimeError):
        if store.check(["cause"]):
            return store.get("cause").decode()
    if "by peer" in str(error):  # gloo's "Connection closed by peer"
        return f"Another process ended without an error message, killed or out of memory: {error}"
    return None


def _export_ranks(launcher: str) -> None:
    """Set RANK, WORLD_SIZE and LOCAL_RANK from the launcher's own variables.

    MASTER_ADDR and MASTER_PORT get the values of a single machine if they are not set.
    """
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    launchers_names = {
        "pytorch": names,
        "slurm": ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"),
        "mpi": ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),
    }[launcher]
    missing = [name for name in launchers_names if name not in os.environ]
    if missing:
        raise UserError(
            f"--launcher {launcher} needs the environment variable {missing[0]}, which "
            "torchrun, srun or mpirun sets: start the command through it."
        )
    for name, launchers_name in zip(names, launchers_names, strict=True):
        os.environ[name] = os.environ[launchers_name]
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    os.environ.setdefault("MASTER_PORT", "29500")


def silence_third_parties() -> None:
    """Hide warnings of other libraries that a user cannot act on, from now on in this process."""
    third = "mmengine mmcv lpips torchvision cleanfid tensorboard torch._dynamo torch._inductor"
    for module in third.split():
        warnings.filterwarnings("ignore", module=rf"{module}.*")
    # The data loaders pin memory for GPUs; on the CPU torch warns about it at every epoch.
    warnings.filterwarnings("ignore", message=".*pin_memory.*")
