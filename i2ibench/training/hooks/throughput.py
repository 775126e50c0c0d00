"""The pace of training: how long a step takes, and which share of it waits for data."""

import os
import time
from typing import Protocol

from i2ibench.registry.contracts import Dataset

MUCH = 0.2
"""The share of waiting from which something can be won by reading sooner."""


class Loader(Protocol):
    """What is asked of a loader."""

    waited: float
    num_workers: int
    dataset: Dataset


class Pace:
    """Steps, their seconds and the seconds among them that a loader let wait.

    The clock stands still until `go` and after `stop`; nothing here waits for a device.

    Args:
        loader: of the batches.
    """

    def __init__(self, loader: Loader) -> None:
        self.loader = loader
        self.steps, self._seconds, self._waited = 0, 0.0, 0.0
        self._since: tuple[float, float] | None = None

    def go(self) -> None:
        """Let the clock run from now on."""
        self._since = time.perf_counter(), self.loader.waited

    def stop(self) -> None:
        """Stop the clock, for what is no training; it may stand still already."""
        if self._since is not None:
            self._seconds += time.perf_counter() - self._since[0]
            self._waited += self.loader.waited - self._since[1]
            self._since = None

    def take(self) -> tuple[float, float]:
        """Seconds per step and the share of waiting, 0..1, since the last time; begins anew."""
        self.stop()
        seconds, share = self._seconds / max(self.steps, 1), self._waited / max(self._seconds, 1e-9)
        self.steps, self._seconds, self._waited = 0, 0.0, 0.0
        self.go()
        return seconds, share


def advice(loader: Loader, share: float) -> str:
    """Return advice for a large share of waiting for data; "" where there is none."""
    cores = os.cpu_count() or 1
    ways = []
    if not loader.dataset.scenes.is_cached:
        ways.append("cache=True")
    if loader.num_workers < cores - 1:
        ways.append(f"num_workers={min(cores, 8)} (now {loader.num_workers})")
    if share < MUCH or not ways:
        return ""
    return (
        f"{share:.0%} of a training step is spent waiting for data. "
        f"In train_dataloader: {' or '.join(ways)}."
    )
