"""The evaluation of systems and controls by a protocol."""

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
from i2ibench.evaluation.metric_building import build_metrics
from i2ibench.evaluation.protocol_scenes import open_reference, open_scenes
from i2ibench.evaluation.protocols.protocol import Protocol
from i2ibench.evaluation.results import (
    Evaluation,
    build_results,
    check_required,
    is_reference,
    reason_not_measured,
)
from i2ibench.evaluation.system_sources import (
    SystemSource,
    check_classes,
    given_system,
    slug,
    translated_systems,
    with_own_settings,
)
from i2ibench.io.files import write_text
from i2ibench.io.process_group import is_main_process
from i2ibench.io.provenance import commit, devices, versions
from i2ibench.registry.configuration import Config
from i2ibench.registry.contracts import Metric
from i2ibench.registry.plugin_records import plugin_records

WRITTEN = ("rows", "reference_rows", "pictures", "shown")
"""The subfolders that an evaluation writes in its output folder."""


def evaluate(
    protocol: Protocol,
    sources: Sequence[SystemSource],
    output_dir: Path,
    config: Config | None = None,
    root: str | None = None,
    device: str = "cpu",
    batch_size: int = 1,
    require: Sequence[str] = (),
) -> dict[str, Any]:
    """Score systems and the control systems, write `results.json` and return its content.

    The control systems are the real photos, the class colours and the photos of other scenes. They
    are scored as far as the data allows; data without real images has none.

    Images and measurements stay in `output_dir`. They are used again until something that they
    depend on changes. Every process of a group takes part. The main process also writes
    `per_scene.csv` and the images of example scenes (`shown/`). The others return {}.

    Args:
        protocol: the rules of the evaluation.
        sources: checkpoints and folders of images.
        output_dir: the folder for results, images and measurements.
        config: the config of a training run, for protocols without their own data.
        root: the folder of the data; None for that of the config or the protocol.
        device: the device that computes networks.
        batch_size: the number of scenes that are translated at once.
        require: names of scores. Their metrics must exist and be usable, which is checked before
            the work begins. Undefined values are not checked here, see `check_computed`.

    Raises:
        UserError: data, checkpoints, images or options cannot be used.
    """
    begin = time.monotonic()
    sources = with_own_settings(sources)
    torch.backends.cudnn.allow_tf32 = False  # features and distances in full float32
    scenes = open_scenes(protocol, config, root)
    metrics = build_metrics(protocol.metrics, scenes.dataset.metainfo)
    check_required(metrics, require)
    evaluation = Evaluation(protocol, scenes, metrics, output_dir, device)
    systems, origins = _open_sources(evaluation, sources, batch_size, root)
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


def _open_sources(
    evaluation: Evaluation, sources: Sequence[SystemSource], batch_size: int, root: str | None
) -> tuple[list[System], dict[str, Any]]:
    """Translate the scenes and return all systems, and by system name their origins (file, hash).

    All folders of images, and the classes of all checkpoints, are checked before the first
    checkpoint translates. One checkpoint may give several systems.
    """
    protocol, scenes = evaluation.protocol, evaluation.scenes
    given = {s: given_system(s, scenes, protocol) for s in sources if s.is_folder}
    for source in sources:
        if not source.is_folder:
            check_classes(source.path, scenes)
    multimodal = (
        m for m in evaluation.metrics.values() if "samples" in m.needs and not m.unavailable
    )
    if next(multimodal, None) is None:
        protocol = replace(protocol, samples=1)  # no metric uses further samples
    systems: list[System] = []
    origins: dict[str, Any] = {}
    for source in sources:
        if source in given:
            system, origin = given[source]
            rows = [system]
        else:
            rows, origin = translated_systems(
                source, scenes, protocol, evaluation.output_dir, evaluation.device, batch_size,
                root,
            )  # fmt: skip
        systems += rows
        for row in rows:
            if row.name in origins:
                raise UserError(f"Two rows are called {row.name!r}; give the systems other names.")
            origins[row.name] = origin
    return systems, origins


def _row_stores(evaluation: Evaluation, system: System) -> dict[str, RowStore]:
    """Return by metric name the files for a system's measurements, for the metrics measured on it.

    Metrics that cannot be measured on the system are left out. So are distances between equal sets
    of images, except for the real photos, whose measurements are the reference of other systems.
    """
    count, stores = len(evaluation.scenes), {}
    for name, metric in evaluation.metrics.items():
        used = not is_reference(metric, system, evaluation.protocol) or system.name == ORACLE
        if used and reason_not_measured(metric, system, evaluation.scenes) is None:
            probe = system.styles if "styles" in metric.needs else None
            styles = [probe.dependencies] if probe is not None else []
            key = row_key(
                dict(system.dependencies), evaluation.protocol.resize,
                evaluation.dependencies(name), evaluation.scenes.hash,
                evaluation.scenes.description, *styles,
            )  # fmt: skip
            folder = evaluation.output_dir / "rows" / slug(system.name) / name
            stores[name] = RowStore(folder, key, count)
    return stores


def _measure(
    evaluation: Evaluation,
    systems: Sequence[System],
    stores: Mapping[str, Mapping[str, RowStore]],
    metrics: Mapping[str, Metric],
) -> None:
    """Measure what is not on file yet, and write the measurements to the stores.

    The main process first copies measurements of the control systems (such as the real photos) from
    the user's cache, and afterwards adds the new ones to the cache.
    """
    shared = SharedRows(stores, systems, metrics, evaluation.scenes, evaluation.device)
    if is_main_process():  # the others wait for it in `measure`
        shared.fetch()
    measure(systems, stores, metrics, evaluation.scenes, evaluation.device)
    if is_main_process():
        shared.keep()


def _reference_rows(
    evaluation: Evaluation, config: Config | None, root: str | None
) -> dict[str, Rows]:
    """Measure the protocol's reference images with every available set metric, such as FID.

    The measurements are kept in the folder `reference_rows` of the output folder and in the user's
    cache, and only missing ones are made. All processes must call this function; only the main
    process gets the arrays by metric, one for each reference scene. The others get {}, and so does
    the main process if the protocol has no reference or no set metric is available.
    """
    wanted = {
        name: metric
        for name, metric in evaluation.metrics.items()
        if metric.kind == "set" and not metric.unavailable and evaluation.scenes.has_photos
    }
    if not wanted or evaluation.protocol.reference is None:
        return {}
    scenes = open_reference(evaluation.protocol, config, root)
    evaluation = replace(evaluation, scenes=scenes)
    oracle = real_photos()
    folder = evaluation.output_dir / "reference_rows"
    stores = {}
    for name in wanted:
        key = row_key(evaluation.dependencies(name), scenes.hash, scenes.description)
        stores[name] = RowStore(folder / name, key, len(scenes))
    _measure(evaluation, [oracle], {oracle.name: stores}, wanted)
    return {name: store.read() for name, store in stores.items()} if is_main_process() else {}
