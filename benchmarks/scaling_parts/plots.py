"""Plots of curves: double logarithmic, with the fitted line and its exponent."""

import io

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

COLOURS = ("#1f5fa8", "#c1571c", "#2f8f4e", "#7a4fa3")


def drawn(curves):
    """A PNG with the panels of the curves side by side."""
    panels = {}
    for curve in curves:
        panels.setdefault(curve.panel, []).append(curve)
    columns = len(panels) if len(panels) <= 3 else 2 if len(panels) == 4 else 3
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(4.5 * columns, 3.9 * rows), dpi=90, layout="constrained")
    for number, (title, own) in enumerate(panels.items(), start=1):
        draw(figure.add_subplot(rows, columns, number), title, own)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def draw(axes, title, curves):
    """One panel."""
    axes.set_xscale("log")
    axes.set_yscale("log")
    for curve, colour in zip(curves, COLOURS, strict=False):
        draw_curve(axes, curve, colour)
    axes.set_title(title, fontsize=11)
    axes.set_xlabel(curves[0].size, fontsize=10)
    axes.set_ylabel(curves[0].cost, fontsize=10)
    ticks = {size: label for curve in curves for size, label in curve.sizes.items()}
    axes.set_xticks(list(ticks), list(ticks.values()))
    axes.xaxis.set_minor_locator(NullLocator())
    if max(map(len, ticks.values())) > 5:
        axes.tick_params(axis="x", rotation=30)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.tick_params(labelsize=9)
    axes.grid(alpha=0.3)
    make_room(axes, curves)
    axes.legend(fontsize=8.5, loc="upper left").set_in_layout(False)


def draw_curve(axes, curve, colour):
    """Medians with the least and the greatest round, and the line through them."""
    sizes, costs = np.array(list(curve.sizes)), np.array(curve.rounds)
    if curve.origin == "computed":
        axes.plot(sizes, curve.costs, "--", marker=".", color=colour, label=curve.name)
        return
    reach = np.abs(np.stack([costs.min(0), costs.max(0)]) - curve.costs)
    slope, height = curve.line
    axes.errorbar(sizes, curve.costs, reach, fmt="o", markersize=4.5, capsize=2.5, color=colour)
    axes.plot(sizes, np.exp(height) * sizes**slope, "-", lw=1.3, color=colour, label=legend(curve))


def legend(curve):
    """Name, exponent with its interval, and the verdict."""
    low, high = curve.exponents
    lines = [curve.name, f"exponent {curve.exponent:.2f}"]
    if len(curve.rounds) > 1:
        lines[-1] += f" ({low:.2f} to {high:.2f})"
    if curve.bar is not None:
        power = "linear" if curve.bar.power else "flat"
        lines.append(f"×{curve.growth:.2f} of {power}, at most {curve.bar.most:g}: {curve.verdict}")
    return "\n".join(lines)


def make_room(axes, curves):
    """At least a decade high, with the legend above the lines."""
    costs = np.concatenate([np.ravel(curve.rounds) for curve in curves])
    low, high = costs.min(), costs.max()
    decades = max(np.log10(high / low), 0.6)
    axes.set_ylim(low / 10 ** (0.08 * decades), low * 10 ** (decades * (1.2 + 0.3 * len(curves))))
