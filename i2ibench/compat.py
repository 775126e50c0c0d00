"""Work-arounds for mmengine and torch, each with its reason."""

import contextlib
import os
import warnings
from collections.abc import Iterator

import torch
import torch.distributed as dist
from mmengine.runner import CheckpointLoader

from i2ibench.errors import UserError

LAUNCHERS = ("none", "pytorch", "slurm", "mpi")


def load_checkpoints_safely() -> None:
    """Make the Runner read checkpoints with `weights_only=True`, so that no pickle is executed.

    mmengine 0.10.7 leaves the choice to torch's default, 0.11 sets it to False.
    """

    @CheckpointLoader.register_scheme(prefixes="", force=True)
    def load_from_local(filename: str, map_location: str | torch.device | None) -> dict:
        return torch.load(filename, map_location=map_location, weights_only=True)


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
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


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
    for module in ("mmengine", "mmcv", "lpips", "torchvision", "cleanfid", "tensorboard"):
        warnings.filterwarnings("ignore", module=rf"{module}.*")
    # The data loaders pin memory for GPUs; on the CPU torch warns about it at every epoch.
    warnings.filterwarnings("ignore", message=".*pin_memory.*")
