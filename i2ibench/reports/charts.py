"""Charts of results: scores by class, distances over the number of images, and styles."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from i2ibench.evaluation.image_sources import FLOOR, MISMATCH, ORACLE
from i2ibench.reports.training_curves import as_png

Results = Mapping[str, Any]

PREFIX = "seg/iou/"


def class_bars(results: Results) -> bytes:
    """Draw the IoU of every class as bars, one for each system, with intervals; return a PNG.

    The control systems "class colours" and "photos of other scenes" are not drawn. A class for
    which no drawn system has a value is left out. If only some systems lack a value, their bars
    have the height 0. Return b"" if no class is left.
    """
    systems = [name for name in results["systems"] if name not in (FLOOR, MISMATCH)]
    classes = [c for c in results["data"]["classes"] if _has(results, systems, PREFIX + c)]
    if not classes:
        return b""
    figure = Figure(figsize=(max(7.0, 0.62 * len(classes)), 3.6), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    width = 0.86 / len(systems)
    places = np.arange(len(classes))
    for number, system in enumerate(systems):
        scores = [results["systems"][system].get(PREFIX + c, {}) for c in classes]
        values = np.array([s.get("value") or 0.0 for s in scores])
        bounds = [
            np.clip([v - s.get("low", v), s.get("high", v) - v], 0, None)
            for v, s in zip(values, scores, strict=True)
        ]
        axes.bar(
            places + (number - (len(systems) - 1) / 2) * width,
            values,
            width,
            yerr=np.array(bounds).T,
            error_kw={"elinewidth": 0.7, "ecolor": "#444444"},
            label=system,
            color="#b9c0c9" if system == ORACLE else None,
        )
    axes.set_xticks(places, classes, rotation=40, ha="right", fontsize=9)
    axes.set_ylim(0, 1)
    axes.set_ylabel("IoU")
    axes.grid(axis="y", alpha=0.3)
    figure.legend(fontsize=8, ncols=3, loc="outside upper left")
    return as_png(figure)


def distance_curves(results: Results) -> bytes:
    """Plot each Fréchet distance over the number of images, one line per system; return a PNG.

    Return b"" if no score has a curve.
    """
    names = {n for scores in results["systems"].values() for n, s in scores.items() if "curve" in s}
    if not names:
        return b""
    figure = Figure(figsize=(4.6 * len(names), 3.2), dpi=120, layout="constrained")
    for number, name in enumerate(sorted(names), start=1):
        axes = figure.add_subplot(1, len(names), number)
        for system, scores in results["systems"].items():
            if "curve" in scores.get(name, {}):
                n, values = zip(*scores[name]["curve"], strict=True)
                axes.plot(n, values, marker="o", markersize=3, label=system)
        axes.set_title(name, fontsize=10)
        axes.set_xlabel("images", fontsize=9)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    return as_png(figure)


def _has(results: Results, systems: list[str], score: str) -> bool:
    return any(results["systems"][s].get(score, {}).get("value") is not None for s in systems)


PAIRS = {"R² of the colour": ("r2", "r2_chance"), "right names": ("acc", "acc_chance"),
         "purity of modes": ("purity", "purity_chance")}  # fmt: skip
"""The panels of the bar chart: title, score, and the score by chance."""

EXAMPLES = 12


def feature_scatter(results: Results) -> bytes:
    """Plot the encoder's features of instances by class and system, each in its recorded colour.

    Return a PNG, or b"" if no system has such features.
    """
    drawn = _figures(results, "style_features")
    classes = list(dict.fromkeys(name for figures in drawn.values() for name in figures))
    if not classes:
        return b""
    size = (2.3 * len(classes), 2.5 * len(drawn) + 0.2)
    figure = Figure(figsize=size, dpi=120, layout="constrained")
    grid = figure.subplots(len(drawn), len(classes), squeeze=False)
    for row, (system, figures) in zip(grid, drawn.items(), strict=True):
        row[0].set_ylabel(system, fontsize=7)
        for axes, name in zip(row, classes, strict=True):
            axes.set(title=name, xticks=[], yticks=[], facecolor="#eef0f2")
            axes.title.set_fontsize(9)
            if name in figures:
                x, y = np.array(figures[name]["points"]).T
                colours = np.array(figures[name]["rgb"]) / 255
                axes.scatter(x, y, c=colours, s=13, edgecolors="#555555", linewidths=0.25)
    return as_png(figure)


def control_matrix(results: Results) -> bytes:
    """Draw the modes' intended and obtained colours and their confusion by system and class.

    Return a PNG, or b"" if style control was measured on no system.
    """
    drawn = _figures(results, "style_control")
    panels = [(s, name, m) for s, figures in drawn.items() for name, m in figures.items()]
    if not panels:
        return b""
    height = max(len(matrix["modes"]) for _, _, matrix in panels) * 0.36 + 1.2
    figure = Figure(figsize=(11, height * len(panels)), dpi=120, layout="constrained")
    grid = figure.subplots(len(panels), 3, squeeze=False, width_ratios=[1.1, 1, 1])
    for (left, middle, right), (system, name, matrix) in zip(grid, panels, strict=True):
        _draw_swatches(left, matrix)
        _draw_confusion(middle, matrix, "confusion")
        _draw_confusion(right, matrix, "levelled")
        left.set_title(f"{name}: {system}", fontsize=8, loc="left")
        middle.set_title("as they are", fontsize=8)
        right.set_title("levelled: the scene's light taken out", fontsize=8)
    return as_png(figure)


def style_bars(results: Results) -> bytes:
    """Draw R², accuracy and purity of style features by class, each with its value by chance.

    Values below 0 and undefined values are drawn as 0. Return a PNG, or b"" if no system has such
    scores.
    """
    systems = list(_figures(results, "style_features"))
    classes = {name: None for s in systems for name in _classes(results["systems"][s])}
    if not classes:
        return b""
    figure = Figure(figsize=(11, 3.0), dpi=120, layout="constrained")
    places, width = np.arange(len(classes)), 0.86 / max(len(systems), 1)
    for axes, (text, (score, chance)) in zip(figure.subplots(1, 3), PAIRS.items(), strict=True):
        for number, system in enumerate(systems):
            shift = (number - (len(systems) - 1) / 2) * width
            found = results["systems"][system]
            _draw_bars(axes, found, (score, chance), list(classes), places + shift, width, system)
        axes.set_title(text, fontsize=10)
        axes.set_xticks(places, list(classes), rotation=40, ha="right", fontsize=8)
        axes.set_ylim(0, 1)
        axes.grid(axis="y", alpha=0.3)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    figure.legend(unique.values(), unique.keys(), fontsize=8, ncols=4, loc="outside lower left")
    return as_png(figure)


def _draw_bars(
    axes: Axes, found: Any, pair: Any, classes: list[str], places: Any, width: float, system: str
) -> None:
    """Draw one system's bars of a score, with whiskers for intervals and a line for chance."""
    own = [found.get(f"style/{pair[0]}/{name}", {}) for name in classes]
    values = np.array([score.get("value") or 0.0 for score in own])
    bounds = [
        np.clip([v - score.get("low", v), score.get("high", v) - v], 0, None)
        for v, score in zip(values, own, strict=True)
    ]
    axes.bar(places, np.maximum(values, 0), width, yerr=np.array(bounds).T,
             error_kw={"elinewidth": 0.7, "ecolor": "#444444"}, label=system)  # fmt: skip
    chances = [found.get(f"style/{pair[1]}/{name}", {}).get("value") or 0.0 for name in classes]
    half = width / 2
    axes.hlines(np.maximum(chances, 0), places - half, places + half, color="#c01c28", lw=1.5,
                label="by chance")  # fmt: skip


def _draw_swatches(axes: Axes, matrix: Mapping[str, Any]) -> None:
    """Draw for each style mode its intended colour, the mean obtained colour and single ones."""
    rows = len(matrix["modes"])
    image = np.full((rows, 7 + EXAMPLES, 3), 255.0)
    image[:, 0:3] = np.array(matrix["intended"])[:, None]
    image[:, 3:6] = np.array(matrix["obtained"])[:, None]
    for row, examples in enumerate(matrix["examples"]):
        image[row, 7 : 7 + len(examples[:EXAMPLES])] = examples[:EXAMPLES]
    axes.imshow(image.clip(0, 255).astype(np.uint8), aspect="auto", interpolation="nearest")
    axes.set_xticks([1, 4, 6.5 + EXAMPLES / 2], ["intended", "obtained", "in single images"])
    axes.set_yticks(range(rows), [f"mode {mode + 1}" for mode in matrix["modes"]])
    axes.tick_params(labelsize=7, length=0)
    axes.hlines(np.arange(1, rows) - 0.5, -0.5, 6.5 + EXAMPLES, color="white", lw=2)
    axes.vlines([2.5, 5.5], -0.5, rows - 0.5, color="white", lw=2)
    axes.spines[:].set_visible(False)


def _draw_confusion(axes: Axes, matrix: Mapping[str, Any], kind: str) -> None:
    """Draw into axes the share of images in each mode that are nearest to each intended colour."""
    counts = np.array(matrix[kind], float)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        if share >= 0.005:
            axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=7,
                      color="white" if share > 0.6 else "black")  # fmt: skip
    modes = [mode + 1 for mode in matrix["modes"]]
    axes.set_xticks(range(len(modes)), modes)
    axes.set_yticks(range(len(modes)), modes)
    axes.tick_params(labelsize=7, length=0)
    for ticks in (axes.get_xticklabels(), axes.get_yticklabels()):
        for tick, colour in zip(ticks, matrix["intended"], strict=True):
            dark = np.mean(colour) < 128
            tick.set_color("white" if dark else "black")
            tick.set_bbox({"facecolor": np.clip(colour, 0, 255) / 255, "lw": 0, "pad": 2.2})
    axes.set_xlabel("nearest intended colour, % of images", fontsize=8)
    axes.set_ylabel("painted mode", fontsize=8)


def _figures(results: Results, metric: str) -> dict[str, Any]:
    """Return a metric's numbers for charts by system; systems without any are left out."""
    return {s: f[metric] for s, f in results.get("figures", {}).items() if f.get(metric)}


def _classes(scores: Mapping[str, Any]) -> list[str]:
    return [name.removeprefix("style/n/") for name in scores if name.startswith("style/n/")]
