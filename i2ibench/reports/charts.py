"""Charts of results: scores by class, and distances over the number of images."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from i2ibench.evaluation.image_sources import FLOOR, MISMATCH, ORACLE
from i2ibench.reports.training_curves import as_png

Results = Mapping[str, Any]

PREFIX = "seg/iou/"


def class_bars(results: Results) -> bytes:
    """A PNG with the IoU of every class for every system, intervals as whiskers; empty without."""
    shown = [name for name in results["systems"] if name not in (FLOOR, MISMATCH)]
    classes = [c for c in results["data"]["classes"] if _has(results, shown, PREFIX + c)]
    if not classes:
        return b""
    figure = Figure(figsize=(max(7.0, 0.62 * len(classes)), 3.6), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    width = 0.86 / len(shown)
    places = np.arange(len(classes))
    for number, system in enumerate(shown):
        scores = [results["systems"][system].get(PREFIX + c, {}) for c in classes]
        values = np.array([s.get("value") or 0.0 for s in scores])
        bounds = [
            np.clip([v - s.get("low", v), s.get("high", v) - v], 0, None)
            for v, s in zip(values, scores, strict=True)
        ]
        axes.bar(
            places + (number - (len(shown) - 1) / 2) * width,
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
    """A PNG with each Fréchet distance over the number of images; empty without any."""
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
        axes.set_xlabel("pictures", fontsize=9)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    return as_png(figure)


def _has(results: Results, systems: list[str], score: str) -> bool:
    return any(results["systems"][s].get(score, {}).get("value") is not None for s in systems)
