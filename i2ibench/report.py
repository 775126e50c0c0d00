"""The report of an evaluation: one self-contained HTML page."""

import base64
import io
import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from mmengine.config import Config
from numpy.typing import NDArray
from PIL import Image

from i2ibench.datasets.scenes import SceneFiles, read_image, read_label
from i2ibench.files import write_text
from i2ibench.loaders import build_dataset
from i2ibench.plots import run_curves, stage_panels

SHOWN_SCENES = 8

DESCRIPTIONS = {
    "seg/pixel_acc": "pixel accuracy",
    "seg/miou": "mean IoU",
    "seg/classes_counted": "classes counted",
    "fid/fid": "FID",
    "fid/n": "scenes in FID",
    "fid": "FID",
    "lpips/lpips_alex": "LPIPS (alex, v0.1)",
    "lpips": "LPIPS",
    "segmentation": "segmentation scores",
}


def write_report(output_dir: Path, work_dir: Path, config: Config) -> Path:
    """Write `report.html` beside the `results.json` in `output_dir`; gives its path.

    Args:
        output_dir: holds results.json and images/.
        work_dir: the training run, whose loss curves are drawn.
        config: names the validation scenes.
    """
    results = json.loads((output_dir / "results.json").read_text())
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(
        (files("i2ibench") / "templates" / "report.html").read_text(encoding="utf-8")
    )
    dataset = build_dataset(config.val_dataloader, config.get("data_root"))
    page = template.render(
        name=work_dir.name,
        results=results,
        systems=list(results["systems"]),
        table=score_table(results),
        classes=class_table_rows(results),
        missing=not_computed(results),
        scenes=list(_scene_rows(dataset, output_dir, results)),
        columns=["label map", *results["images"]],
        curves={name: _data_uri(plot) for name, plot in run_curves(work_dir).items()},
        panels={name: _panel(path) for name, path in stage_panels(work_dir).items()},
        config=json.dumps(results["config"], indent=2),
        protocol=json.dumps(results["protocol"], indent=2),
    )
    path = output_dir / "report.html"
    write_text(path, page)
    return path


def score_table(results: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """Per score its name and its value in each system, as text; per-class scores left out."""
    keys = [k for k in _keys(results) if "/iou/" not in k]
    return [
        (DESCRIPTIONS.get(key, key), [_text(scores.get(key)) for scores in _systems(results)])
        for key in keys
    ]


def class_table_rows(results: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """Per class its name and its IoU in each system, as text."""
    return [
        (key.split("/iou/")[1], [_text(scores.get(key)) for scores in _systems(results)])
        for key in _keys(results)
        if "/iou/" in key
    ]


def not_computed(results: Mapping[str, Any]) -> dict[str, str]:
    """The metrics that were not computed, and why."""
    return {
        DESCRIPTIONS.get(key, key): score["reason"]
        for scores in _systems(results)
        for key, score in scores.items()
        if score["status"] == "not computed"
    }


def score_lines(results: Mapping[str, Any]) -> list[str]:
    """The score table for a terminal."""
    systems = list(results["systems"])
    lines = [f"{results['scenes']} scenes"]
    for number, system in enumerate(systems):
        lines.append(system)
        lines += [f"  {name:18} {values[number]}" for name, values in score_table(results)]
    lines += [f"{name} was not computed: {why}" for name, why in not_computed(results).items()]
    return lines


def _systems(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(results["systems"].values())


def _keys(results: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(key for scores in _systems(results) for key in scores))


def _text(score: Mapping[str, Any] | None) -> str:
    if score is None:
        return "–"
    if score["value"] is None:
        return score["status"] if score["status"] != "ok" else "undefined"
    value = score["value"]
    return f"{value:d}" if isinstance(value, int) else f"{value:.4f}"


def _scene_rows(
    dataset: Any, output_dir: Path, results: Mapping[str, Any]
) -> Iterator[tuple[str, list[str]]]:
    """Name and pictures of evenly spread validation scenes: label map, then every system."""
    every = max(len(dataset) // SHOWN_SCENES, 1)
    for scene in dataset.scenes.files[::every][:SHOWN_SCENES]:
        pictures = [_data_uri(_coloured(scene, dataset))]
        for folder in results["images"].values():
            path = output_dir / folder / f"{scene.name}.png"
            with Image.open(path) as picture:
                pictures.append(_data_uri(np.array(picture)))
        yield scene.name, pictures


def _panel(path: Path) -> str:
    with Image.open(path) as picture:
        return _data_uri(np.array(picture), width=1100)


def _coloured(scene: SceneFiles, dataset: Any) -> NDArray[np.uint8]:
    if scene.label is None:
        return read_image(scene.input)
    palette = np.array(dataset.metainfo["palette"], np.uint8)
    return palette[read_label(scene.label, dataset.scenes.classes)]


def _data_uri(picture: NDArray[np.uint8] | bytes, width: int = 512) -> str:
    """A picture as text that stands in the page, at most `width` pixels wide and as high."""
    if isinstance(picture, bytes):
        return f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    image = Image.fromarray(picture)
    image.thumbnail((width, width))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return _data_uri(buffer.getvalue())
