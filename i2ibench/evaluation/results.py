"""The content of `results.json`, computed from the rows of every system and metric."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from i2ibench.data.kinds import KINDS
from i2ibench.data.pixel_formats import format_in
from i2ibench.errors import UserError, near_match
from i2ibench.evaluation.image_sources import MISMATCH, ORACLE, System
from i2ibench.evaluation.measurements import Rows, RowStore
from i2ibench.evaluation.protocol_scenes import ScoredScenes
from i2ibench.evaluation.protocols.protocol import Protocol
from i2ibench.evaluation.scores import (
    RELATIVE,
    Score,
    ScoreEstimate,
    Values,
    additive_scores,
    list_differences,
    list_notes,
    not_applicable,
    not_computed,
    relative_scores,
    resamplings,
    set_scores,
)
from i2ibench.io.provenance import fingerprint, sha256
from i2ibench.registry.code_hashes import hash_code_of
from i2ibench.registry.contracts import Metric

SCHEMA = "i2ibench/results@2"

PACKAGES = (
    "registry/contracts", "evaluation/features", "evaluation/metrics", "evaluation/segmenters",
    "models/ops", "models/layers", "models/styles", "data",
)  # fmt: skip
"""The packages of the core whose code the measurements depend on."""

Stores = Mapping[str, Mapping[str, RowStore]]


@dataclass(frozen=True)
class Evaluation:
    """The protocol of one evaluation with its opened scenes and metrics.

    Attributes:
        protocol: the rules of the evaluation.
        scenes: the scored scenes.
        metrics: the metrics by name.
        output_dir: the folder of results, images and rows.
        device: the device that computes networks.
    """

    protocol: Protocol
    scenes: ScoredScenes
    metrics: dict[str, Metric]
    output_dir: Path
    device: str

    def dependencies(self, name: str) -> dict[str, Any]:
        """Return as JSON values what a metric's measurements depend on besides the images.

        The keys are "metric" (its config), "weights" (hashes of its weight files) and "code" (the
        hash of the code that measures, including plugins).

        Args:
            name: the name of the metric.
        """
        metric, config = self.metrics[name], dict(self.protocol.metrics[name] or {})
        parts = [metric, *vars(metric).values(), *self.scenes.reading]
        code = hash_code_of(parts, [config, self.scenes.description], PACKAGES)
        weights = [sha256(path) for path in metric.weight_files]
        return {"metric": config, "weights": weights, "code": code}


def reason_not_measured(metric: Metric, system: System, scenes: ScoredScenes) -> Score | None:
    """Return None if a metric is measured on a system, else a results entry with the reason.

    The entry is {} if the metric is left out without a reason: distances of the real photos from
    themselves, and scores of samples and styles of the control systems (such as the class colours).
    """
    if metric.unavailable:
        return not_computed(str(metric.unavailable))
    if system.name == ORACLE and "real" in metric.needs:
        return {}
    if system.control and {"samples", "styles"} & set(metric.needs):
        return {}
    lacking = _lacking(metric, scenes)
    if lacking:
        return not_computed(f"The scored data has no {lacking}.")
    if "styles" not in metric.needs:
        return None
    if system.styles is None:
        return not_applicable(system.no_styles)
    missing = system.styles.missing if "training photos" in metric.needs else None
    return not_computed(missing) if missing else None


def is_reference(metric: Metric, system: System, protocol: Protocol) -> bool:
    """Return whether a set metric, such as FID, would compare images with the same images.

    This holds for the real photos, and for the photos of other scenes, in a protocol without a
    separate reference set.
    """
    has_real_images = system.name in (ORACLE, MISMATCH)
    return metric.kind == "set" and protocol.reference is None and has_real_images


def _lacking(metric: Metric, scenes: ScoredScenes) -> str | None:
    """Return the readable name of the first kind of data that a metric needs and the scenes lack.

    Return None if nothing is lacking. The first scene stands for all scenes; but a set metric, such
    as FID, needs a real image for every scene.
    """
    files = scenes.dataset.scenes.files[0]
    words = {"real" if k.name == "image" else k.name: k.called for k in KINDS.values()}
    available = {"real" if kind == "image" else kind for kind in files.paths}
    lacking = [need for need in metric.needs if need in words and need not in available]
    words["appearances"] = "record of how its instances truly look"
    if not scenes.has_photos and metric.kind == "set":
        lacking.append("real")
    if "appearances" in metric.needs and scenes.appearances(0) is None:
        lacking.append("appearances")
    return words[lacking[0]] if lacking else None


def build_results(
    evaluation: Evaluation,
    systems: Sequence[System],
    stores: Stores,
    reference: Mapping[str, Rows],
) -> dict[str, Any]:
    """Compute the content of `results.json` except origins, example scenes, time and versions.

    The rows are read from their files here.

    Args:
        evaluation: the evaluation.
        systems: the systems and control systems, in the order of the tables.
        stores: the row files by system and metric; all rows must have been measured.
        reference: the rows of the reference images by set metric. A set metric without an entry
            compares with the real photos of the scored scenes.
    """
    scenes = evaluation.scenes
    draws = resamplings(len(scenes), evaluation.protocol.draws, evaluation.protocol.seed)
    table: dict[str, dict[str, Score]] = {system.name: {} for system in systems}
    estimates: dict[str, dict[str, ScoreEstimate]] = {}
    for name in evaluation.metrics:
        estimates[name] = {}
        for system in systems:
            scores, found = _score(evaluation, name, system, stores, reference, draws)
            table[system.name] |= scores
            if found is not None:
                estimates[name][system.name] = found
    _add_relative(table, estimates)
    return {
        "schema": SCHEMA,
        "protocol": describe_protocol(evaluation),
        "data": {"name": scenes.dataset.metainfo["dataset"], "scenes": len(scenes),
                 "sha256": scenes.hash, "classes": scenes.dataset.metainfo["scored_classes"]},
        "systems": table,
        "controls": [system.name for system in systems if system.control],
        "unranked": [system.name for system in systems if system.control or system.informed],
        "better": _directions(evaluation.metrics),
        "differences": list_differences(estimates, systems, evaluation.metrics),
        "notes": list_notes(table, systems, estimates),
        "figures": _figures(evaluation, stores),
        "weights": _weight_hashes(evaluation.metrics),
    }  # fmt: skip


def _score(
    evaluation: Evaluation,
    name: str,
    system: System,
    stores: Stores,
    reference: Mapping[str, Rows],
    draws: Values,
) -> tuple[dict[str, Score], ScoreEstimate | None]:
    """Return by score name the entries of one system and metric, and the estimate for differences.

    The estimate is None for set metrics (such as FID) and for metrics that were not measured on the
    system. In the latter case the only entry is the metric's name with the reason, if any.
    """
    metric = evaluation.metrics[name]
    entry = reason_not_measured(metric, system, evaluation.scenes)
    if entry is not None:
        return ({name: entry} if entry else {}), None
    if is_reference(metric, system, evaluation.protocol):
        return {}, None
    rows = stores[system.name][name].read()
    if metric.kind == "set":
        real = reference[name] if name in reference else stores[ORACLE][name].read()
        return set_scores(metric, rows, real), None
    return additive_scores(metric, rows, draws)


def _figures(evaluation: Evaluation, stores: Stores) -> dict[str, dict[str, Any]]:
    """Return the numbers for charts by system and metric; systems without any are left out."""
    drawn = {name: m for name, m in evaluation.metrics.items() if m.has_figures}
    found = {
        system: {name: m.figures(own[name].read()) for name, m in drawn.items() if name in own}
        for system, own in stores.items()
    }
    return {system: figures for system, figures in found.items() if figures}


def _add_relative(
    table: Mapping[str, dict[str, Score]], estimates: Mapping[str, Mapping[str, ScoreEstimate]]
) -> None:
    """Add to the table each system's scores divided by the scores of the real photos.

    Nothing is added for the real photos themselves. `table` is changed in place.
    """
    for own in estimates.values():
        for system in own.keys() - {ORACLE} if ORACLE in own else ():
            table[system].update(relative_scores(own[system], own[ORACLE]))


def describe_protocol(evaluation: Evaluation) -> dict[str, Any]:
    """Return the protocol's name, config and hash, and one hash for each metric.

    Two numbers are comparable if the hashes of their metric ("metrics") are equal. They cover the
    settings, the scored data and the metric's options and weights, but no code. Unavailable metrics
    have none. The hash of the protocol ("sha256") covers all metrics.
    """
    protocol = evaluation.protocol
    settings, image_format = protocol.settings(), format_in(evaluation.scenes.dataset.metainfo)
    if not image_format.shows_as_rgb:
        settings["pictures"] = str(image_format)
    data = {"scenes": evaluation.scenes.hash, "data": evaluation.scenes.description}
    common = {k: v for k, v in settings.items() if k != "metrics"} | data
    metrics = {
        name: fingerprint([common, {**evaluation.dependencies(name), "code": None}])
        for name, metric in evaluation.metrics.items()
        if not metric.unavailable
    }
    return {
        "name": protocol.name,
        "sha256": fingerprint([settings, data, metrics]),
        "metrics": metrics,
        "config": settings,
    }


def _directions(metrics: Mapping[str, Metric]) -> dict[str, str]:
    """Return "higher" or "lower", whichever is better, for each ranked score by name."""
    found: dict[str, str] = dict.fromkeys(RELATIVE, "higher")
    for metric in metrics.values():
        found |= metric.better
    return found


def _weight_hashes(metrics: Mapping[str, Metric]) -> dict[str, str]:
    """Return the SHA-256 of every weights file by a text "<metric>: <file name>"."""
    return {
        f"{name}: {file.name}": sha256(file)
        for name, metric in metrics.items()
        for file in metric.weight_files
    }


def check_required(metrics: Mapping[str, Metric], wanted: Sequence[str]) -> None:
    """Check before the evaluation that an available metric gives each score in `wanted`.

    Only ranked scores, which a metric lists in `better`, can be required.

    Raises:
        UserError: a required score does not exist, or its metric is unavailable.
    """
    known = {score: metric for metric in metrics.values() for score in metric.better}
    for name in wanted:
        if name not in known:
            raise UserError(
                f"--require {name}: no metric of the protocol gives it.{near_match(name, known)} "
                f"There are: {', '.join(sorted(known))}."
            )
        if known[name].unavailable:
            raise UserError(f"--require {name}: {known[name].unavailable}")


def check_computed(results: Mapping[str, Any], wanted: Sequence[str]) -> None:
    """Check that every tested system has a defined value of each score in `wanted`.

    The control systems (real photos, class colours, photos of other scenes) are not checked.

    Args:
        results: the content of `results.json`.
        wanted: the names of the required scores.

    Raises:
        UserError: a value is missing or undefined; the message names the score and the system.
    """
    for name in wanted:
        for system, scores in results["systems"].items():
            if system not in results["controls"] and scores.get(name, {}).get("value") is None:
                raise UserError(f"--require {name}: it is undefined for {system}.")
