"""Bootstrap over participants and scenes: how much any number made of counts would vary."""

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
"""From counts [D, pairs, times, 2 sides, 3 outcomes] to numbers [D, ...], nan where undefined.

Sides: the pair's first method on the left, on the right. Outcomes: FIRST, TIED, SECOND."""

LEVEL = 0.95
"""Of intervals."""

ENOUGH = 0.95
"""Share of draws that must define a number for its variance to be known."""
DRAWS = 2000
CHUNK = 100


@dataclass(frozen=True)
class Spread:
    """Variances of a statistic's numbers, each [...].

    Attributes:
        participants: over draws of participants.
        scenes: over draws of scenes.
        cells: over draws of single (participant, scene) cells, which is what both contain.
    """

    participants: Values
    scenes: Values
    cells: Values

    def margin(self, clusters: tuple[int, int]) -> "Margin":
        """The variance if participants and scenes were drawn anew, and what it rests on.

        Inclusion and exclusion (Cameron, Gelbach & Miller 2011: participants + scenes - cells)
        with Student's degrees of the smaller number of clusters. Drawing both at once (the
        pigeonhole bootstrap) would count the answers' own noise three times (Owen 2007). Where
        answers are independent and clusters few, that difference is often too small by chance;
        so the mean of the one-way variances, which rests on both numbers of clusters, is taken
        where it gives the longer interval. `benchmarks/study_coverage.py` measures the coverage.

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
    """How uncertain numbers are.

    Attributes:
        variance: of each number, [...]; nan where unknown.
        degrees: of freedom of Student's distribution, [...].
    """

    variance: Values
    degrees: NDArray[np.int64]

    def interval(self, value: float, at: Any = ()) -> list[float] | None:
        """The 95 % interval of a number on an open scale; None where the variance is unknown."""
        variance = float(self.variance[at])
        if not variance >= 0:
            return None
        half = _quantile(int(self.degrees[at])) * variance**0.5
        return [value - half, value + half]

    def p_value(self, value: float, at: Any = ()) -> float | None:
        """The two-sided p-value of "the number is zero"; None where the variance is unknown."""
        variance = float(self.variance[at])
        if not variance > 0:
            return None
        return float(2 * t.sf(abs(value) / variance**0.5, int(self.degrees[at])))


class Resampled:
    """The counts of judgments, as they are and on bootstrap draws.

    Args:
        judgments: those that count.
        seed: of the draws.
        draws: how many of each kind.

    Attributes:
        counts: [1, pairs, times, 2, 3].
    """

    def __init__(self, judgments: Judgments, seed: int = 0, draws: int = DRAWS) -> None:
        d = judgments.definition
        self.judgments, self.draws = judgments, draws
        self.shape = (len(d.compared), len(d.times), 2, 3)
        place = (judgments.pair, judgments.time, 1 - judgments.first_left, judgments.outcome)
        self._column = np.ravel_multi_index(place, self.shape)
        size = int(np.prod(self.shape))
        counts = np.bincount(self._column, minlength=size).astype(np.float64)
        self.counts: Values = counts.reshape(1, *self.shape)
        random = np.random.default_rng((seed, 3))
        cells = judgments.participant * max(len(judgments.scenes), 1) + judgments.scene
        groups = (judgments.participant, judgments.scene, cells)
        self._drawn = [self._draw(group, random) for group in groups]

    def _draw(self, group: NDArray[np.int64], random: np.random.Generator) -> tuple[int, Values]:
        """The number of clusters and the counts on draws of them, [draws, pairs, times, 2, 3]."""
        names, number = np.unique(group, return_inverse=True)
        table = np.zeros((len(names), int(np.prod(self.shape))))
        np.add.at(table, (number, self._column), 1)
        used = np.flatnonzero(table.any(0))
        drawn = np.zeros((self.draws, table.shape[1]))
        even = np.full(len(names), 1 / max(len(names), 1))
        for start in range(0, self.draws if len(names) else 0, CHUNK):  # weights take memory
            rows = slice(start, min(start + CHUNK, self.draws))
            weights = random.multinomial(len(names), even, size=rows.stop - rows.start)
            drawn[rows, used] = weights @ table[:, used]
        return len(names), drawn.reshape(self.draws, *self.shape)

    def spread(self, statistic: Statistic) -> Spread:
        """The variances of a statistic; nan of one that too few draws define."""
        return Spread(*(_variance(statistic(drawn), n) for n, drawn in self._drawn))

    def clusters(self, pair: int | None = None, time: int | None = None) -> tuple[int, int]:
        """The numbers of participants and scenes of all judgments, of a pair's or of a time's."""
        chosen = np.ones(len(self.judgments), bool)
        for wanted, own in ((pair, self.judgments.pair), (time, self.judgments.time)):
            if wanted is not None:
                chosen &= own == wanted
        kinds = (self.judgments.participant[chosen], self.judgments.scene[chosen])
        return len(np.unique(kinds[0])), len(np.unique(kinds[1]))

    def margin(
        self, statistic: Statistic, pair: int | None = None, time: int | None = None
    ) -> Margin:
        """The margin of a statistic of all judgments, of a pair's or of a time's."""
        return self.spread(statistic).margin(self.clusters(pair, time))


def _variance(values: Values, clusters: int) -> Values:
    """The variance over draws [D, ...], its bias for few clusters taken out."""
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
    """Student's quantile of a two-sided interval."""
    return float(t.ppf((1 + LEVEL) / 2, degrees))
