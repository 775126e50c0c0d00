"""Ranks and collectives of torch.distributed that also work without a process group."""

from typing import Any

import torch.distributed as dist


def is_distributed() -> bool:
    """Return whether torch.distributed is initialised with more than one process."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def get_rank() -> int:
    """Return the rank of this process in torch.distributed, from 0; 0 without several processes."""
    return dist.get_rank() if is_distributed() else 0


def get_world_size() -> int:
    """Return the number of processes in torch.distributed; 1 without a process group."""
    return dist.get_world_size() if is_distributed() else 1


def is_main_process() -> bool:
    """Return whether this process has rank 0, the only rank that writes files."""
    return get_rank() == 0


def barrier() -> None:
    """Wait until every process calls this; return at once without a process group."""
    if is_distributed():
        dist.barrier()


def broadcast_object_list(objects: list[Any]) -> None:
    """Replace the objects in every process's list by those of rank 0, in place.

    The lists have the same length in all processes. Nothing happens without several processes.

    Args:
        objects: the list; rank 0's objects must be picklable.
    """
    if is_distributed():
        dist.broadcast_object_list(objects, src=0)
