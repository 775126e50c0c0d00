"""The report of a grid: one evaluation of all finished cells, averaged over seeds."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from i2ibench.errors import UserError
from i2ibench.evaluation.evaluate import WRITTEN, evaluate
from i2ibench.evaluation.protocol_scenes import prepare_scenes
from i2ibench.evaluation.protocols.protocol import build_protocol
from i2ibench.evaluation.system_sources import SystemSource
from i2ibench.grids.cell import checkpoint_of, read_state
from i2ibench.grids.grid_definition import Cell, Grid
from i2ibench.registry.configuration import own_work_dir
from i2ibench.reports.grid_page import GridRow, write_grid_report
from i2ibench.reports.page import write_report

SAMPLED, INFORMED = ", styles sampled", ", styles from the photo"


def report_grid(grid: Grid, device: str) -> Path:
    """Evaluate the finished runs (cells) of a grid, write the report and return its path.

    The evaluation goes to `evaluation/` in the folder of the grid. Unfinished runs are listed in
    the report with their states.

    Args:
        grid: the grid.
        device: the device that computes networks.

    Raises:
        UserError: no run is finished, the runs do not all name one protocol, or a checkpoint or the
            data cannot be used.
    """
    states = {cell.name: read_state(cell.folder, cell.hash) for cell in grid.cells}
    done = [cell for cell in grid.cells if states[cell.name].state == "done"]
    if not done:
        raise UserError(
            f"No cell of {grid.path} is finished; start with: i2ibench grid run "
            f"{shlex.quote(str(grid.path))}"
        )
    output = grid.root / "evaluation"
    config = done[0].config
    named = [dict(cell.config.get("protocol") or {}) for cell in done]
    if any(protocol != named[0] for protocol in named) or not named[0]:
        raise UserError(f"The cells of {grid.path} do not all name one protocol.")
    sources = [SystemSource(cell.name, checkpoint_of(cell)) for cell in done]
    protocol = build_protocol(config.protocol.to_dict())
    prepare_scenes(protocol, config, None)
    with own_work_dir(output, "reporting", "report later", WRITTEN):
        results = evaluate(protocol, sources, output, config, device=device)
        write_report(output, results)
    missing = {
        name: f"{state.state}{': ' + state.error if state.error else ''}"
        for name, state in states.items()
        if state.state != "done"
    }
    rows = grid_rows(done, results, {c.name: states[c.name].facts for c in done})
    return write_grid_report(grid.root, grid.path.stem, rows, results, missing)


def grid_rows(cells: Sequence[Cell], results: Any, costs: Any) -> list[GridRow]:
    """Return the rows of the report: one for the runs that differ only in their seed.

    Runs with an encoder give two rows, with sampled styles and with styles from the real image.

    Args:
        cells: the finished runs of the grid.
        results: the results of their evaluation.
        costs: the measurements of each run by name; a row has those of its first seed.
    """
    rows = []
    for name in dict.fromkeys(cell.row for cell in cells):
        own = [cell for cell in cells if cell.row == name]
        for mode in ("", SAMPLED, INFORMED):
            systems = [cell.name + mode for cell in own if cell.name + mode in results["systems"]]
            if systems:
                row = GridRow(
                    f"{name}{mode if mode == INFORMED else ''}", systems, own[0].values,
                    costs[own[0].name], informed=mode == INFORMED,
                )  # fmt: skip
                rows.append(row)
    return rows
