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
class ScoreEstimate:
    """The scores of an additive metric for one system, with their bootstrap draws.

    Attributes:
        values: for each score its value on all scenes.
        draws: for each score its values on the bootstrap draws, [draws].
        n: the number of scenes.
    """

    values: Mapping[str, float]
    draws: Mapping[str, Values]
    n: int


def resamplings(n: int, draws: int, seed: int) -> Values:
    """Return how often each bootstrap draw contains each of n scenes, [draws, n].

    Systems that are scored on the same scenes share the draws, so their differences are paired.
    """
    random = np.random.default_rng(seed)
    return random.multinomial(n, np.full(n, 1 / n), size=draws).astype(np.float64)


def estimate(metric: Summable, rows: Values, weights: Values) -> ScoreEstimate:
    """Compute the scores of an additive metric and their bootstrap draws.

    Args:
        metric: the metric, which scores sums of rows.
        rows: one row per scene, [n, D].
        weights: the draws from `resamplings`, [draws, n].
    """
    values = {name: float(v) for name, v in metric.scores(rows.sum(0)).items()}
    used = np.flatnonzero(rows.any(0))  # a confusion matrix of many classes is mostly zeros
    sums = np.zeros((len(weights), rows.shape[1]))
    sums[:, used] = weights @ rows[:, used]
    return ScoreEstimate(values, metric.scores(sums), len(rows))


def interval(draws: Values) -> tuple[float, float] | None:
    """Return the central 95 % interval of draws; None if fewer than 95 % of them are defined."""
    known = draws[~np.isnan(draws)]
    if len(known) < LEVEL * len(draws) or not len(known):
        return None
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def difference(one: ScoreEstimate, other: ScoreEstimate, name: str) -> tuple[float, float] | None:
    """Return the interval of a score's difference between two systems, paired by draws."""
    if name not in one.draws or name not in other.draws:
        return None
    return interval(one.draws[name] - other.draws[name])


def ratio(one: ScoreEstimate, other: ScoreEstimate, name: str) -> tuple[float, Values]:
    """Return a score divided by the score of another system: its value and its draws."""
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.divide(one.values[name], other.values[name])
        return float(value), one.draws[name] / other.draws[name]


Score = dict[str, Any]

RELATIVE = {"seg/rel_miou": "seg/miou", "seg/rel_pixel_acc": "seg/pixel_acc"}
"""For each relative score the score that is divided by the oracle's score."""


def additive_scores(
    metric: Metric, rows: Rows, weights: Any
) -> tuple[dict[str, Score], ScoreEstimate]:
    """Return the entries of an additive metric's scores, and the estimate for differences."""
    found = estimate(*adding_rows(metric, rows), weights)
    return {name: _score(name, found, metric) for name in found.values}, found


def adding_rows(metric: Metric, rows: Rows) -> tuple[Summable, Any]:
    """Return the scorer of an additive metric and its rows [n,D], one for each scene."""
    refined = metric.refine(rows)
    return refined, refined.rows


def _score(name: str, found: ScoreEstimate, metric: Metric) -> Score:
    value = found.values[name]
    score: Score = {"value": value if math.isfinite(value) else None, "n": found.n, "status": "ok"}
    bounds = interval(found.draws[name])
    if bounds and (name in metric.better or _has_interval(name)):
        score |= {"low": bounds[0], "high": bounds[1]}
    return score


def _has_interval(name: str) -> bool:
    """Return whether an unranked score has an interval, as scores of one class and of styles have.

    Counts have no interval. Purity has none either, because scenes that are drawn twice raise it.
    """
    without = ("style/n/", "style/pictures", "style/purity")
    kinds = ("seg/iou/", "seg/acc/", "crop_", "style/", "div/")
    return name.startswith(kinds) and not name.startswith(without)


def set_scores(metric: Metric, rows: Rows, reference: Rows) -> dict[str, Score]:
    """Return the entries of a set metric's scores: distances of rows from reference rows."""
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
    """Return the entry of a score that cannot be computed."""
    return {"value": None, "status": "not computed", "reason": reason}


def not_applicable(reason: str) -> Score:
    """Return the entry of a score that does not apply to a system."""
    return {"value": None, "status": "not applicable", "reason": reason}


def relative_scores(own: ScoreEstimate, oracle: ScoreEstimate) -> dict[str, Score]:
    """Return the entries of the scores that are divided by the scores of the real images."""
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
    estimates: Mapping[str, Mapping[str, ScoreEstimate]],
    systems: Sequence[System],
    metrics: Mapping[str, Metric],
) -> list[dict[str, Any]]:
    """Return the interval of the difference for every ranked score and pair of systems under test.

    One system is better than the other only if the interval excludes zero.
    """
    names = [s.name for s in systems if not s.control]
    found = []
    for metric_name, own in estimates.items():
        for score in metrics[metric_name].better:
            for one, other in combinations([n for n in names if n in own], 2):
                found += _differences(own, one, other, score)
    return found


def _differences(
    own: Mapping[str, ScoreEstimate], one: str, other: str, score: str
) -> list[dict[str, Any]]:
    """Return the intervals of a score's difference and of its relative score's difference."""
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
    estimates: Mapping[str, Mapping[str, ScoreEstimate]],
) -> list[str]:
    """Return notes for readers of the scores, including conclusions from the controls."""
    by_text: dict[str, list[str]] = {}
    for system in systems:
        for note in [*system.notes, *_control_notes(table, system, estimates)]:
            by_text.setdefault(note, []).append(system.name)
    return _warnings(table) + [f"{'; '.join(names)}: {text}" for text, names in by_text.items()]


def _control_notes(
    table: Mapping[str, Mapping[str, Score]],
    system: System,
    estimates: Mapping[str, Mapping[str, ScoreEstimate]],
) -> list[str]:
    """Return notes on a system's scores that follow from the controls."""
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
    """Return every warning of a score once."""
    found = {
        f"{name}: {score['warning']}"
        for scores in table.values()
        for name, score in scores.items()
        if score.get("warning")
    }
    return sorted(found)


def _beats_mismatch(own: Mapping[str, ScoreEstimate], system: str) -> bool:
    """Return False only if a system is not better than real images of other scenes."""
    if system not in own or MISMATCH not in own or "seg/pixel_acc" not in own[system].values:
        return True
    bounds = difference(own[system], own[MISMATCH], "seg/pixel_acc")
    return bounds is None or bounds[0] > 0


def _value(scores: Mapping[str, Score], name: str) -> float | None:
    return scores.get(name, {}).get("value")
