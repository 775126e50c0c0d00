"""Results: what `results.json` holds, from the rows of every system and metric."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from i2ibench.data.kinds import KINDS
from i2ibench.data.pixel_formats import format_in
from i2ibench.errors import UserError, near_match
from i2ibench.evaluation.image_sources import MISMATCH, ORACLE, System
from i2ibench.evaluation.measurements import Rows, RowStore
from i2ibench.evaluation.protocols.protocol import Protocol
from i2ibench.evaluation.scored_scenes import ScoredScenes
from i2ibench.evaluation.scores import (
    RELATIVE,
    Estimate,
    Score,
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
"""The packages of the core whose code decides what is measured."""

Stores = Mapping[str, Mapping[str, RowStore]]


@dataclass(frozen=True)
class Evaluation:
    """One evaluation: the protocol, its scenes and metrics, and where things are written.

    Attributes:
        protocol: what is scored how.
        scenes: the protocol's.
        metrics: by name.
        output_dir: results, images and rows.
        device: where networks run.
    """

    protocol: Protocol
    scenes: ScoredScenes
    metrics: dict[str, Metric]
    output_dir: Path
    device: str

    def facts(self, name: str) -> dict[str, Any]:
        """Return all that a metric's rows depend on besides the images, in plain JSON."""
        metric, config = self.metrics[name], dict(self.protocol.metrics[name] or {})
        parts = [metric, *vars(metric).values(), *self.scenes.reading]
        code = hash_code_of(parts, [config, self.scenes.facts], PACKAGES)
        weights = [sha256(path) for path in metric.weight_files]
        return {"metric": config, "weights": weights, "code": code}


def reason_not_measured(metric: Metric, system: System, scenes: ScoredScenes) -> Score | None:
    """The entry of a metric that is not measured on a system, {} for none; None if it is."""
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
    """Return whether a system's images are what a metric compares with, in whatever order."""
    photos = system.name in (ORACLE, MISMATCH)
    return metric.kind == "set" and protocol.reference is None and photos


def _lacking(metric: Metric, scenes: ScoredScenes) -> str | None:
    """Return what a metric needs and the scored data does not have."""
    files = scenes.dataset.scenes.files[0]
    words = {"real" if k.name == "image" else k.name: k.called for k in KINDS.values()}
    there = {"real" if kind == "image" else kind for kind in files.paths}
    lacking = [need for need in metric.needs if need in words and need not in there]
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
    """Scores of every system under every metric, with what a reader must know of them."""
    scenes = evaluation.scenes
    draws = resamplings(len(scenes), evaluation.protocol.draws, evaluation.protocol.seed)
    table: dict[str, dict[str, Score]] = {system.name: {} for system in systems}
    estimates: dict[str, dict[str, Estimate]] = {}
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
) -> tuple[dict[str, Score], Estimate | None]:
    """The scores of one system under one metric; none where the metric would say nothing."""
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
    """By system and metric what charts are drawn from, of the metrics that give such numbers."""
    drawn = {name: m for name, m in evaluation.metrics.items() if m.has_figures}
    found = {
        system: {name: m.figures(own[name].read()) for name, m in drawn.items() if name in own}
        for system, own in stores.items()
    }
    return {system: figures for system, figures in found.items() if figures}


def _add_relative(
    table: Mapping[str, dict[str, Score]], estimates: Mapping[str, Mapping[str, Estimate]]
) -> None:
    """Give each system its scores as a share of the real photos'."""
    for own in estimates.values():
        for system in own.keys() - {ORACLE} if ORACLE in own else ():
            table[system].update(relative_scores(own[system], own[ORACLE]))


def describe_protocol(evaluation: Evaluation) -> dict[str, Any]:
    """The protocol with its hash, and the hash behind each metric's numbers.

    Numbers compare if their metric's hash is the same; the protocol's covers all of them.
    """
    protocol = evaluation.protocol
    facts, made = protocol.facts(), format_in(evaluation.scenes.dataset.metainfo)
    if not made.shows_as_rgb:
        facts["pictures"] = str(made)
    data = {"scenes": evaluation.scenes.hash, "data": evaluation.scenes.facts}
    common = {k: v for k, v in facts.items() if k != "metrics"} | data
    metrics = {
        name: fingerprint([common, {**evaluation.facts(name), "code": None}])
        for name, metric in evaluation.metrics.items()
        if not metric.unavailable
    }
    return {
        "name": protocol.name,
        "sha256": fingerprint([facts, data, metrics]),
        "metrics": metrics,
        "config": facts,
    }


def _directions(metrics: Mapping[str, Metric]) -> dict[str, str]:
    """Return for each score whether higher or lower is better."""
    found: dict[str, str] = dict.fromkeys(RELATIVE, "higher")
    for metric in metrics.values():
        found |= metric.better
    return found


def _weight_hashes(metrics: Mapping[str, Metric]) -> dict[str, str]:
    """The SHA-256 of every weights file that a metric uses."""
    return {
        f"{name}: {file.name}": sha256(file)
        for name, metric in metrics.items()
        for file in metric.weight_files
    }


def check_required(metrics: Mapping[str, Metric], wanted: Sequence[str]) -> None:
    """Refuse a score that was asked for and that no metric can give, before any work.

    Raises:
        UserError: names it, and what is missing or what there is.
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
    """Refuse results without a value that was asked for.

    Raises:
        UserError: names the score and the system.
    """
    for name in wanted:
        for system, scores in results["systems"].items():
            if system not in results["controls"] and scores.get(name, {}).get("value") is None:
                raise UserError(f"--require {name}: it is undefined for {system}.")
