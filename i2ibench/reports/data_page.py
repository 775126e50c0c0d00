"""The report of a data set, as text for a terminal and as one self-contained HTML page."""

import base64
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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
from i2ibench.reports.rendering import render

Splits = Mapping[str, Sequence[SceneSurvey]]
"""The surveyed scenes by split."""


def summary_rows(splits: Splits) -> list[tuple[str, ...]]:
    """Return the rows of a table of splits: a head, then one row of texts for each split.

    The columns are the split, its scenes, its unusable scenes, its three most common sizes, the
    bits of its instance maps, and the smallest, largest and mean number of instances of a scene.
    """
    rows: list[tuple[str, ...]] = [
        ("split", "scenes", "unusable", "sizes", "instance bits", "instances per scene")
    ]
    for split, scenes in splits.items():
        sizes = Counter(scene.size for scene in scenes if scene.size)
        shown = ", ".join(f"{w}x{h}" for (w, h), _ in sizes.most_common(3))
        shown += f", {len(sizes) - 3} more" if len(sizes) > 3 else ""
        bits = sorted({scene.bits for scene in scenes if scene.bits})
        counts = [len(np.unique(s.regions[:, 0])) for s in scenes if s.regions is not None]
        span = f"{min(counts)}..{max(counts)}, mean {np.mean(counts):.1f}" if counts else "no maps"
        unusable = sum(bool(scene.faults) for scene in scenes)
        bit_text = ", ".join(map(str, bits)) or "no maps"
        rows.append((split, str(len(scenes)), str(unusable), shown or "unknown", bit_text, span))
    return rows


def class_rows(splits: Splits, classes: ClassTable) -> list[tuple[str, ...]]:
    """Return the rows of a table of classes: a head, then one row of texts for each class.

    The columns are id and name, and for each split the percentage of pixels, the number of scenes
    with the class, and the number of instances; "-" stands for 0. Return [] without classes.
    """
    if not len(classes):
        return []
    head: list[str] = ["id", "class"]
    columns: list[list[str]] = []
    for split, scenes in splits.items():
        use = count_classes(scenes, len(classes))
        total = max(int(use.pixels.sum()), 1)
        head += [f"{split} %", "scenes", "instances"]
        columns.append([f"{100 * n / total:.3f}" if n else "-" for n in use.pixels.tolist()])
        columns += [[str(n) if n else "-" for n in x.tolist()] for x in (use.scenes, use.instances)]
    names = [
        [str(c.id) for c in classes.classes],
        [_shown(c.name, c.scored) for c in classes.classes],
    ]
    return [tuple(head), *zip(*names, *columns, strict=True)]


def _shown(name: str, scored: bool) -> str:
    return name if scored else f"{name} (not scored)"


def table(rows: Sequence[Sequence[str]], left: Iterable[int] = ()) -> str:
    """Format rows of texts as lines with aligned columns, two spaces apart.

    Args:
        rows: the rows, all of one length; "" is returned for none.
        left: the numbers of the columns that are aligned to the left; all others are aligned to the
            right.
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    keep = set(left)
    return "\n".join(
        "  ".join(
            text.ljust(width) if i in keep else text.rjust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def problem_text(problem: Problem) -> str:
    """Return a problem of the data as text: severity, split and message; the fix on a new line."""
    mark = "ERROR" if problem.fatal else "look"
    return f"{mark}: {problem.split}: {problem.kind}: {problem.message}\n  fix: {problem.fix}"


SCENES_PER_SPLIT = 4
"""The number of scenes of each split that the page shows."""

WIDTH = 420
"""The width of an image in the page, in pixels."""


def render_data(
    name: str,
    splits: Splits,
    classes: ClassTable,
    problems: Sequence[Problem],
) -> str:
    """Return the HTML of the report of a data set; the images of the shown scenes are read here.

    For each split the page shows up to SCENES_PER_SPLIT evenly spaced scenes without faults.

    Args:
        name: the name of the data.
        splits: the surveyed scenes by split.
        classes: the class table.
        problems: the problems of the data.
    """
    histogram = _histogram(splits, classes)
    return render(
        "data.html",
        name=name,
        summary=summary_rows(splits),
        classes=class_rows(splits, classes),
        histogram=histogram,
        most=max((bar["pixels"] for row in histogram for bar in row["bars"]), default=1) or 1,
        splits=list(splits),
        problems=problems,
        scenes=[
            {"split": split, "name": scene.files.name, "pictures": images(scene, classes)}
            for split, scenes in splits.items()
            for scene in _spread([s for s in scenes if not s.faults])
        ],
    )


def _histogram(splits: Splits, classes: ClassTable) -> list[dict[str, Any]]:
    """Return for each class that occurs a dict with "name", "colour" and "bars", most pixels first.

    "bars" has for each split the class's percentages of pixels ("pixels") and of scenes ("scenes").
    """
    uses = [(count_classes(scenes, len(classes)), len(scenes)) for scenes in splits.values()]
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
    step = max(-(-len(scenes) // SCENES_PER_SPLIT), 1)
    return list(scenes[::step])


def images(scene: SceneSurvey, classes: ClassTable) -> list[tuple[str, str]]:
    """Read a scene's files and return pairs of a title and an image as a data URI, for the page.

    They are the real image ("photo"), images of other kinds, the labels in class colours with the
    borders of instances, and an overlay of labels on the real image. Kinds that the scene lacks are
    left out. Images are resized to WIDTH.
    """
    arrays = read_arrays(scene.files, classes, scene.formats)
    arrays |= {kind: to_display_rgb(arrays[kind]) for kind in images_among(arrays)}
    titled: list[tuple[str, NDArray[Any]]] = [
        ("photo" if kind == "image" else kind, arrays[kind])
        for kind in sorted(images_among(arrays), key="image".__ne__)
    ]
    if "label" in arrays:
        palette = np.array([c.colour for c in classes.classes], np.uint8)
        colours = palette[arrays["label"]]
        edge = _borders(arrays["instance"]) if "instance" in arrays else None
        titled.append(("labels and instances", _marked(colours, edge)))
        if "image" in arrays:
            both = cv2.addWeighted(arrays["image"], 0.55, colours, 0.45, 0)
            titled.append(("overlay", _marked(both, edge)))
    return [(title, _jpeg(image)) for title, image in titled]


def _borders(ids: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Return a mask, bool [H,W], of the borders between instance ids, widened for a small image."""
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
    """Resize an RGB image to WIDTH and return it as the data URI of a JPEG."""
    height, width = image.shape[:2]
    factor = WIDTH / width
    interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_NEAREST
    small = cv2.resize(image, (WIDTH, max(round(height * factor), 1)), interpolation=interpolation)
    _, data = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
    return f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}"
