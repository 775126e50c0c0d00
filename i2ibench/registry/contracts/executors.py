"""The contract of executors, which run the cells of a grid."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any


class Executor(ABC):
    """A way to run the cells of a grid: in this process, in others, on a cluster."""

    @abstractmethod
    def run(
        self,
        grid: Any,
        cells: Sequence[Any],
        arguments: Sequence[str],
        watch: Callable[[], None],
    ) -> None:
        """Run the cells of a grid, or submit them to a queue.

        A cell is one training run of the grid, with a config of its own.

        Args:
            grid: the `i2ibench.grids.grid_definition.Grid` of the cells.
            cells: the cells to run, `i2ibench.grids.grid_definition.Cell`.
            arguments: command-line arguments with which another process finds the same grid.
            watch: a function that prints the progress. Call it every few seconds.
        """
