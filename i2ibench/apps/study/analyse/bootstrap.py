"""Bootstrap over participants and scenes: the uncertainty of statistics of judgments."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from i2ibench.apps.study.analyse.judgments import Judgments

Values = NDArray[np.float64]
Statistic = Callable[[Values], Values]
"""A function from counts [D, pairs, times, 2 sides, 3 outcomes] to numbers [D, ...], nan where
undefined. Sides: the pair's first method is on the left, on the right. Outcomes: FIRST, TIED,
SECOND."""

LEVEL = 0.95
"""Coverage of intervals."""

ENOUGH = 0.95
"""A variance is known if at least this share of the draws defines the number."""
DRAWS = 2000
CHUNK = 100


@dataclass(frozen=True)
class Spread:
    """Variances of a statistic's numbers, each [...].

    Attributes:
        participants: variance over draws of participants.
        scenes: variance over draws of scenes.
        cells: variance over draws of single (participant, scene) cells. Both other variances
            contain it.
    """

    participants: Values
    scenes: Values
    cells: Values

    def margin(self, clusters: tuple[int, int]) -> "Margin":
        """Return the variance of the statistic over new participants and new scenes, as a `Margin`.

        The variance is found by inclusion and exclusion (Cameron, Gelbach & Miller 2011:
        participants + scenes - cells), with Student's degrees of freedom of the smaller number of
        clusters. Drawing participants and scenes together (the pigeonhole bootstrap) would count
        the answers' own noise three times (Owen 2007). If answers are independent and clusters few,
        the difference is often too small by chance. So the mean of the variances over participants
        and over scenes, which has the degrees of both numbers of clusters, is used if its interval
        is longer. `benchmarks/study_coverage.py` measures the coverage.

        Args:
            clusters: numbers of participants and scenes.
        """
        joint = np.asarray(self.participants + self.scenes - self.cells)
        mean = np.asarray(self.participants + self.scenes) / 2
        few, many = max(min(clusters) - 1, 1), max(sum(clusters) - 2, 1)
        mean_is_longer = mean * _quantile(many) ** 2 > joint * _quantile(few) ** 2
        return Margin(np.where(mean_is_longer, mean, joint), np.where(mean_is_longer, many, few))


@dataclass(frozen=True)
class Margin:
    """The uncertainty of numbers.

    Attributes:
        variance: variance of each number, [...]; nan where unknown.
        degrees: degrees of freedom of Student's distribution, [...].
    """

    variance: Values
    degrees: NDArray[np.int64]

    def interval(self, value: float, at: Any = ()) -> list[float] | None:
        """Return the 95 % interval [low, high] of an unbounded number; None if its variance is nan.

        Args:
            value: the number.
            at: its index in `variance`; () if `variance` holds a single number.
        """
        variance = float(self.variance[at])
        if not variance >= 0:
            return None
        half = _quantile(int(self.degrees[at])) * variance**0.5
        return [value - half, value + half]

    def p_value(self, value: float, at: Any = ()) -> float | None:
        """Return the p-value (two-sided) of "the number is zero"; None if its variance is nan or 0.

        Args:
            value: the number.
            at: its index in `variance`; () if `variance` holds a single number.
        """
        variance = float(self.variance[at])
        if not variance > 0:
            return None
        return float(2 * t.sf(abs(value) / variance**0.5, int(self.degrees[at])))


class Resampled:
    """Counts of judgments, and their bootstrap draws.

    Args:
        judgments: the judgments to count.
        seed: seed of the draws.
        draws: number of draws of participants, of scenes, and of cells.

    Attributes:
        counts: counts without resampling, [1, pairs, times, 2, 3]; see `Statistic`.
    """

    def __init__(self, judgments: Judgments, seed: int = 0, draws: int = DRAWS) -> None:
        d = judgments.definition
        self.judgments, self.draws = judgments, draws
        self.shape = (len(d.compared), len(d.times), 2, 3)
        index = (judgments.pair, judgments.time, 1 - judgments.first_left, judgments.outcome)
        self._column = np.ravel_multi_index(index, self.shape)
        size = int(np.prod(self.shape))
        counts = np.bincount(self._column, minlength=size).astype(np.float64)
        self.counts: Values = counts.reshape(1, *self.shape)
        random = np.random.default_rng((seed, 3))
        cells = judgments.participant * max(len(judgments.scenes), 1) + judgments.scene
        groups = (judgments.participant, judgments.scene, cells)
        self._drawn = [self._draw(group, random) for group in groups]

    def _draw(self, group: NDArray[np.int64], random: np.random.Generator) -> tuple[int, Values]:
        """Draw clusters of judgments with replacement, and count the judgments of every draw.

        A draw has as many clusters as there are.
        """
        names, number = np.unique(group, return_inverse=True)
        table = np.zeros((len(names), int(np.prod(self.shape))))
        np.add.at(table, (number, self._column), 1)
        used = np.flatnonzero(table.any(0))
        drawn = np.zeros((self.draws, table.shape[1]))
        even = np.full(len(names), 1 / max(len(names), 1))
        for start in range(0, self.draws if len(names) else 0, CHUNK):  # weights need memory
            rows = slice(start, min(start + CHUNK, self.draws))
            weights = random.multinomial(len(names), even, size=rows.stop - rows.start)
            drawn[rows, used] = weights @ table[:, used]
        return len(names), drawn.reshape(self.draws, *self.shape)

    def spread(self, statistic: Statistic) -> Spread:
        """Return the variances of a statistic over draws of participants, of scenes and of cells.

        A variance is nan if there are fewer than two clusters, or if less than the share ENOUGH of
        the draws defines the number.

        Args:
            statistic: a function from counts [D, pairs, times, 2, 3] to numbers [D, ...], which are
                nan where they are undefined.
        """
        return Spread(*(_variance(statistic(drawn), n) for n, drawn in self._drawn))

    def clusters(self, pair: int | None = None, time: int | None = None) -> tuple[int, int]:
        """Return the numbers of participants and scenes that have at least one judgment.

        Args:
            pair: index of a pair whose judgments are counted; None counts all pairs.
            time: index of a duration whose judgments are counted; None counts all durations.
        """
        chosen = np.ones(len(self.judgments), bool)
        for wanted, own in ((pair, self.judgments.pair), (time, self.judgments.time)):
            if wanted is not None:
                chosen &= own == wanted
        judgments = self.judgments.where(chosen)
        return len(np.unique(judgments.participant)), len(np.unique(judgments.scene))

    def margin(
        self, statistic: Statistic, pair: int | None = None, time: int | None = None
    ) -> Margin:
        """Return the uncertainty of a statistic over new participants and new scenes.

        Args:
            statistic: as for `spread`. It gets the counts of all pairs and durations.
            pair: index of the pair that the statistic uses; None means all pairs. Only the number
                of clusters, and so the degrees of freedom, depends on it.
            time: index of the duration that the statistic uses; None means all durations. Likewise.
        """
        return self.spread(statistic).margin(self.clusters(pair, time))


def _variance(values: Values, clusters: int) -> Values:
    """Return the variance of each number over draws, corrected for the bias of few clusters.

    Draws in which a number is nan are left out. The result is nan if less than the share ENOUGH of
    the draws remains, or if there are fewer than two clusters.
    """
    if clusters < 2:
        return np.full(values.shape[1:], np.nan)
    known = ~np.isnan(values)
    enough = known.mean(0) >= ENOUGH
    filled = np.where(known, values, 0.0)
    n = np.maximum(known.sum(0), 1)
    mean = filled.sum(0) / n
    squares = (np.where(known, filled - mean, 0.0) ** 2).sum(0) / n
    return np.where(enough, squares * clusters / (clusters - 1), np.nan)


@cache
def _quantile(degrees: int) -> float:
    """Return Student's quantile of a two-sided interval with the coverage LEVEL."""
    return float(t.ppf((1 + LEVEL) / 2, degrees))
