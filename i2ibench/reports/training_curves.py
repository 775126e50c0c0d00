"""Plots of the logged scalars of a training run."""

import io
import json
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from i2ibench.io.run_folders import stage_folders

Series = dict[str, list[tuple[int, float]]]
"""The (iteration, value) pairs of each scalar by name."""

COLUMNS = 500
"""The largest number of pieces of a line; a panel is less than 500 pixels wide."""

PANELS = (
    ("generator losses", lambda name: name.startswith("train/") and _is_generator_loss(name)),
    ("discriminator losses", lambda name: name.startswith("train/D/")),
    ("validation", lambda name: name in ("val/seg/miou", "val/seg/pixel_acc")),
)


def read_scalars(work_dir: Path) -> Series:
    """Read the logged scalars of a run or stage; return pairs (iteration, value) by name, in order.

    All files `*/vis_data/scalars.json` in `work_dir` are read. If a resumed run logged an iteration
    again, the value of the later log is taken. Damaged lines are skipped. Return {} without logs.
    """
    values: dict[str, dict[int, float]] = {}
    for path in sorted(work_dir.glob("*/vis_data/scalars.json")):
        for record in _records(path):
            step = record.pop("step")
            for name, value in record.items():
                values.setdefault(name, {})[step] = value
    return {name: sorted(pairs.items()) for name, pairs in values.items()}


def _records(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the numbers of each valid line of a log file by name, among them the iteration "step".

    Other lines are skipped: a killed run leaves its last line unfinished, and anybody may have
    written the files beside a checkpoint. Values that are no numbers are left out.
    """
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        numbers = isinstance(record, dict) and {
            name: value for name, value in record.items() if isinstance(value, int | float)
        }
        if numbers and isinstance(numbers.get("step"), int):
            yield numbers


def run_curves(work_dir: Path) -> dict[str, bytes]:
    """Read a run's logs and return a PNG of its curves by the name of the stage's folder.

    A run without stages has the key "". Stages without logged scalars are left out.
    """
    plots = {path.name: curve_plot(read_scalars(path)) for path in stage_folders(work_dir)}
    plots = plots or {"": curve_plot(read_scalars(work_dir))}
    return {name: plot for name, plot in plots.items() if plot}


def stage_panels(work_dir: Path) -> dict[str, Path]:
    """Return the path of the last validation image of each stage by the name of the stage's folder.

    Stages without such images are left out. Return {} for a run without stages.
    """
    panels = {p.name: sorted(p.glob("pictures/epoch_*.png")) for p in stage_folders(work_dir)}
    return {name: found[-1] for name, found in panels.items() if found}


def curve_plot(series: Series) -> bytes:
    """Plot the scalars of a run in one PNG: generator losses, discriminator losses and validation.

    Validation shows mean IoU and pixel accuracy. Panels without scalars are left out. Return b"" if
    all are left out.
    """
    panels = [
        (title, {n: pairs for n, pairs in series.items() if belongs(n)})
        for title, belongs in PANELS
    ]
    panels = [(title, chosen) for title, chosen in panels if chosen]
    if not panels:
        return b""
    figure = Figure(figsize=(4.2 * len(panels), 3), dpi=110, layout="constrained")
    for number, (title, chosen) in enumerate(panels, start=1):
        _draw(figure.add_subplot(1, len(panels), number), title, chosen)
    return as_png(figure)


def as_png(figure: Figure) -> bytes:
    """Draw a figure of matplotlib and return the bytes of a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def visible(pairs: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Reduce the points of a long line to the ends, minimum and maximum of each of 500 pieces.

    The line looks the same ("M4", Jugel et al., VLDB 2014). A log of 200 epochs has more records
    than a plot has pixels, and drawing all of them takes five times as long as reading them. Values
    that are not finite are kept. Up to 2000 points are returned as they are.

    Args:
        pairs: the (iteration, value) pairs of a scalar, in order.
    """
    if len(pairs) <= 4 * COLUMNS:
        return pairs
    values = np.array([value for _, value in pairs])
    finite = np.isfinite(values)
    starts = np.linspace(0, len(pairs), COLUMNS + 1).astype(int)
    kept = {*starts[:-1], *(starts[1:] - 1), *np.flatnonzero(~finite)}
    for begin, end in pairwise(starts):
        piece, known = values[begin:end], finite[begin:end]
        kept.add(begin + int(np.where(known, piece, np.inf).argmin()))
        kept.add(begin + int(np.where(known, piece, -np.inf).argmax()))
    return [pairs[i] for i in sorted(kept)]


def _draw(axes: Axes, title: str, chosen: Mapping[str, list[tuple[int, float]]]) -> None:
    for name, pairs in chosen.items():
        steps, values = zip(*visible(pairs), strict=True)
        marker = "o" if len(pairs) < 30 else None
        axes.plot(steps, values, label=name.split("/", 1)[1], marker=marker, markersize=3)
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("iteration", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)


def _is_generator_loss(name: str) -> bool:
    return not name.startswith("train/D/") and not name.endswith(
        (".lr", ".skipped", "step_s", "data_share")
    )
