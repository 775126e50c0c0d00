"""Live bytes: the memory of tensors, counted operator by operator, with contents or without."""

import weakref
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import is_fake
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

__all__ = ["TensorMemoryCounter", "bytes_of", "is_fake", "peak_of"]


class TensorMemoryCounter(TorchDispatchMode):
    """The bytes of storages that were made within it and still live, and their peak.

    Deterministic: every storage that an operator gives counts from its birth to its end. Scratch
    space within operators and an allocator's losses are not seen.

    Attributes:
        now: bytes alive.
        peak: the most there were since the beginning or since `restart`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._count = self._peak_count = 0  # births, and how many there had been at the peak
        self._number: Any = weakref.WeakKeyDictionary()  # of each storage's birth

    def restart(self) -> None:
        """Forget the peak; what lives goes on counting."""
        self.peak, self._peak_count = self.now, self._count

    def at_peak(self, tensors: Iterable[Tensor]) -> int:
        """The bytes of those of the tensors, all alive, that were there at the peak."""
        known = (s for s in set(_storages(list(tensors))) if s in self._number)
        return sum(s.nbytes() for s in known if self._number[s] <= self._peak_count)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operator, then see which storages are new."""
        result = func(*args, **(kwargs or {}))
        before = {id(s) for s in _storages((args, kwargs))}
        for storage in _storages(result):
            if id(storage) not in before and storage not in self._number:
                self._born(storage)
        return result

    def _born(self, storage: torch.UntypedStorage) -> None:
        size = storage.nbytes()
        self._count += 1
        self._number[storage] = self._count
        self.now += size
        if self.now > self.peak:
            self.peak, self._peak_count = self.now, self._count
        weakref.finalize(storage, self._gone, size)

    def _gone(self, size: int) -> None:
        self.now -= size


def peak_of(function: Callable[[], Any]) -> int:
    """The most bytes that lived at once of what `function` made."""
    with TensorMemoryCounter() as counter:
        function()
    return counter.peak


def bytes_of(tensors: Iterable[Tensor]) -> int:
    """The bytes that tensors take, those that share memory counted once."""
    return sum(storage.nbytes() for storage in set(_storages(list(tensors))))


def _storages(tree: Any) -> list[torch.UntypedStorage]:
    return [x.untyped_storage() for x in tree_leaves(tree) if isinstance(x, Tensor)]
