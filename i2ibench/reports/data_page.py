"""The page of a data set: one self-contained HTML file with tables, problems and overlays."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from i2ibench.data.classes import ClassTable
from i2ibench.data.kinds import images_among
from i2ibench.data.pixel_formats import to_display_rgb
from i2ibench.data.problems import Problem
from i2ibench.data.scenes import read_arrays
from i2ibench.data.survey import SceneSurvey, count_classes
from i2ibench.reports.data_text import class_rows, summary_rows
from i2ibench.reports.rendering import render

SHOWN = 4
"""Scenes of each split."""

WIDTH = 420
"""Of an image in the page."""


def render_data(
    name: str,
    facts: Mapping[str, Sequence[SceneSurvey]],
    classes: ClassTable,
    problems: Sequence[Problem],
) -> str:
    """The page as text.

    Args:
        name: of the data, the config's.
        facts: of the scenes of every split.
        classes: the class table.
        problems: what is wrong.
    """
    histogram = _histogram(facts, classes)
    return render(
        "data.html",
        name=name,
        summary=summary_rows(facts),
        classes=class_rows(facts, classes),
        histogram=histogram,
        most=max((bar["pixels"] for row in histogram for bar in row["bars"]), default=1) or 1,
        splits=list(facts),
        problems=problems,
        scenes=[
            {"split": split, "name": scene.files.name, "pictures": images(scene, classes)}
            for split, scenes in facts.items()
            for scene in _spread([s for s in scenes if not s.faults])
        ],
    )


def _histogram(
    facts: Mapping[str, Sequence[SceneSurvey]], classes: ClassTable
) -> list[dict[str, Any]]:
    """Each class's colour and, by split, the percentage of pixels and of scenes."""
    uses = [(count_classes(scenes, len(classes)), len(scenes)) for scenes in facts.values()]
    rows = []
    for number, semantic_class in enumerate(classes.classes):
        bars = [
            {"pixels": 100 * use.pixels[number] / max(use.pixels.sum(), 1),
             "scenes": 100 * use.scenes[number] / max(count, 1)}
            for use, count in uses
        ]  # fmt: skip
        if any(bar["scenes"] for bar in bars):
            rgb = "rgb({}, {}, {})".format(*semantic_class.colour)
            rows.append({"name": semantic_class.name, "colour": rgb, "bars": bars})
    return sorted(rows, key=lambda row: -max(bar["pixels"] for bar in row["bars"]))


def _spread(scenes: Sequence[SceneSurvey]) -> list[SceneSurvey]:
    step = max(-(-len(scenes) // SHOWN), 1)
    return list(scenes[::step])


def images(scene: SceneSurvey, classes: ClassTable) -> list[tuple[str, str]]:
    """Return titles and images: photo, source and the like, labels, both with the borders."""
    arrays = read_arrays(scene.files, classes, scene.formats)
    arrays |= {kind: to_display_rgb(arrays[kind]) for kind in images_among(arrays)}
    shown: list[tuple[str, NDArray[Any]]] = [
        ("photo" if kind == "image" else kind, arrays[kind])
        for kind in sorted(images_among(arrays), key="image".__ne__)
    ]
    if "label" in arrays:
        palette = np.array([c.colour for c in classes.classes], np.uint8)
        colours = palette[arrays["label"]]
        edge = _borders(arrays["instance"]) if "instance" in arrays else None
        shown.append(("labels and instances", _marked(colours, edge)))
        if "image" in arrays:
            both = cv2.addWeighted(arrays["image"], 0.55, colours, 0.45, 0)
            shown.append(("overlay", _marked(both, edge)))
    return [(title, _jpeg(image)) for title, image in shown]


def _borders(ids: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Where ids differ from the right or lower neighbour, thick enough to stay when shrunk."""
    edge = np.zeros(ids.shape, np.uint8)
    edge[:, :-1] |= ids[:, 1:] != ids[:, :-1]
    edge[:-1] |= ids[1:] != ids[:-1]
    side = 2 * round(ids.shape[1] / WIDTH / 2) + 1
    return cv2.dilate(edge, np.ones((side, side), np.uint8)).astype(bool)


def _marked(image: NDArray[np.uint8], edge: NDArray[np.bool_] | None) -> NDArray[np.uint8]:
    marked = image.copy()
    if edge is not None:
        marked[edge] = 255
    return marked


def _jpeg(image: NDArray[np.uint8]) -> str:
    """An image as text that stands in the page."""
    height, width = image.shape[:2]
    factor = WIDTH / width
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_NEAREST
    small = cv2.resize(image, (WIDTH, max(round(height * factor), 1)), interpolation=way)
    _, data = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
    return f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}"
