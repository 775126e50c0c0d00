"""The example scenes of a report: best, median and worst, with the segmenter's labels."""

from collections.abc import Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from i2ibench.evaluation.image_sources import FLOOR, MISMATCH, ORACLE, System
from i2ibench.evaluation.measurements import RowStore
from i2ibench.evaluation.protocol_scenes import ScoredScenes
from i2ibench.evaluation.scores import adding_rows
from i2ibench.inference.input_display import displayed_input
from i2ibench.io.files import write_image, write_text
from i2ibench.io.spreadsheets import csv_text
from i2ibench.models.ops.images import as_rgb, colour_labels, pixels_of, to_displayable
from i2ibench.registry.contracts import Metric, SegmentationMetric
from i2ibench.structures import Sample

PER_KIND = 2

WRONG, RIGHT, VOID = (200, 40, 40), (235, 235, 235), (120, 120, 120)
"""Colours of the error map."""


def show_scenes(
    systems: Sequence[System],
    scenes: ScoredScenes,
    metrics: Mapping[str, Metric],
    stores: Mapping[str, Mapping[str, RowStore]],
    output_dir: Path,
) -> list[dict[str, Any]]:
    """Write images of up to six example scenes below `shown/<scene>/` and return their paths.

    The scenes are the two best, two median and two worst by the first tested system's pixel
    accuracy. Without segmentation scores they are evenly spaced. The systems' columns begin with
    the real photos; the class colours and the photos of other scenes are left out.

    Returns:
        For each scene a dict: "scene" is its name, "place" a text such as "best, pixel accuracy
        0.912" or "", and "pictures" has paths relative to `output_dir`, by "input" and by system.
        "predicted" (the segmenter's labels) and "errors" (the error maps) have paths by system, and
        are empty without segmentation scores.
    """
    segmentation = _usable_segmentation(metrics)
    under_test = [system for system in systems if not system.control] or list(systems)
    chosen = _spread(len(scenes))
    if segmentation is not None:
        rows = np.stack(stores[under_test[0].name][segmentation[0]].read())
        chosen = _ranked(segmentation[1].scores(rows)["seg/pixel_acc"])
    columns = [s for s in systems if s.name not in (FLOOR, MISMATCH)]
    columns.sort(key=lambda system: system.name != ORACLE)  # the real image beside the label map
    shown, palette = [], scenes.dataset.metainfo["palette"]
    for index, place in chosen.items():
        sample = scenes.sample(index)
        name = scenes.names[index]
        folder = output_dir / "shown" / name
        files = {"input": _write(folder / "input.png", displayed_input(sample, palette))}
        predicted, errors = {}, {}
        for number, system in enumerate(columns):
            image = system.images.read(index, sample)[0]
            files[system.name] = _write(folder / f"{number}.png", image)
            if segmentation is not None:
                labels, wrong = _segment(segmentation[1], image, sample, scenes)
                predicted[system.name] = _write(folder / f"{number}_labels.png", labels)
                errors[system.name] = _write(folder / f"{number}_errors.png", wrong)
        relative = {
            kind: {name: str(path.relative_to(output_dir)) for name, path in paths.items()}
            for kind, paths in (("pictures", files), ("predicted", predicted), ("errors", errors))
        }
        shown.append({"scene": name, "place": place, **relative})
    return shown


def _usable_segmentation(metrics: Mapping[str, Metric]) -> tuple[str, SegmentationMetric] | None:
    """Return name and metric of the first usable segmentation metric; None without one."""
    for name, metric in metrics.items():
        if isinstance(metric, SegmentationMetric) and not metric.unavailable:
            return name, metric
    return None


def _spread(count: int) -> dict[int, str]:
    every = max(count // (3 * PER_KIND), 1)
    return dict.fromkeys(list(range(0, count, every))[: 3 * PER_KIND], "")


def _ranked(accuracy: NDArray[np.float64]) -> dict[int, str]:
    """Return the indices of the two best, median and worst scenes, each with a text on its rank."""
    order = np.argsort(-np.nan_to_num(accuracy), kind="stable").tolist()
    middle = max((len(order) - PER_KIND) // 2, 0)
    groups = {
        "best": order[:PER_KIND],
        "median": order[middle : middle + PER_KIND],
        "worst": order[-PER_KIND:],
    }
    chosen: dict[int, str] = {}
    for place, indices in groups.items():
        for index in indices:
            chosen.setdefault(index, f"{place}, pixel accuracy {accuracy[index]:.3f}")
    return chosen


@torch.inference_mode()
def _segment(
    metric: SegmentationMetric, image: Tensor, sample: Sample, scenes: ScoredScenes
) -> tuple[Tensor, Tensor]:
    """Segment one image, and return the labels in colour and an error map, uint8 [3,H,W] each.

    In the error map red pixels are wrong, light pixels are right, and grey pixels have no scored
    true class. In the labels the pixels of "something else" are black.
    """
    device = next(iter(metric.segmenter.parameters()), torch.empty(0)).device
    rows = metric.predict([as_rgb(image, "A segmenter").to(device)])[0].cpu()
    truth = metric.true_rows(sample["label"]).cpu()
    count = len(metric.classes)
    info = scenes.dataset.metainfo
    palette = [c for c, row in zip(info["palette"], info["scored_ids"], strict=True) if row < count]
    labels = colour_labels(rows.clamp(max=count)[None], [*palette, (0, 0, 0)])
    verdict = torch.where(rows == truth, 1, 0)
    verdict[truth >= count] = 2
    return labels, colour_labels(verdict[None], [WRONG, RIGHT, VOID])


def _write(path: Path, image: Tensor) -> Path:
    write_image(path, pixels_of(to_displayable(image)))
    return path


def write_scene_scores(
    path: Path,
    systems: Sequence[System],
    scenes: ScoredScenes,
    metrics: Mapping[str, Metric],
    stores: Mapping[str, Mapping[str, RowStore]],
) -> None:
    """Write a CSV file with the scores of each single scene: scene, system, score, value.

    It has the ranked scores of additive metrics that were measured on the system. An undefined
    value is an empty field.
    """
    cells = []
    for system in systems:
        for name, store in stores[system.name].items():
            if metrics[name].kind != "additive":
                continue
            scorer, rows = adding_rows(metrics[name], store.read())
            scores = scorer.scores(rows)
            for score in (s for s in metrics[name].better if s in scores):
                for scene, value in zip(scenes.names, scores[score].tolist(), strict=True):
                    cells.append([scene, system.name, score, "" if isnan(value) else value])
    write_text(path, csv_text(["scene", "system", "score", "value"], cells))
