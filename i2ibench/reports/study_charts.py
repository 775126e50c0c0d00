"""Charts of a study: preference rates, strengths, and preference over exposure (Fig. 7)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from i2ibench.reports.study_tables import seconds
from i2ibench.reports.training_curves import as_png

Analysis = Mapping[str, Any]

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a6f3e")
"""Colours for colour-blind readers (Okabe & Ito 2008), for light and dark pages."""

MARKERS = "osD^vP*"


@dataclass(frozen=True)
class Theme:
    """The colours of a page: `ink` for text, `soft` for the grid, `colours` for the data."""

    ink: str
    soft: str
    colours: Sequence[str] = COLOURS


LIGHT = Theme("#1c2430", "#8a93a0")
DARK = Theme("#e6e9ee", "#77808d", ("#4ba3dd", "#e8762f", "#1fb98a", *COLOURS[3:]))


def preference_chart(analysis: Analysis, theme: Theme = LIGHT) -> bytes:
    """Draw the rate of every pair of methods with its interval; return a PNG.

    Return b"" for a study with limited time, or if no pair has a rate. Pairs whose interval
    includes 50 % or is unknown are grey.
    """
    rows = [r for r in analysis["comparisons"] if r["duration"] is None and r["rate"] is not None]
    if not rows:
        return b""
    figure, axes = _figure(theme, 8.2, 0.42 * len(rows) + 0.95)
    for place, row in enumerate(rows):
        sign = row["rate"] < 0.5  # the table's colours
        colour = theme.colours[sign] if _clear(row["interval"], 0.5) else theme.soft
        _whisker(axes, place, 100 * row["rate"], _times(row["interval"], 100), colour)
    axes.axvline(50, color=theme.ink, lw=0.8, ls=":")
    axes.set_yticks(range(len(rows)), [f"{r['first']} over {r['second']}" for r in rows])
    axes.set_xlim(-1.5, 101.5)
    axes.set_xlabel("% of judgments", fontsize=9, color=theme.ink)
    return _finished(figure, axes)


def strength_chart(analysis: Analysis, theme: Theme = LIGHT) -> bytes:
    """Draw the Bradley-Terry strengths of a study's methods with intervals, strongest on top.

    Return a PNG, or b"" for several exposure times or without a fit.
    """
    fits = analysis["bradley_terry"]
    if len(fits) > 1 or not fits[0]["methods"]:
        return b""
    methods = fits[0]["methods"]
    figure, axes = _figure(theme, 8.2, 0.42 * len(methods) + 0.95)
    for place, method in enumerate(methods):
        _whisker(axes, place, method["strength"], method["interval"], theme.colours[0])
    axes.axvline(0, color=theme.ink, lw=0.8, ls=":")
    axes.set_yticks(range(len(methods)), [m["method"] for m in methods])
    axes.set_xlabel("strength, log odds (mean of all methods 0)", fontsize=9, color=theme.ink)
    return _finished(figure, axes)


def exposure_chart(analysis: Analysis, theme: Theme = LIGHT) -> bytes:
    """Plot every pair's preference over exposure time, with intervals as bands.

    This is the paper's Fig. 7. Return a PNG, or b"" for a study without limited time.
    """
    lines: dict[str, list[tuple[float, float, Sequence[float] | None]]] = {}
    for row in analysis["comparisons"]:
        if row["duration"] is not None and row["rate"] is not None:
            point = (row["duration"], 100 * row["rate"], _times(row["interval"], 100))
            lines.setdefault(f"{row['first']} over {row['second']}", []).append(point)
    if not lines:
        return b""
    figure, axes = _figure(theme, 8.2, 4.2)
    _curves(axes, lines, theme)
    axes.axhline(50, color=theme.ink, lw=0.8, ls=":")
    axes.set_ylim(-2, 102)
    axes.set_ylabel("% preferring the first", fontsize=9, color=theme.ink)
    return _finished_curves(figure, axes, theme)


def strength_curves(analysis: Analysis, theme: Theme = LIGHT) -> bytes:
    """Plot the Bradley-Terry strengths of a study's methods over exposure time, with intervals.

    Return a PNG, or b"" for fewer than two fitted exposure times.
    """
    fits = [fit for fit in analysis["bradley_terry"] if fit["methods"]]
    if len(fits) < 2:
        return b""
    lines: dict[str, list[tuple[float, float, Sequence[float] | None]]] = {}
    for fit in fits:
        for method in fit["methods"]:
            point = (fit["time"], method["strength"], method["interval"])
            lines.setdefault(method["method"], []).append(point)
    figure, axes = _figure(theme, 8.2, 3.8)
    _curves(axes, lines, theme)
    axes.axhline(0, color=theme.ink, lw=0.8, ls=":")
    axes.set_ylabel("strength, log odds", fontsize=9, color=theme.ink)
    return _finished_curves(figure, axes, theme)


def _curves(
    axes: Axes,
    lines: Mapping[str, Sequence[tuple[float, float, Sequence[float] | None]]],
    theme: Theme,
) -> None:
    """Draw named lines over the logarithm of the time, with markers and interval bands."""
    for number, (name, points) in enumerate(lines.items()):
        colour = theme.colours[number % len(theme.colours)]
        marker = MARKERS[number % len(MARKERS)]
        points = sorted(points)
        x, y = [p[0] for p in points], [p[1] for p in points]
        axes.plot(x, y, color=colour, marker=marker, markersize=5, lw=1.8, label=name)
        known = [(t, b[0], b[1]) for t, _, b in points if b]
        if known:
            band = np.array(known).T
            axes.fill_between(band[0], band[1], band[2], color=colour, alpha=0.16, lw=0)
    times = sorted({p[0] for points in lines.values() for p in points})
    axes.set_xscale("log", base=2)
    axes.set_xticks(times, [seconds(t) for t in times])
    axes.minorticks_off()


def _figure(theme: Theme, width: float, height: float) -> tuple[Figure, Axes]:
    """Return a transparent figure of a size in inches, and its axes in the theme's colours."""
    figure = Figure(figsize=(width, height), dpi=130, layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.add_subplot()
    axes.patch.set_alpha(0)
    axes.tick_params(labelsize=9, colors=theme.ink, length=0)
    axes.grid(color=theme.soft, alpha=0.3)
    axes.spines[:].set_visible(False)
    return figure, axes


def _whisker(
    axes: Axes, place: int, value: float, bounds: Sequence[float] | None, colour: str
) -> None:
    if bounds:
        axes.plot(bounds, [place, place], color=colour, lw=2.4, solid_capstyle="round")
    axes.plot([value], [place], "o", color=colour, markersize=7)


def _finished(figure: Figure, axes: Axes) -> bytes:
    """Set the limits of a chart of rows so that the first row is on top, and return its PNG."""
    axes.set_ylim(len(axes.get_yticks()) - 0.4, -0.6)
    return as_png(figure)


def _finished_curves(figure: Figure, axes: Axes, theme: Theme) -> bytes:
    axes.set_xlabel("exposure", fontsize=9, color=theme.ink)
    figure.legend(loc="outside upper left", ncols=3, fontsize=9, labelcolor=theme.ink,
                  frameon=False)  # fmt: skip
    return as_png(figure)


def _clear(bounds: Sequence[float] | None, middle: float) -> bool:
    return bool(bounds) and not bounds[0] <= middle <= bounds[1]  # type: ignore[index]


def _times(bounds: Sequence[float] | None, factor: float) -> list[float] | None:
    return [factor * bound for bound in bounds] if bounds else None


CHARTS: dict[str, Callable[[Analysis, Theme], bytes]] = {
    "preferences": preference_chart, "strengths": strength_chart,
    "exposure": exposure_chart, "strength_curves": strength_curves,
}  # fmt: skip
"""The charts by their names in the template of the page."""
