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
    """Return the number of times each bootstrap draw contains each of n scenes, float64 [draws, n].

    Each row sums to n. Systems that are scored on the same scenes share the draws, so their
    differences are paired.
    """
    random = np.random.default_rng(seed)
    return random.multinomial(n, np.full(n, 1 / n), size=draws).astype(np.float64)


def estimate(metric: Summable, rows: Values, weights: Values) -> ScoreEstimate:
    """Compute the scores of an additive metric on all scenes and on every bootstrap draw.

    Args:
        metric: the metric, or the object with its refined rows; it scores sums of rows.
        rows: the measurements, one row per scene, [n, D].
        weights: the draws from `resamplings`, [draws, n].
    """
    values = {name: float(v) for name, v in metric.scores(rows.sum(0)).items()}
    used = np.flatnonzero(rows.any(0))  # a confusion matrix of many classes is mostly zeros
    sums = np.zeros((len(weights), rows.shape[1]))
    sums[:, used] = weights @ rows[:, used]
    return ScoreEstimate(values, metric.scores(sums), len(rows))


def interval(draws: Values) -> tuple[float, float] | None:
    """Return the central 95 % interval (low, high) of draws [n], nan left out.

    Return None if fewer than 95 % of the draws are defined, or if there is no draw.
    """
    known = draws[~np.isnan(draws)]
    if len(known) < LEVEL * len(draws) or not len(known):
        return None
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def difference(one: ScoreEstimate, other: ScoreEstimate, name: str) -> tuple[float, float] | None:
    """Return the 95 % interval of the score `name` of `one` minus that of `other`, paired by draws.

    Return None if one of them lacks the score, or if more than 5 % of the differences are
    undefined.
    """
    if name not in one.draws or name not in other.draws:
        return None
    return interval(one.draws[name] - other.draws[name])


def ratio(one: ScoreEstimate, other: ScoreEstimate, name: str) -> tuple[float, Values]:
    """Return the score `name` of `one` divided by that of `other`: its value and its draws.

    Both must have the score. Where the divisor is 0 the result is infinite or nan.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.divide(one.values[name], other.values[name])
        return float(value), one.draws[name] / other.draws[name]


Score = dict[str, Any]

RELATIVE = {"seg/rel_miou": "seg/miou", "seg/rel_pixel_acc": "seg/pixel_acc"}
"""For each relative score the score that is divided by the oracle's score."""


def additive_scores(
    metric: Metric, rows: Rows, weights: Any
) -> tuple[dict[str, Score], ScoreEstimate]:
    """Compute an additive metric's scores with bootstrap intervals from the rows of one system.

    Args:
        metric: the metric.
        rows: what the metric measured on each scene.
        weights: the draws from `resamplings`, [draws, n].

    Returns:
        The entries of the results by score name, and the estimate, from which differences between
        systems are computed. A value that is not finite becomes None. Only ranked scores, and those
        of `_has_interval`, have the keys "low" and "high".
    """
    found = estimate(*adding_rows(metric, rows), weights)
    return {name: _score(name, found, metric) for name in found.values}, found


def adding_rows(metric: Metric, rows: Rows) -> tuple[Summable, Any]:
    """Refine an additive metric's rows; return an object that scores sums, and rows [n,D] for it.

    There is one refined row for each scene. Most metrics keep their rows as they are.
    """
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
    """Return whether an unranked score gets an interval in the results, judged by its name.

    Scores of one class, of crops, of styles and of diversity have one. Counts have none. Purity has
    none either, because scenes that are drawn twice raise it.
    """
    without = ("style/n/", "style/pictures", "style/purity")
    kinds = ("seg/iou/", "seg/acc/", "crop_", "style/", "div/")
    return name.startswith(kinds) and not name.startswith(without)


def set_scores(metric: Metric, rows: Rows, reference: Rows) -> dict[str, Score]:
    """Compute a set metric's distances, such as FID, between one system's and the reference's rows.

    Args:
        metric: the metric.
        rows: for each scene the features of the system's images, [k,D].
        reference: the same for the reference images.

    Returns:
        By score name a dict with "value" (None if it is not finite), "n" and "reference" (the
        numbers of rows) and "status" ("ok"). The keys "low", "high", "spread", "curve" and
        "warning" exist only if there is such a number or text.
    """
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
    """Return the results entry of a score that cannot be computed, with the reason."""
    return {"value": None, "status": "not computed", "reason": reason}


def not_applicable(reason: str) -> Score:
    """Return the results entry of a score that does not apply to a system, with the reason."""
    return {"value": None, "status": "not applicable", "reason": reason}


def relative_scores(own: ScoreEstimate, oracle: ScoreEstimate) -> dict[str, Score]:
    """Return the entries of one system's scores divided by the scores of the real photos.

    These are `seg/rel_miou` and `seg/rel_pixel_acc`. Return {} for the estimate of a metric without
    these scores.
    """
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
    """Return the intervals of differences between tested systems, for all pairs and ranked scores.

    One system is better than the other only if the interval excludes zero. Set metrics (such as
    FID) have no differences. Undefined intervals are left out.

    Args:
        estimates: the estimates by metric and system; only additive metrics have some.
        systems: all systems; the control systems (such as the real photos) are left out.
        metrics: the metrics by name.

    Returns:
        Dicts with "score", "systems" (two names) and "interval" (low, high of the first minus the
        second).
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
    """Return the intervals of one score's difference `one` minus `other`, in a list of dicts.

    If the score is also divided by the score of the real photos, the list has the difference of the
    relative scores too. Undefined intervals are left out.
    """
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
    """Return notes for readers of the scores: warnings of scores first, then notes on systems.

    Systems with the same note share a line that begins with their names. Notes on systems include
    conclusions from the control systems, such as a system that scores better than the real photos.
    """
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
    """Return notes on a tested system that compare its scores with those of the control systems.

    There is a note if its mIoU is above that of the real photos, and one if it fits the label maps
    no better than the photos of other scenes. A control system has no notes.
    """
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
    """Return "<score>: <warning>" for every score with a warning, sorted, each text once."""
    found = {
        f"{name}: {score['warning']}"
        for scores in table.values()
        for name, score in scores.items()
        if score.get("warning")
    }
    return sorted(found)


def _beats_mismatch(own: Mapping[str, ScoreEstimate], system: str) -> bool:
    """Return False only if a system's pixel accuracy is not clearly above the mismatched photos'.

    "Clearly" means that the 95 % interval of the difference lies above 0. Return True if one of
    them was not scored by this metric, or if the interval is unknown.
    """
    if system not in own or MISMATCH not in own or "seg/pixel_acc" not in own[system].values:
        return True
    bounds = difference(own[system], own[MISMATCH], "seg/pixel_acc")
    return bounds is None or bounds[0] > 0


def _value(scores: Mapping[str, Score], name: str) -> float | None:
    return scores.get(name, {}).get("value")
