"""Statistics of a preference: its rate, intervals and tests."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import binomtest, norm, t

from i2ibench.apps.study.analyse.bootstrap import LEVEL, Resampled, Spread, Values
from i2ibench.apps.study.analyse.judgments import FIRST, SECOND, TIED, Judgments

PARTS = ("participants", "scenes", "cells")
"""Names of the variances of a `Spread`."""


def rates(counts: Values) -> Values:
    """Return the share of answers that prefer the first method [...]; a tie is half an answer.

    The share is nan where there are no answers.

    Args:
        counts: counts of FIRST, TIED and SECOND in the last axis, [..., 3].
    """
    total = counts.sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((counts[..., FIRST] + counts[..., TIED] / 2) / total)


def wilson_interval(rate: float, n: float, quantile: float | None = None) -> list[float]:
    """Return Wilson's 95 % interval [low, high] of a rate among n independent answers.

    Source: Wilson 1927.

    Args:
        rate: from 0 to 1.
        n: number of answers, more than 0; it need not be an integer.
        quantile: Student's quantile for few clusters; None is that of the normal distribution.
    """
    z = float(norm.ppf((1 + LEVEL) / 2)) if quantile is None else quantile
    shrink = 1 + z * z / n
    centre = (rate + z * z / (2 * n)) / shrink
    half = z * float(np.sqrt(rate * (1 - rate) / n + (z / (2 * n)) ** 2)) / shrink
    return [max(centre - half, 0.0), min(centre + half, 1.0)]


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return p-values corrected for testing all of them (Holm 1979), in the given order.

    None stays None and does not count as a test.
    """
    known = sorted((p, at) for at, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    greatest = 0.0
    for rank, (p, at) in enumerate(known):
        greatest = max(greatest, min(1.0, (len(known) - rank) * p))
        corrected[at] = greatest
    return corrected


def compare(resampled: Resampled) -> list[dict[str, Any]]:
    """Return the counts, rate, intervals and tests of every pair at every duration.

    Returns:
        One dict for each pair and duration: all durations of the first pair, then of the next. It
        has the methods "first" and "second", the "duration" in seconds (None: unlimited), the
        counts, the entries of `_tests` and `_variance_shares`, and "variance", the rate's variance
        over draws of each of PARTS (None if unknown). "p_binomial_holm" and "p_cluster_holm" are
        corrected for all comparisons.
    """
    definition = resampled.judgments.definition
    spread = resampled.spread(lambda counts: rates(counts.sum(3)))
    rows = [
        _comparison(resampled, spread, pair, time)
        for pair in range(len(definition.compared))
        for time in range(len(definition.times))
    ]
    for key in ("p_binomial", "p_cluster"):
        for row, corrected in zip(rows, holm([r[key] for r in rows]), strict=True):
            row[f"{key}_holm"] = corrected
    return rows


def _comparison(resampled: Resampled, spread: Spread, pair: int, time: int) -> dict[str, Any]:
    """Return one comparison as `compare` describes it, without the corrected p-values."""
    judgments, definition = resampled.judgments, resampled.judgments.definition
    counts, clusters = resampled.counts[0, pair, time].sum(0), resampled.clusters(pair, time)
    margin = spread.margin(clusters)
    variance, degrees = (float(v[pair, time]) for v in (margin.variance, margin.degrees))
    variances = {name: float(getattr(spread, name)[pair, time]) for name in PARTS}
    parts = {name: v if np.isfinite(v) else None for name, v in variances.items()}
    first, second = definition.compared[pair]
    own = judgments.where((judgments.pair == pair) & (judgments.time == time))
    return {
        "first": first, "second": second, "duration": definition.times[time],
        "n": int(counts.sum()), "preferred_first": int(counts[FIRST]), "ties": int(counts[TIED]),
        "preferred_second": int(counts[SECOND]), "participants": clusters[0],
        "scenes": clusters[1], **_tests(counts, variance, int(degrees)), "variance": parts,
        **_variance_shares(own, parts),
    }  # fmt: skip


def _tests(counts: Values, variance: float, degrees: int) -> dict[str, Any]:
    """Return the rate, intervals and p-values of one comparison; all are None without answers."""
    n = float(counts.sum())
    if not n:
        names = ("rate", "wilson", "interval", "effective", "p_binomial", "p_cluster")
        return dict.fromkeys(names)
    rate = float(rates(counts))
    effective = effective_number(rate, variance, n)
    untied = int(counts[FIRST]) + int(counts[SECOND])
    row = {
        "rate": rate, "wilson": wilson_interval(rate, n), "effective": effective,
        "interval": None, "p_cluster": None,
        "p_binomial": float(binomtest(int(counts[FIRST]), untied).pvalue) if untied else None,
    }  # fmt: skip
    if effective is not None:
        # After Korn & Graubard 1998, who use the effective number in the interval of Clopper and
        # Pearson. `benchmarks/study_coverage.py` measures the coverage of Wilson's.
        quantile = float(t.ppf((1 + LEVEL) / 2, degrees))
        row["interval"] = wilson_interval(rate, effective, quantile)
        z = abs(rate - 0.5) * 2 * float(np.sqrt(effective))
        row["p_cluster"] = float(2 * t.sf(z, degrees))
    return row


def _variance_shares(judgments: Judgments, variance: Mapping[str, float | None]) -> dict[str, Any]:
    """Return how much of the variance of one answer comes from the participant and from the scene.

    The share of the participant follows from V_participants / V_cells = 1 + (k - 1) share, where k
    is the mean number of answers that share an answer's participant (Kish 1965). The share of the
    scene follows likewise. Shares are limited to the range from 0 to 1.
    """
    shares: dict[str, Any] = {}
    for name, group in (("participant", judgments.participant), ("scene", judgments.scene)):
        sizes = np.bincount(group).astype(np.float64)
        k = float((sizes**2).sum() / max(sizes.sum(), 1))
        whole, own = variance["cells"], variance[f"{name}s"]
        if not whole or own is None or k <= 1:
            shares[f"{name}_share"] = None
        else:
            shares[f"{name}_share"] = min(max((own / whole - 1) / (k - 1), 0.0), 1.0)
    return shares


def effective_number(rate: float, variance: float, n: float) -> float | None:
    """Return how many independent answers would be as certain as n clustered answers.

    This is rate (1 - rate) / variance. It may exceed n if participants or scenes differ less than
    by chance. If all answers are equal, there is no variance, and the result is n - 1, but at least
    1: n - 1 is the value for one differing answer, whose variance is 1 / n² by each kind of
    cluster. So unanimity is worth at least as much as near-unanimity.

    Args:
        rate: preference rate of the answers, 0 to 1.
        variance: variance of the rate over new participants and scenes. If it is nan, it is
            unknown, and the result is None.
        n: number of answers.
    """
    if not np.isfinite(variance):
        return None
    certain = rate * (1 - rate)
    if certain == 0 or variance <= 0:
        return max(n - 1.0, 1.0)
    return certain / variance
