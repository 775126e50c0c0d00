"""Statistics of a preference: its rate, intervals and tests."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, norm, t

from i2ibench.apps.study.analyse.bootstrap import LEVEL, Resampled, Spread
from i2ibench.apps.study.analyse.judgments import FIRST, SECOND, TIED, Judgments

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
    spread = resampled.spread(lambda drawn: rates(drawn.sum(3)))
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
    """One pair at one time."""
    judgments, definition = resampled.judgments, resampled.judgments.definition
    own, clusters = resampled.counts[0, pair, time].sum(0), resampled.clusters(pair, time)
    margin = spread.margin(clusters)
    variance, degrees = (float(v[pair, time]) for v in (margin.variance, margin.degrees))
    variances = {name: float(getattr(spread, name)[pair, time]) for name in PARTS}
    parts = {name: v if np.isfinite(v) else None for name, v in variances.items()}
    first, second = definition.compared[pair]
    return {
        "first": first, "second": second, "duration": definition.times[time],
        "n": int(own.sum()), "preferred_first": int(own[FIRST]), "ties": int(own[TIED]),
        "preferred_second": int(own[SECOND]), "participants": clusters[0], "scenes": clusters[1],
        **_tests(own, variance, int(degrees)),
        "variance": parts,
        **_own_shares(judgments.where((judgments.pair == pair) & (judgments.time == time)), parts),
    }  # fmt: skip


def _tests(own: Values, variance: float, degrees: int) -> dict[str, Any]:
    """Rate, intervals and p-values of one comparison."""
    n = float(own.sum())
    if not n:
        names = ("rate", "wilson", "interval", "effective", "p_binomial", "p_cluster")
        return dict.fromkeys(names)
    rate = float(rates(own))
    effective = effective_number(rate, variance, n)
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


def _own_shares(judgments: Judgments, variance: Mapping[str, float | None]) -> dict[str, Any]:
    """Of an answer's variance the shares that are the participant's and the scene's own.

    From V_participants / V_cells = 1 + (k - 1) share, k the mean number of answers that share an
    answer's participant (Kish 1965). A share below 0 is 0; None where k is 1.
    """
    found: dict[str, Any] = {}
    for name, group in (("participant", judgments.participant), ("scene", judgments.scene)):
        sizes = np.bincount(group).astype(np.float64)
        k = float((sizes**2).sum() / max(sizes.sum(), 1))
        whole, own = variance["cells"], variance[f"{name}s"]
        if not whole or own is None or k <= 1:
            found[f"{name}_share"] = None
        else:
            found[f"{name}_share"] = min(max((own / whole - 1) / (k - 1), 0.0), 1.0)
    return found


def effective_number(rate: float, variance: float, n: float) -> float | None:
    """How many independent answers would be as certain as the n clustered ones are.

    rate (1 - rate) / variance, which may be more than n where participants or scenes differ less
    than chance makes them. Where all answers are equal and show no variance, n - 1: what one
    differing answer, whose variance is 1 / n² by each kind of cluster, would leave of them; so
    unanimity counts for no less than near-unanimity. None where the variance is unknown.
    """
    if not np.isfinite(variance):
        return None
    certain = rate * (1 - rate)
    if certain == 0 or variance <= 0:
        return max(n - 1.0, 1.0)
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
