"""Intervals: bootstrap over scenes, for one system and for the difference of two."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
