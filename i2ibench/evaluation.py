"""Evaluation: every system of a checkpoint and the real photos through the same metrics."""

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from mmengine.config import Config

from i2ibench.checkpoints import OpenedCheckpoint, open_checkpoint
from i2ibench.datasets.scenes import SceneDataset
from i2ibench.errors import UserError
from i2ibench.files import write_picture, write_text
from i2ibench.loaders import build_dataset, build_loader
from i2ibench.metrics.evaluator import build_metrics
from i2ibench.progress import track
from i2ibench.provenance import commit, sha256, versions
from i2ibench.structures import Prediction, to_predictions

Predict = Callable[[Any], list[Prediction]]

ORACLE = "real photos (oracle)"


def evaluate(config: Config, checkpoint: Path, output_dir: Path, device: str) -> dict[str, Any]:
    """Translate the config's validation scenes and score them; gives what `results.json` holds.

    The pictures go to `output_dir/images/<system>`, the numbers to `output_dir/results.json`.
    A metric whose weights are missing is reported as not computed, with the reason.

    Raises:
        UserError: the checkpoint or the data cannot be used.
    """
    opened = open_checkpoint(checkpoint, device)
    dataset = _validation_data(config, opened)
    systems = list_systems(opened)
    metrics = {
        name: build_metrics(config.get("evaluator", {}), dataset.metainfo) for name in systems
    }
    loader = build_loader(dataset, config.val_dataloader, training=False)
    folders = {name: output_dir / "images" / _slug(name) for name in systems}
    for data in track(loader, "evaluating"):
        for name, predict in systems.items():
            predictions = predict(data)
            _process(predictions, metrics[name], name)
            for prediction in predictions:
                _save(prediction, folders[name])
    results = {
        "schema": "i2ibench/results@1",
        "systems": {name: _scores(metrics[name], len(dataset), name) for name in systems},
        "scenes": len(dataset),
        "images": {name: str(folder.relative_to(output_dir)) for name, folder in folders.items()},
        "classes": dataset.metainfo["scored_classes"],
        "protocol": _protocol(config),
        "weights": _weight_hashes(metrics[ORACLE]),
        **_provenance(opened),
    }
    write_text(output_dir / "results.json", json.dumps(results, indent=2))
    return results


def _validation_data(config: Config, opened: OpenedCheckpoint) -> SceneDataset:
    """The config's validation set, whose classes are the checkpoint's."""
    dataset = build_dataset(config.val_dataloader, config.get("data_root"))
    if dataset.metainfo["classes"] != opened.metainfo["classes"]:
        raise UserError(
            f"{opened.path} was trained on {opened.metainfo['dataset']} with "
            f"{len(opened.metainfo['classes'])} classes, but the config's validation set is "
            f"{dataset.metainfo['dataset']} with {len(dataset.metainfo['classes'])}."
        )
    return dataset


def _provenance(opened: OpenedCheckpoint) -> dict[str, Any]:
    """Which networks, code and versions made the numbers."""
    return {
        "checkpoint": {
            "path": str(opened.path), "sha256": sha256(opened.path), "epoch": opened.epoch
        },
        "seed": opened.config.get("seed", 0),
        "config": opened.config.to_dict(),
        "commit": commit(),
        "versions": versions(),
    }  # fmt: skip


def _weight_hashes(metrics: dict[str, Any]) -> dict[str, str]:
    """The SHA-256 of every weights file that a metric uses."""
    return {
        f"{name}: {file.name}": sha256(file)
        for name, metric in metrics.items()
        for file in metric.weight_files
    }


def list_systems(opened: OpenedCheckpoint) -> dict[str, Predict]:
    """What is scored, by name: the translator in each of its styles, and the real photos."""
    translator = opened.translator
    if translator.encoder is None:
        return {"translated": translator.predict, ORACLE: photos_as_predictions}

    return {
        "translated, styles sampled": translator.predict,
        "translated, styles read from the photo": partial(translator.predict, encode_photo=True),
        ORACLE: photos_as_predictions,
    }


def photos_as_predictions(data: Any) -> list[Prediction]:
    """The photos of collated data as if a translator had made them.

    Raises:
        UserError: the data has no photos.
    """
    if "image" not in data:
        raise UserError("Evaluation needs photos, and the validation data has none.")
    return to_predictions(data["image"], data)


def _applies(metric: Any, system: str) -> bool:
    """Distances to the photos say nothing about the photos themselves."""
    return not (system == ORACLE and getattr(metric, "compares_with_photo", False))


def _process(predictions: list[Prediction], metrics: dict[str, Any], system: str) -> None:
    for metric in metrics.values():
        if not metric.unavailable and _applies(metric, system):
            metric.process(None, predictions)


def _scores(metrics: dict[str, Any], size: int, system: str) -> dict[str, Any]:
    """Per value its number and status; a metric that was not computed has the reason."""
    scores: dict[str, Any] = {}
    for name, metric in metrics.items():
        if not _applies(metric, system):
            continue
        if metric.unavailable:
            scores[name] = {
                "value": None, "status": "not computed", "reason": metric.unavailable
            }  # fmt: skip
            continue
        for key, value in metric.evaluate(size).items():
            scores[key] = {"value": value if math.isfinite(value) else None, "status": "ok"}
    return scores


def _protocol(config: Config) -> dict[str, Any]:
    """What the numbers depend on besides the pictures."""
    return {
        "data": config.val_dataloader.dataset.to_dict(),
        "metrics": config.get("evaluator", Config()).to_dict(),
        "pictures": "uint8 RGB, rounded, PNG",
        "void": "left out",
        "absent_classes": "left out of the mean if neither true nor predicted",
    }


def _save(prediction: Prediction, folder: Path) -> None:
    pixels = prediction["fake"].permute(1, 2, 0).cpu().numpy()
    write_picture(folder / f"{prediction['name']}.png", pixels)


def _slug(name: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in name).replace("--", "-").strip("-")
