"""Run the missing cells of an ablation grid, show the state of all cells, or write a report.

grid run GRID [--executor local --executor-options slots=2]    run the missing cells
grid run GRID --dry-run [--time-steps 5]    list the cells and estimate their time
grid status GRID                            show the state of all cells
grid report GRID                            write the report
"""

import argparse
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from i2ibench.cli.arguments import (
    Overrides,
    add_device_argument,
    add_options_argument,
)
from i2ibench.errors import UserError
from i2ibench.grids.cell import read_state, run_cell
from i2ibench.grids.costs import cost_lines
from i2ibench.grids.grid_definition import Grid, load_grid
from i2ibench.grids.report import report_grid
from i2ibench.io.devices import checked_device
from i2ibench.io.progress import say
from i2ibench.registry import EXECUTORS, options_of
from i2ibench.registry.assignments import resolve_options
from i2ibench.registry.mmengine_workarounds import silence_third_parties
from i2ibench.training.hooks.preemption import EXIT_CODE, Preempted

WATCH_SECONDS = 2.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command `grid` to its parser, in place."""
    parser.add_argument(
        "action",
        choices=("run", "status", "report", "cell"),
        help="see above; cell runs --cell",
    )
    parser.add_argument("grid", type=Path, help="a grid file, such as configs/grids/x.py")
    parser.add_argument(
        "--executor", default="local", help="local (the default), debug, slurm or a plugin's"
    )
    parser.add_argument(
        "--executor-options", nargs="+", action=Overrides, default={}, metavar="KEY=VALUE",
        help="options of the executor, such as slots=2 threads=1; for slurm, such as "
        "partition=gpu minutes=600",
    )  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="list the cells and stop")
    parser.add_argument(
        "--time-steps", type=int, metavar="N",
        help="with --dry-run: train N steps of every kind of cell and estimate the time of all",
    )  # fmt: skip
    parser.add_argument("--cell", metavar="NAME", help="the cell that `grid cell` runs")
    add_options_argument(parser)
    add_device_argument(parser)


def run(options: argparse.Namespace) -> None:
    """Run the action: run the cells of a grid, show or report their states, or run a single cell.

    If a signal stops the single cell, the program ends with the exit code 75.

    Raises:
        UserError: the grid or an argument is wrong, or a cell failed.
    """
    silence_third_parties()
    grid = load_grid(options.grid, options.cfg_options)
    if options.action == "status":
        Console(soft_wrap=True).print(status_table(grid))
    elif options.action == "report":
        print(f"report: {report_grid(grid, checked_device(options.device))}")
    elif options.action == "cell":
        if options.cell is None:
            raise UserError("grid cell needs --cell NAME.")
        try:
            run_cell(grid, grid.cell(options.cell))
        except Preempted:
            sys.exit(EXIT_CODE)  # the state is saved, and the same command continues
    else:
        _run(grid, options)


def _run(grid: Grid, options: argparse.Namespace) -> None:
    """Run the cells of the grid that wait or have failed, and print the state of all cells.

    Cells that run in another process or are done are left out. With --dry-run, nothing is run, and
    the cells with their estimated times are printed.
    """
    if options.time_steps is not None and not (options.dry_run and options.time_steps > 0):
        raise UserError("--time-steps must be a positive number and needs --dry-run.")
    if options.dry_run:
        print("\n".join(cost_lines(grid, options.time_steps)))
        return
    parameters = options_of(EXECUTORS.find(options.executor))
    given = resolve_options(options.executor_options, parameters)
    executor = EXECUTORS.build({"type": options.executor, **given})
    missing = [c for c in grid.cells if read_state(c.folder, c.hash).state in ("waiting", "failed")]
    changes = [f"{key}={value}" for key, value in options.cfg_options.items()]
    arguments = [str(options.grid), *(["--cfg-options", *changes] if changes else [])]
    executor.run(grid, missing, arguments, _StatePrinter(grid))
    Console(soft_wrap=True).print(status_table(grid))
    failed = [c.name for c in missing if read_state(c.folder, c.hash).state == "failed"]
    if failed:
        raise UserError(f"{len(failed)} cells failed: {', '.join(failed[:5])}.")


class _StatePrinter:
    """A function that prints the cells whose state has changed since its last call."""

    def __init__(self, grid: Grid) -> None:
        self.grid, self.next = grid, 0.0
        self.known = {cell.name: read_state(cell.folder, cell.hash).state for cell in grid.cells}

    def __call__(self) -> None:
        if time.monotonic() < self.next:
            return
        self.next = time.monotonic() + WATCH_SECONDS
        for cell in self.grid.cells:
            state = read_state(cell.folder, cell.hash).state
            if state != self.known[cell.name]:
                self.known[cell.name] = state
                done = list(self.known.values()).count("done")
                say(f"{cell.name}: {state}  ({done} of {len(self.known)} done)")


def status_table(grid: Grid) -> Table:
    """Return a table of all cells of a grid with state, attempts, minutes and error.

    Only the first 80 characters of an error are shown.
    """
    table = Table("cell", "state", "attempts", "minutes", "error", title=str(grid.root))
    for cell in grid.cells:
        state = read_state(cell.folder, cell.hash)
        minutes = f"{state.seconds / 60:.1f}"
        error = escape(state.error[:80])
        table.add_row(escape(cell.name), state.state, str(state.attempts), minutes, error)
    return table
