"""The order in which a data set is read, the same for any number of workers."""

from collections.abc import Iterator

import numpy as np
import torch
from torch.utils.data import Sampler

from i2ibench.registry.contracts import Dataset


class EpochSampler(Sampler):
    """Keys (index, epoch) of this process's share of the data set, in this epoch's order.

    The order and, through the epoch in the key, every random transform depend on seed and epoch
    alone; the Runner calls `set_epoch`. With several processes the shares have equal length: the
    order is continued from its beginning where it does not divide.

    Args:
        dataset: what is read.
        shuffle: a new order each epoch, or the data set's own.
        seed: of the order.
        rank, world_size: which share of how many.
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
        """The keys of this epoch that are still to be read."""
        size = len(self.dataset)
        seed = int(np.random.SeedSequence((self.seed, self.epoch)).generate_state(1)[0])
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(size, generator=generator) if self.shuffle else torch.arange(size)
        positions = torch.arange(self.rank, len(self) * self.world_size, self.world_size) % size
        return iter([(index, self.epoch) for index in order[positions].tolist()][self.start :])

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the next iteration."""
        self.epoch = epoch

    def start_at(self, epoch: int, scenes: int) -> None:
        """Leave out the first scenes of one epoch, which all processes together have read before.

        The number of processes may have changed since: the order has not.
        """
        self._started = (epoch, scenes)

    @property
    def start(self) -> int:
        """Return how many scenes this process skips in this epoch: a resumed run had them."""
        epoch, scenes = self._started
        return scenes // self.world_size if epoch == self.epoch else 0
