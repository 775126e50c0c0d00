"""Seeds: the scores of equal systems trained with several seeds, as mean and interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import mean, stdev
from typing import Any

from scipy.stats import t

from i2ibench.reports.tables import number

Results = Mapping[str, Any]

LEVEL = 0.95


@dataclass(frozen=True)
class Summary:
    """A score over training seeds.

    Attributes:
        value: the mean.
        bounds: 95 % interval of the mean over seeds (Student's t); of one seed, over scenes.
        seeds: how many.
    """

    value: float
    bounds: tuple[float, float] | None
    seeds: int

    def text(self) -> str:
        """The mean."""
        return number(self.value)

    def interval(self) -> str:
        """The interval and what it is over."""
        if self.bounds is None:
            return ""
        over = f"{self.seeds} seeds" if self.seeds > 1 else "1 seed, over scenes"
        return f"{number(self.bounds[0])} – {number(self.bounds[1])} ({over})"


def mean_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % interval of a mean by Student's t; None for fewer than two values."""
    if len(values) < 2:
        return None
    half = t.ppf((1 + LEVEL) / 2, len(values) - 1) * stdev(values) / sqrt(len(values))
    return mean(values) - float(half), mean(values) + float(half)


def summarise(results: Results, systems: Sequence[str], score: str) -> Summary | None:
    """A score over the systems that differ in their seed only; None if none of them has it."""
    found = [results["systems"][name].get(score, {}) for name in systems]
    known = [entry for entry in found if entry.get("value") is not None]
    if not known:
        return None
    values = [entry["value"] for entry in known]
    bounds = mean_interval(values)
    if bounds is None and "low" in known[0]:
        bounds = (known[0]["low"], known[0]["high"])
    return Summary(mean(values), bounds, len(values))


def mean_difference(
    results: Results, ones: Sequence[str], others: Sequence[str], score: str
) -> dict[str, Any] | None:
    """The difference of two rows, seed by seed, with the paired intervals over scenes.

    Args:
        results: of one evaluation of all systems.
        ones, others: the systems of each row, in the same order of seeds.
        score: which.
    """
    values, intervals = [], []
    for one, other in zip(ones, others, strict=True):
        a, b = (results["systems"][name].get(score, {}).get("value") for name in (one, other))
        if a is None or b is None:
            return None
        values.append(a - b)
        intervals.append(_paired(results, one, other, score))
    excluded = [i is not None and not i[0] <= 0 <= i[1] for i in intervals]
    return {
        "value": mean(values),
        "bounds": mean_interval(values),
        "seeds": len(values),
        "seen_in": sum(excluded),
    }


def _paired(results: Results, one: str, other: str, score: str) -> tuple[float, float] | None:
    for found in results["differences"]:
        if found["score"] == score and set(found["systems"]) == {one, other}:
            low, high = found["interval"]
            return (low, high) if found["systems"][0] == one else (-high, -low)
    return None
