"""Sampler whose order depends on seed and epoch only, for any number of workers."""

from collections.abc import Iterator

import numpy as np
import torch
from torch.utils.data import Sampler

from i2ibench.registry.contracts import Dataset


class EpochSampler(Sampler):
    """A sampler of keys (index, epoch) for this process's share of a data set.

    The order depends on seed and epoch only, as do random transforms, through the epoch in the key.
    The Runner calls `set_epoch`. With several processes the shares have equal length: if the length
    of the data set is not divisible, the first scenes of the order are repeated at its end.

    Args:
        dataset: the data set.
        shuffle: draw a new order each epoch; False keeps the order of the data set.
        seed: the seed of the order.
        rank, world_size: the number of this process from 0, and the number of processes.
    """

    def __init__(
        self,
        dataset: Dataset,
        shuffle: bool,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.dataset, self.shuffle, self.seed = dataset, shuffle, seed
        self.rank, self.world_size = rank, world_size
        self.epoch = 0
        self._started = (0, 0)

    def __len__(self) -> int:
        return -(-len(self.dataset) // self.world_size)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Return an iterator over this process's keys (index, epoch) of the current epoch.

        Keys that `start_at` skips are left out.
        """
        size = len(self.dataset)
        seed = int(np.random.SeedSequence((self.seed, self.epoch)).generate_state(1)[0])
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(size, generator=generator) if self.shuffle else torch.arange(size)
        positions = torch.arange(self.rank, len(self) * self.world_size, self.world_size) % size
        return iter([(index, self.epoch) for index in order[positions].tolist()][self.start :])

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, which determines the order and random transforms of the next iteration."""
        self.epoch = epoch

    def start_at(self, epoch: int, scenes: int) -> None:
        """Skip scenes that a resumed run has already read in one epoch; others are read whole.

        Args:
            epoch: the interrupted epoch.
            scenes: the number of scenes that all processes together have read. The number of
                processes may have changed since then, because the order does not depend on it.
        """
        self._started = (epoch, scenes)

    @property
    def start(self) -> int:
        """Return how many scenes this process skips in the current epoch, see `start_at`."""
        epoch, scenes = self._started
        return scenes // self.world_size if epoch == self.epoch else 0
