"""Random states: seed, save and restore the random number generators of every process."""

import random
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

from i2ibench.io.process_group import get_rank, get_world_size


def seed_everything(seed: int) -> None:
    """Seed the random number generators of Python, NumPy and torch (CPU and GPUs).

    NumPy gets the seed modulo 2^32.
    """
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def random_state() -> dict[str, Any]:
    """Return the states of this process's generators: Python, NumPy, and torch (CPU and GPU).

    Of several GPUs, the current one counts. The states are tensors and plain values, which
    `torch.load` accepts with `weights_only=True`.
    """
    version, words, gauss = random.getstate()
    name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    assert isinstance(keys, np.ndarray)
    state: dict[str, Any] = {
        "torch": torch.get_rng_state(),
        "python": [version, list(words), gauss],
        "numpy": [name, torch.from_numpy(keys.astype(np.int64)), position, has_gauss, cached],
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    if torch.backends.mps.is_available():
        state["mps"] = torch.mps.get_rng_state()
    return state


def restore_random_state(state: dict[str, Any]) -> None:
    """Set this process's generators to a state from `random_state`.

    The state of an accelerator that this machine lacks is ignored.
    """
    torch.set_rng_state(state["torch"].cpu())
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words), gauss))
    name, keys, position, has_gauss, cached = state["numpy"]
    words = keys.cpu().numpy().astype(np.uint32)
    np.random.set_state((name, words, position, has_gauss, cached))
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"].cpu())
    if "mps" in state and torch.backends.mps.is_available():
        torch.mps.set_rng_state(state["mps"].cpu())


def gather_random_states() -> list[dict[str, Any]]:
    """Return the random states of all processes, a list by rank.

    Every process must call this function, and gets the same list.
    """
    states: list[Any] = [None] * get_world_size()
    if len(states) == 1:
        return [random_state()]
    dist.all_gather_object(states, random_state())
    return states


def restore_own(checkpoint: dict[str, Any]) -> None:
    """Set this process's generators to their state in a checkpoint.

    If the checkpoint was written by fewer processes, additional processes keep their state.

    Args:
        checkpoint: the contents of the file. `random_state` belongs to the process of rank 0, the
            list `other_random_states` to the others.
    """
    states = [checkpoint["random_state"], *checkpoint.get("other_random_states", [])]
    if get_rank() < len(states):
        restore_random_state(states[get_rank()])
