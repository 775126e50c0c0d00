"""Statistics of a preference: its rate, intervals and tests."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, norm, t

from i2ibench.study.bootstrap import LEVEL, Resampled
from i2ibench.study.judgments import FIRST, SECOND, TIED

Values = NDArray[np.float64]

PARTS = ("participants", "scenes", "cells")
"""Of a variance."""


def rates(counts: Values) -> Values:
    """Share of answers that prefer the first method, ties half, over the last axis [..., 3]."""
    total = counts.sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((counts[..., FIRST] + counts[..., TIED] / 2) / total)


def wilson_interval(rate: float, n: float, quantile: float | None = None) -> list[float]:
    """Wilson's 95 % interval of a rate among n independent answers (Wilson 1927).

    Args:
        rate: from 0 to 1.
        n: how many; need not be whole.
        quantile: of the standard normal distribution's place; Student's for few clusters.
    """
    z = float(norm.ppf((1 + LEVEL) / 2)) if quantile is None else quantile
    shrink = 1 + z * z / n
    centre = (rate + z * z / (2 * n)) / shrink
    half = z * float(np.sqrt(rate * (1 - rate) / n + (z / (2 * n)) ** 2)) / shrink
    return [max(centre - half, 0.0), min(centre + half, 1.0)]


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """P-values corrected for testing all of them (Holm 1979); None stays None."""
    known = sorted((p, at) for at, p in enumerate(p_values) if p is not None)
    found: list[float | None] = [None] * len(p_values)
    greatest = 0.0
    for rank, (p, at) in enumerate(known):
        greatest = max(greatest, min(1.0, (len(known) - rank) * p))
        found[at] = greatest
    return found


def compare(resampled: Resampled) -> list[dict[str, Any]]:
    """Every pair at every time, in the study's order: counts, rate, intervals and tests."""
    definition = resampled.judgments.definition
    counts = resampled.counts[0].sum(2)
    spread = resampled.spread(lambda drawn: rates(drawn.sum(3)))
    rows = []
    for pair, (first, second) in enumerate(definition.compared):
        for time, duration in enumerate(definition.times):
            own, clusters = counts[pair, time], resampled.clusters(pair, time)
            margin = spread.margin(clusters)
            row = {
                "first": first, "second": second, "duration": duration, "n": int(own.sum()),
                "preferred_first": int(own[FIRST]), "ties": int(own[TIED]),
                "preferred_second": int(own[SECOND]),
                "participants": clusters[0], "scenes": clusters[1],
            }  # fmt: skip
            variance, degrees = (float(v[pair, time]) for v in (margin.variance, margin.degrees))
            tests = _tests(own, variance, int(degrees), min(clusters))
            parts = {name: float(getattr(spread, name)[pair, time]) for name in PARTS}
            rows.append(row | tests | {"variance": parts})
    for key in ("p_binomial", "p_cluster"):
        for row, corrected in zip(rows, holm([r[key] for r in rows]), strict=True):
            row[f"{key}_holm"] = corrected
    return rows


def _tests(own: Values, variance: float, degrees: int, fewest: int) -> dict[str, Any]:
    """Rate, intervals and p-values of one comparison."""
    n = float(own.sum())
    if not n:
        names = ("rate", "wilson", "interval", "effective", "p_binomial", "p_cluster")
        return dict.fromkeys(names)
    rate = float(rates(own))
    effective = effective_number(rate, variance, fewest)
    found = {
        "rate": rate, "wilson": wilson_interval(rate, n), "effective": effective,
        "interval": None, "p_cluster": None,
        "p_binomial": _binomial(int(own[FIRST]), int(own[SECOND])),
    }  # fmt: skip
    if effective is not None:
        found["interval"] = cluster_interval(rate, effective, degrees)
        away = abs(rate - 0.5) * 2 * float(np.sqrt(effective))
        found["p_cluster"] = float(2 * t.sf(away, degrees))
    return found


def effective_number(rate: float, variance: float, fewest: int) -> float | None:
    """How many independent answers would be as certain as the clustered ones are.

    rate (1 - rate) / variance; where all answers are equal and show no variance, the smaller
    number of clusters, as if each had answered once. None where the variance is unknown.
    """
    if not np.isfinite(variance):
        return None
    certain = rate * (1 - rate)
    if certain == 0 or variance <= 0:
        return float(fewest)
    return certain / variance


def cluster_interval(rate: float, effective: float, degrees: int) -> list[float]:
    """Wilson's interval of the effective number of answers, with Student's quantile.

    After Korn & Graubard 1998, who put the effective number into the interval of Clopper and
    Pearson; Wilson's is the one whose coverage is measured here.
    """
    return wilson_interval(rate, effective, float(t.ppf((1 + LEVEL) / 2, degrees)))


def _binomial(first: int, second: int) -> float | None:
    """The exact two-sided p-value of "no preference" for untied answers; None without any."""
    untied = first + second
    return float(binomtest(first, untied).pvalue) if untied else None
