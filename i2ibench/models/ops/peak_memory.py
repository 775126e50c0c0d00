"""Counting the memory of tensors operator by operator; works with fake tensors, too."""

import weakref
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import is_fake
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

__all__ = ["TensorMemoryCounter", "bytes_of", "has_values", "is_fake", "peak_of"]


def has_values(tensor: Tensor) -> bool:
    """Return whether a tensor has values: a fake tensor and one on the meta device have none."""
    return not (tensor.is_meta or is_fake(tensor))


class TensorMemoryCounter(TorchDispatchMode):
    """A context that counts the bytes of storages allocated in it, and their peak.

    The count is deterministic: each storage that an operator returns counts from its allocation
    until it is freed. Temporary buffers inside operators and losses of the allocator are not seen.

    Attributes:
        now: bytes that are allocated now.
        peak: the maximum of `now` since the start or since `restart`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._count = self._peak_count = 0  # allocations, and allocations at the peak
        self._number: Any = weakref.WeakKeyDictionary()  # of each storage's allocation

    def restart(self) -> None:
        """Reset the counter's peak to the bytes that are allocated now."""
        self.peak, self._peak_count = self.now, self._count

    def at_peak(self, tensors: Iterable[Tensor]) -> int:
        """Return the bytes of those of the given tensors that existed when `now` was largest.

        Tensors that were allocated outside of this context are left out. Shared memory counts once.

        Args:
            tensors: tensors that are all still alive.
        """
        known = (s for s in set(_storages(list(tensors))) if s in self._number)
        return sum(s.nbytes() for s in known if self._number[s] <= self._peak_count)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run a torch operator and count the storages that it allocates; torch calls this."""
        result = func(*args, **(kwargs or {}))
        before = {id(s) for s in _storages((args, kwargs))}
        for storage in _storages(result):
            if id(storage) not in before and storage not in self._number:
                self._add(storage)
        return result

    def _add(self, storage: torch.UntypedStorage) -> None:
        size = storage.nbytes()
        self._count += 1
        self._number[storage] = self._count
        self.now += size
        if self.now > self.peak:
            self.peak, self._peak_count = self.now, self._count
        weakref.finalize(storage, self._remove, size)

    def _remove(self, size: int) -> None:
        self.now -= size


def peak_of(function: Callable[[], Any]) -> int:
    """Call `function` and return the largest number of bytes of tensors that it has held at once.

    Tensors that existed before the call do not count.
    """
    with TensorMemoryCounter() as counter:
        function()
    return counter.peak


def bytes_of(tensors: Iterable[Tensor]) -> int:
    """Return the bytes of the memory behind tensors; memory that several of them share counts once.

    The memory behind a view is that of the whole tensor.
    """
    return sum(storage.nbytes() for storage in set(_storages(list(tensors))))


def _storages(tree: Any) -> list[torch.UntypedStorage]:
    return [x.untyped_storage() for x in tree_leaves(tree) if isinstance(x, Tensor)]
