"""Evaluation: systems and controls through one protocol, into one result."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from i2ibench.errors import UserError
from i2ibench.evaluation.example_scenes import show_scenes, write_scene_scores
from i2ibench.evaluation.image_sources import ORACLE, System, list_controls, real_photos
from i2ibench.evaluation.measurement_cache import SharedRows
from i2ibench.evaluation.measurements import Rows, RowStore, measure, row_key
from i2ibench.evaluation.metrics.evaluator import build_metrics
from i2ibench.evaluation.protocols.protocol import Protocol
from i2ibench.evaluation.results import (
    Evaluation,
    build_results,
    check_required,
    is_reference,
    reason_not_measured,
)
from i2ibench.evaluation.scored_scenes import open_reference, open_scenes
from i2ibench.evaluation.systems import (
    SystemSource,
    check_classes,
    given_system,
    slug,
    translated_systems,
    with_own_settings,
)
from i2ibench.io.files import write_text
from i2ibench.io.processes import is_main_process
from i2ibench.io.provenance import commit, devices, versions
from i2ibench.registry.configuration import Config
from i2ibench.registry.contracts import Metric
from i2ibench.registry.plugin_records import plugin_records

WRITTEN = ("rows", "reference_rows", "pictures", "shown")
"""The subfolders of an output folder that an evaluation writes."""


def evaluate(
    protocol: Protocol,
    subjects: Sequence[SystemSource],
    output_dir: Path,
    config: Config | None = None,
    root: str | None = None,
    device: str = "cpu",
    batch_size: int = 1,
    require: Sequence[str] = (),
) -> dict[str, Any]:
    """Score the subjects and the controls; gives what `results.json` holds.

    Images and measurements stay in `output_dir` and are used again while what they depend on is
    unchanged. Every process of a group takes part; the first one writes the results.

    Args:
        protocol: what is scored how.
        subjects: checkpoints and folders of images.
        output_dir: where everything goes.
        config: the training run's config, for protocols without data of their own.
        root: the data's folder; None for the config's or the protocol's own.
        device: where networks run.
        batch_size: scenes that are translated at once.
        require: scores without which nothing is begun.

    Raises:
        UserError: data, checkpoints, images or options cannot be used.
    """
    begin = time.monotonic()
    subjects = with_own_settings(subjects)
    torch.backends.cudnn.allow_tf32 = False  # features and distances in whole float32
    scenes = open_scenes(protocol, config, root)
    metrics = build_metrics(protocol.metrics, scenes.dataset.metainfo)
    check_required(metrics, require)
    evaluation = Evaluation(protocol, scenes, metrics, output_dir, device)
    systems, origins = _open_subjects(evaluation, subjects, batch_size, root)
    systems += list_controls(scenes)
    stores = {system.name: _row_stores(evaluation, system) for system in systems}
    _measure(evaluation, systems, stores, metrics)
    reference = _reference_rows(evaluation, config, root)
    if not is_main_process():
        return {}
    results = build_results(evaluation, systems, stores, reference)
    results["shown"] = show_scenes(systems, scenes, metrics, stores, output_dir)
    write_scene_scores(output_dir / "per_scene.csv", systems, scenes, metrics, stores)
    results |= {"origins": origins, "seconds": round(time.monotonic() - begin, 1)}
    results |= {"commit": commit(), "versions": versions(), "devices": devices()}
    results["plugins"] = plugin_records()
    write_text(output_dir / "results.json", json.dumps(results, indent=2))
    return results


def _open_subjects(
    evaluation: Evaluation, subjects: Sequence[SystemSource], batch_size: int, root: str | None
) -> tuple[list[System], dict[str, Any]]:
    """The rows of all subjects; none is translated before every one was found fit."""
    protocol, scenes = evaluation.protocol, evaluation.scenes
    given = {s: given_system(s, scenes, protocol) for s in subjects if s.is_folder}
    for subject in subjects:
        if not subject.is_folder:
            check_classes(subject.path, scenes)
    asked = (m for m in evaluation.metrics.values() if "samples" in m.needs and not m.unavailable)
    if next(asked, None) is None:
        protocol = replace(protocol, samples=1)  # nobody would look at the others
    systems: list[System] = []
    origins: dict[str, Any] = {}
    for subject in subjects:
        if subject in given:
            system, origin = given[subject]
            rows = [system]
        else:
            rows, origin = translated_systems(
                subject, scenes, protocol, evaluation.output_dir, evaluation.device, batch_size,
                root,
            )  # fmt: skip
        systems += rows
        for row in rows:
            if row.name in origins:
                raise UserError(f"Two rows are called {row.name!r}; give the systems other names.")
            origins[row.name] = origin
    return systems, origins


def _row_stores(evaluation: Evaluation, system: System) -> dict[str, RowStore]:
    """Return the files of a system's rows, for every metric that applies to it."""
    count, stores = len(evaluation.scenes), {}
    for name, metric in evaluation.metrics.items():
        used = not is_reference(metric, system, evaluation.protocol) or system.name == ORACLE
        if used and reason_not_measured(metric, system, evaluation.scenes) is None:
            styles = [system.styles.facts] if system.styles and "styles" in metric.needs else []
            key = row_key(dict(system.facts), evaluation.protocol.resize, evaluation.facts(name),
                          evaluation.scenes.hash, evaluation.scenes.facts, *styles)  # fmt: skip
            folder = evaluation.output_dir / "rows" / slug(system.name) / name
            stores[name] = RowStore(folder, key, count)
    return stores


def _measure(
    evaluation: Evaluation,
    systems: Sequence[System],
    stores: Mapping[str, Mapping[str, RowStore]],
    metrics: Mapping[str, Metric],
) -> None:
    """Measure what neither this evaluation nor, of the controls, another one has measured."""
    shared = SharedRows(stores, systems, metrics, evaluation.scenes, evaluation.device)
    if is_main_process():  # the others wait for it in `measure`
        shared.fetch()
    measure(systems, stores, metrics, evaluation.scenes, evaluation.device)
    if is_main_process():
        shared.keep()


def _reference_rows(
    evaluation: Evaluation, config: Config | None, root: str | None
) -> dict[str, Rows]:
    """The rows of the reference photos, for every set metric that can be computed."""
    wanted = {
        name: metric
        for name, metric in evaluation.metrics.items()
        if metric.kind == "set" and not metric.unavailable and evaluation.scenes.has_photos
    }
    if not wanted or evaluation.protocol.reference is None:
        return {}
    scenes = open_reference(evaluation.protocol, config, root)
    evaluation = replace(evaluation, scenes=scenes)
    photos = real_photos()
    folder = evaluation.output_dir / "reference_rows"
    stores = {}
    for name in wanted:
        key = row_key(evaluation.facts(name), scenes.hash, scenes.facts)
        stores[name] = RowStore(folder / name, key, len(scenes))
    _measure(evaluation, [photos], {photos.name: stores}, wanted)
    return {name: store.read() for name, store in stores.items()} if is_main_process() else {}
