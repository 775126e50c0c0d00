"""Executors, which run the cells of a grid."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from i2ibench.errors import UserError
from i2ibench.grids.cell import run_cell
from i2ibench.grids.grid_definition import Cell, Grid
from i2ibench.io.progress import say
from i2ibench.registry import EXECUTORS
from i2ibench.registry.contracts import Executor

Watch = Callable[[], None]


@EXECUTORS.register_module(name="debug")
class DebugExecutor(Executor):
    """An executor that runs cells one after the other in this process until the first error."""

    def run(
        self, grid: Grid, cells: Sequence[Cell], arguments: Sequence[str], watch: Watch
    ) -> None:
        """Train the given runs (cells) of a grid one after the other in this process.

        The first error ends this method.

        Args:
            grid: the grid of the cells.
            cells: the cells to run.
            arguments: the command-line arguments for other processes; not used here.
            watch: a function that is called after each cell to show the progress.

        Raises:
            UserError: a cell is running elsewhere, or its config or data cannot be used. Other
                errors of the training are raised too.
        """
        for cell in cells:
            run_cell(grid, cell)
            watch()


@EXECUTORS.register_module(name="local")
class LocalExecutor(Executor):
    """An executor that runs cells in processes on this machine, each with its own GPU if possible.

    The output of a cell goes to `log.txt` in its folder. A cell that fails does not stop others.

    Args:
        slots: the number of cells at once; None for one per GPU, or one without a GPU.
        threads: the CPU threads of each cell; None divides the cores among the slots.
    """

    def __init__(self, slots: int | None = None, threads: int | None = None) -> None:
        gpus = _visible_gpus()
        self.slots = slots or max(len(gpus), 1)
        self.gpus = gpus
        self.threads = threads or max((os.cpu_count() or 1) // self.slots, 1)

    def run(
        self, grid: Grid, cells: Sequence[Cell], arguments: Sequence[str], watch: Watch
    ) -> None:
        """Train the given runs (cells) of a grid in new processes, `slots` of them at once.

        Return when all have ended. A failed run is reported in one line and raises no error. If
        this method is interrupted, the running processes are terminated.

        Args:
            grid: the grid; not used here.
            cells: the cells to run.
            arguments: the command-line arguments that name the grid, for the new processes.
            watch: a function that is called twice a second to show the progress.
        """
        waiting = list(cells)
        running: dict[int, tuple[Cell, Any]] = {}
        try:
            while waiting or running:
                for slot in set(range(self.slots)) - running.keys():
                    if waiting:
                        cell = waiting.pop(0)
                        running[slot] = (cell, self._start(cell, slot, arguments))
                time.sleep(0.5)
                watch()
                for slot, (cell, process) in list(running.items()):
                    if process.poll() is not None:
                        del running[slot]
                        if process.returncode:
                            say(f"{cell.name} failed: see {cell.folder / 'log.txt'}")
        finally:
            for _, process in running.values():
                process.terminate()

    def _start(self, cell: Cell, slot: int, arguments: Sequence[str]) -> Any:
        environment = {**os.environ, "OMP_NUM_THREADS": str(self.threads)}
        environment["PYTHONIOENCODING"] = "utf-8"  # the encoding of log.txt
        if self.gpus:
            environment["CUDA_VISIBLE_DEVICES"] = self.gpus[slot % len(self.gpus)]
        cell.folder.mkdir(parents=True, exist_ok=True)
        command = cell_command(arguments, cell.name)
        with (cell.folder / "log.txt").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, env=environment)


@EXECUTORS.register_module(name="slurm")
class SlurmExecutor(Executor):
    """An executor that submits cells as a Slurm job array through submitit.

    A pre-empted job is queued again and continues its training.

    Args:
        partition: the Slurm partition; None for the default.
        minutes: the time limit of a cell in minutes.
        gpus: the GPUs of a cell.
        cpus: the CPUs of a cell.
        memory_gb: the memory of a cell in GB; None for the default.
        at_once: the largest number of cells at once.
    """

    def __init__(
        self,
        partition: str | None = None,
        minutes: int = 24 * 60,
        gpus: int = 1,
        cpus: int = 4,
        memory_gb: int | None = None,
        at_once: int = 64,
    ) -> None:
        self.options: dict[str, Any] = {
            "timeout_min": minutes, "gpus_per_node": gpus or None, "cpus_per_task": cpus,
            "slurm_array_parallelism": at_once, "name": "i2ibench",
            "slurm_partition": partition, "mem_gb": memory_gb,
        }  # fmt: skip

    def run(
        self, grid: Grid, cells: Sequence[Cell], arguments: Sequence[str], watch: Watch
    ) -> None:
        """Submit the given runs (cells) of a grid to Slurm and return without waiting for them.

        `i2ibench grid status` shows their states.

        Args:
            grid: the grid; Slurm's logs go to the folder `slurm` of its root.
            cells: the cells to run.
            arguments: the command-line arguments that name the grid, for the jobs.
            watch: not used here.

        Raises:
            UserError: submitit is not installed.
        """
        try:
            import submitit
        except ImportError:
            raise UserError('Slurm needs submitit: pip install "i2ibench[slurm]".') from None
        executor = submitit.AutoExecutor(folder=grid.root / "slurm", cluster="slurm")
        known = {key: value for key, value in self.options.items() if value is not None}
        executor.update_parameters(**known)
        jobs = executor.map_array(SlurmCell(list(arguments)), [cell.name for cell in cells])
        say(f"{len(jobs)} jobs: {', '.join(job.job_id for job in jobs)}")


class SlurmCell:
    """A Slurm job that runs a cell; submitit queues the job again when it is pre-empted."""

    def __init__(self, arguments: list[str]) -> None:
        self.arguments = arguments

    def __call__(self, name: str) -> None:
        """Train the grid's run with this name in a new process and wait for its end.

        Raises:
            RuntimeError: the run failed; the log has the reason.
        """
        command = cell_command(self.arguments, name)
        if code := subprocess.run(command, check=False).returncode:
            raise RuntimeError(f"{name} ended with exit code {code}.")

    def checkpoint(self, name: str) -> Any:
        """Return the job for submitit to queue again, with the name of the grid's run.

        The training continues from its checkpoints.
        """
        import submitit

        return submitit.helpers.DelayedSubmission(self, name)


def cell_command(arguments: Sequence[str], name: str) -> list[str]:
    """Return the command line that trains the grid's run `name` in a new process.

    Args:
        arguments: the command-line arguments that name the grid.
        name: the name of the run (cell).
    """
    return [sys.executable, "-m", "i2ibench.cli", "grid", "cell", *arguments, "--cell", name]


def _visible_gpus() -> list[str]:
    """Return this process' GPUs as in CUDA_VISIBLE_DEVICES, such as ["0", "1"]; or []."""
    import torch

    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    count = torch.cuda.device_count()
    return named.split(",")[:count] if named else [str(i) for i in range(count)]
