"""Scores with bootstrap intervals, entries for missing scores, and notes from the controls."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2ibench.evaluation.image_sources import MISMATCH, ORACLE, System
from i2ibench.evaluation.measurements import Rows
from i2ibench.registry.contracts import Metric
from i2ibench.registry.contracts.metrics import Summable

Values = NDArray[np.float64]

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """The scores of an additive metric for one system.

    Attributes:
        values: each score on the scenes as they are.
        draws: each score on every bootstrap draw, [draws].
        n: scenes.
    """

    values: Mapping[str, float]
    draws: Mapping[str, Values]
    n: int


def resamplings(n: int, draws: int, seed: int) -> Values:
    """Return how often each bootstrap draw takes each of n scenes, [draws, n].

    Systems that are scored on the same scenes share the draws, which pairs their differences.
    """
    random = np.random.default_rng(seed)
    return random.multinomial(n, np.full(n, 1 / n), size=draws).astype(np.float64)


def estimate(metric: Summable, rows: Values, weights: Values) -> Estimate:
    """Scores and their bootstrap draws.

    Args:
        metric: an additive metric.
        rows: one row per scene, [n, D].
        weights: from `resamplings`.
    """
    values = {name: float(v) for name, v in metric.scores(rows.sum(0)).items()}
    used = np.flatnonzero(rows.any(0))  # a confusion matrix of many classes is mostly zeros
    sums = np.zeros((len(weights), rows.shape[1]))
    sums[:, used] = weights @ rows[:, used]
    return Estimate(values, metric.scores(sums), len(rows))


def interval(draws: Values) -> tuple[float, float] | None:
    """The middle 95 % of the draws; None unless nearly all of them are defined."""
    known = draws[~np.isnan(draws)]
    if len(known) < LEVEL * len(draws) or not len(known):
        return None
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def difference(one: Estimate, other: Estimate, name: str) -> tuple[float, float] | None:
    """The interval of a score's difference between two systems on the same draws of scenes."""
    if name not in one.draws or name not in other.draws:
        return None
    return interval(one.draws[name] - other.draws[name])


def ratio(one: Estimate, other: Estimate, name: str) -> tuple[float, Values]:
    """A score as a share of another system's, and its draws."""
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.divide(one.values[name], other.values[name])
        return float(value), one.draws[name] / other.draws[name]


Score = dict[str, Any]

RELATIVE = {"seg/rel_miou": "seg/miou", "seg/rel_pixel_acc": "seg/pixel_acc"}
"""Scores given as a share of the oracle's."""


def additive_scores(metric: Metric, rows: Rows, weights: Any) -> tuple[dict[str, Score], Estimate]:
    """The scores of an additive metric, and what intervals of differences need."""
    found = estimate(*adding_rows(metric, rows), weights)
    return {name: _score(name, found, metric) for name in found.values}, found


def adding_rows(metric: Metric, rows: Rows) -> tuple[Summable, Any]:
    """An additive metric's `scores`, with the rows [n,D], one per scene, whose sums it takes."""
    refined = metric.refine(rows)
    return refined, refined.rows


def _score(name: str, found: Estimate, metric: Metric) -> Score:
    value = found.values[name]
    score: Score = {"value": value if math.isfinite(value) else None, "n": found.n, "status": "ok"}
    bounds = interval(found.draws[name])
    if bounds and (name in metric.better or _has_interval(name)):
        score |= {"low": bounds[0], "high": bounds[1]}
    return score


def _has_interval(name: str) -> bool:
    """Return whether an unranked score has an interval: scores of one class and of styles do.

    Counts have none, nor has purity, which rises by itself where scenes are drawn twice.
    """
    without = ("style/n/", "style/pictures", "style/purity")
    kinds = ("seg/iou/", "seg/acc/", "crop_", "style/", "div/")
    return name.startswith(kinds) and not name.startswith(without)


def set_scores(metric: Metric, rows: Rows, reference: Rows) -> dict[str, Score]:
    """The scores of a set metric: distances of all rows from the reference's."""
    scores = metric.set_scores(np.concatenate(rows), np.concatenate(reference))
    found: dict[str, Score] = {}
    for name, s in scores.items():
        score: Score = {"value": s.value if math.isfinite(s.value) else None, "n": s.n}
        score |= {"reference": s.m, "status": "ok"}
        if s.low is not None:
            score |= {"low": s.low, "high": s.high, "spread": s.spread}
        if s.curve:
            score["curve"] = [list(point) for point in s.curve]
        if s.warning:
            score["warning"] = s.warning
        found[name] = score
    return found


def not_computed(reason: str) -> Score:
    """The entry of a metric that cannot be computed."""
    return {"value": None, "status": "not computed", "reason": reason}


def not_applicable(reason: str) -> Score:
    """The entry of a metric that has nothing to measure on a system."""
    return {"value": None, "status": "not applicable", "reason": reason}


def relative_scores(own: Estimate, oracle: Estimate) -> dict[str, Score]:
    """The scores as a share of the real photos'."""
    found: dict[str, Score] = {}
    for name, source in RELATIVE.items():
        if source in own.values:
            value, draws = ratio(own, oracle, source)
            bounds = interval(draws)
            found[name] = {
                "value": value if math.isfinite(value) else None, "n": own.n, "status": "ok",
                **({"low": bounds[0], "high": bounds[1]} if bounds else {}),
            }  # fmt: skip
    return found


def list_differences(
    estimates: Mapping[str, Mapping[str, Estimate]],
    systems: Sequence[System],
    metrics: Mapping[str, Metric],
) -> list[dict[str, Any]]:
    """For every pair of systems under test and every ranked score the interval of the difference.

    Only where it excludes zero is one system better than the other.
    """
    names = [s.name for s in systems if not s.control]
    found = []
    for metric_name, own in estimates.items():
        for score in metrics[metric_name].better:
            for one, other in combinations([n for n in names if n in own], 2):
                found += _differences(own, one, other, score)
    return found


def _differences(
    own: Mapping[str, Estimate], one: str, other: str, score: str
) -> list[dict[str, Any]]:
    """The interval of a score's difference, and of its share of the oracle's."""
    pair = [one, other]
    found = []
    if bounds := difference(own[one], own[other], score):
        found.append({"score": score, "systems": pair, "interval": bounds})
    for name, source in RELATIVE.items():
        if source == score and ORACLE in own:
            draws = [ratio(own[system], own[ORACLE], score)[1] for system in pair]
            if bounds := interval(draws[0] - draws[1]):
                found.append({"score": name, "systems": pair, "interval": bounds})
    return found


def list_notes(
    table: Mapping[str, Mapping[str, Score]],
    systems: Sequence[System],
    estimates: Mapping[str, Mapping[str, Estimate]],
) -> list[str]:
    """What a reader must know of the scores, and what the controls say about them."""
    by_text: dict[str, list[str]] = {}
    for system in systems:
        for note in [*system.notes, *_findings(table, system, estimates)]:
            by_text.setdefault(note, []).append(system.name)
    return _warnings(table) + [f"{'; '.join(names)}: {text}" for text, names in by_text.items()]


def _findings(
    table: Mapping[str, Mapping[str, Score]],
    system: System,
    estimates: Mapping[str, Mapping[str, Estimate]],
) -> list[str]:
    """Return notes on what the controls say about a system's scores."""
    if system.control:
        return []
    found = []
    value, oracle = (_value(table.get(n, {}), "seg/miou") for n in (system.name, ORACLE))
    if value is not None and oracle is not None and value > oracle:
        found.append(
            "a higher mIoU than the real photos'. The segmenter finds these images easier than "
            "reality; this is no sign of realism"
        )
    if not all(_beats_mismatch(own, system.name) for own in estimates.values()):
        found.append(
            "does not fit the label maps better than photos of other scenes do. Are the images "
            "paired with the right scenes? Check their names"
        )
    return found


def _warnings(table: Mapping[str, Mapping[str, Score]]) -> list[str]:
    """Each score's warning once."""
    found = {
        f"{name}: {score['warning']}"
        for scores in table.values()
        for name, score in scores.items()
        if score.get("warning")
    }
    return sorted(found)


def _beats_mismatch(own: Mapping[str, Estimate], system: str) -> bool:
    """Return False only if a system is known to be no better than photos of other scenes."""
    if system not in own or MISMATCH not in own or "seg/pixel_acc" not in own[system].values:
        return True
    bounds = difference(own[system], own[MISMATCH], "seg/pixel_acc")
    return bounds is None or bounds[0] > 0


def _value(scores: Mapping[str, Score], name: str) -> float | None:
    return scores.get(name, {}).get("value")
