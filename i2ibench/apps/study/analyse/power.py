"""Power: the number of judgments that it takes to tell a preference from none."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil, inf

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, norm

from i2ibench.apps.study.define.definition import Definition
from i2ibench.errors import UserError

RATES = (0.51, 0.52, 0.55, 0.6, 0.65, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class Question:
    """The level and power of the test of one pair.

    Attributes:
        alpha: probability of finding a preference where there is none, over all comparisons.
        power: probability of finding an existing preference.
        comparisons: number of comparisons that are tested. Each must pass alpha / comparisons, the
            hardest step of Holm's correction.
    """

    alpha: float = 0.05
    power: float = 0.8
    comparisons: int = 1

    def __post_init__(self) -> None:
        for name, value in (("alpha", self.alpha), ("power", self.power)):
            if not 0 < value < 1:
                raise UserError(f"{name} must be between 0 and 1, not {value}.")
        if self.comparisons < 1:
            raise UserError(f"There must be at least one comparison, not {self.comparisons}.")

    @property
    def level(self) -> float:
        """Return the level at which each comparison is tested: alpha / comparisons."""
        return self.alpha / self.comparisons


@dataclass(frozen=True)
class Clusters:
    """The clusters of answers, which make answers worth less than independent ones.

    Attributes:
        per_participant: judgments of one pair by each participant.
        scenes: number of scenes.
        participant_share: share of an answer's variance that is the participant's own. An earlier
            analysis measures it (`participant_share` of a comparison).
        scene_share: share of an answer's variance that is the scene's own.
    """

    per_participant: int
    scenes: int
    participant_share: float = 0.05
    scene_share: float = 0.05

    def __post_init__(self) -> None:
        for name in ("per_participant", "scenes"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} must be at least 1, not {getattr(self, name)}.")
        for name in ("participant_share", "scene_share"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f"{name} must be a share from 0 to 1, not {getattr(self, name)}.")
        if self.participant_share + self.scene_share >= 1:
            raise UserError("participant_share and scene_share must be less than 1 together.")
        if self.per_participant > self.scenes:
            raise UserError(
                f"A participant judges a pair once on each scene: {self.per_participant} times is "
                f"too often for {self.scenes} scenes."
            )

    def design_effect(self, judgments: float) -> float:
        """Return how many clustered judgments are worth one independent judgment (Kish 1965).

        Args:
            judgments: number of all judgments of one pair.
        """
        per_scene = max(judgments / self.scenes, 1)
        people = (self.per_participant - 1) * self.participant_share
        return 1 + people + (per_scene - 1) * self.scene_share

    def judgments(self, independent: int) -> float:
        """Return how many clustered judgments are worth a number of independent judgments.

        The result is not rounded. It is inf if no number is enough with so few scenes.

        Args:
            independent: number of independent judgments.
        """
        people = 1 + (self.per_participant - 1) * self.participant_share
        if independent * people <= self.scenes:
            return independent * people
        left = 1 - independent * self.scene_share / self.scenes
        return independent * (people - self.scene_share) / left if left > 0 else inf


@dataclass(frozen=True)
class Need:
    """The numbers that it takes to tell a preference rate from 50 %.

    Attributes:
        rate: preference rate of the population.
        independent: judgments of the pair if all were independent.
        judgments: judgments with their clusters; None if no number is enough with so few scenes.
        participants: participants who give so many judgments; None likewise.
    """

    rate: float
    independent: int
    judgments: int | None
    participants: int | None


def judgments_needed(rate: float, question: Question | None = None) -> int:
    """Return how many independent untied judgments the exact two-sided binomial test needs.

    It is the smallest number that has the power, and so have all larger numbers.

    Args:
        rate: preference rate of the population, not 0.5.
        question: level and power; None uses the defaults of `Question`.

    Raises:
        UserError: the rate is not between 0 and 1, or is nearer to 50 % than 0.2 points. A million
            judgments would not be enough then.
    """
    question = question or Question()
    if not 0 < rate < 1 or abs(rate - 0.5) < 0.00199:
        raise UserError(f"A rate to tell from 0.5 must be at least 0.002 away from it, not {rate}.")
    return _needed(max(rate, 1 - rate), question.level, question.power)


@cache
def _needed(rate: float, level: float, power: float) -> int:
    z = float(norm.ppf(1 - level / 2) + norm.ppf(power))
    near = z * z * 0.25 / (rate - 0.5) ** 2
    numbers = np.arange(max(int(0.5 * near), 1), int(1.5 * near) + 60)
    short = np.flatnonzero(_power(numbers, rate, level) < power)  # the power is not monotonic
    return int(numbers[short[-1] + 1] if len(short) else numbers[0])


def _power(numbers: NDArray[np.int64], rate: float, level: float) -> NDArray[np.float64]:
    """Return the probability that the exact test tells a rate from 50 %.

    The result has one probability for each number of judgments.
    """
    least = binom.isf(level / 2, numbers, 0.5) + 1  # P(X >= least) <= level / 2
    above = binom.sf(least - 1, numbers, rate)
    below = binom.cdf(numbers - least, numbers, rate)
    return np.asarray(np.where(2 * least > numbers, above + below, 1.0))


def needs(
    clusters: Clusters, question: Question | None = None, rates: Sequence[float] = RATES
) -> list[Need]:
    """Return the numbers that it takes to tell each rate from 50 %, in the order of the rates.

    Args:
        clusters: the clusters of the answers.
        question: level and power; None uses the defaults of `Question`.
        rates: preference rates of the population.

    Raises:
        UserError: `judgments_needed` refuses a rate.
    """
    rows = []
    for rate in rates:
        independent = judgments_needed(rate, question)
        judgments = clusters.judgments(independent)
        if judgments < inf:
            people = ceil(judgments / clusters.per_participant)
            rows.append(Need(rate, independent, ceil(judgments), people))
        else:
            rows.append(Need(rate, independent, None, None))
    return rows


def smallest_rate(
    participants: int, clusters: Clusters, question: Question | None = None
) -> float | None:
    """Return the smallest preference rate above 50 % that the participants can tell from 50 %.

    Rates are tried in steps of 0.1 points up to 99.9 %. The result is None if they can tell no
    rate.

    Args:
        participants: number of participants.
        clusters: the clusters of their answers.
        question: level and power; None uses the defaults of `Question`.
    """
    question = question or Question()
    total = participants * clusters.per_participant
    worth = int(total / clusters.design_effect(total))
    for rate in np.arange(0.501, 1.0, 0.001):
        if _power(np.array([worth]), float(rate), question.level)[0] >= question.power:
            return round(float(rate), 3)
    return None


def study_question(definition: Definition, alpha: float = 0.05, power: float = 0.8) -> Question:
    """Return the level and power of a whole study's tests, with its number of comparisons.

    A comparison is a pair at one of the durations.

    Args:
        definition: the study file.
        alpha: probability of finding a preference where there is none, over all comparisons.
        power: probability of finding an existing preference.
    """
    return Question(alpha, power, len(definition.compared) * len(definition.times))


def power_lines(
    clusters: Clusters, question: Question, participants: int | None = None
) -> list[str]:
    """Return the lines of a table of the judgments and participants that each of RATES needs.

    Args:
        clusters: the clusters of the answers.
        question: level and power.
        participants: a number of participants, whose smallest rate is added as the last line; None
            adds none.
    """
    lines = [
        f"Exact two-sided binomial test, alpha {question.alpha:g} over {question.comparisons} "
        f"comparison{'s' * (question.comparisons != 1)}, power {question.power:g}.",
        f"Each participant judges a pair {clusters.per_participant} times; {clusters.scenes} "
        f"scenes. Of an answer's variance {100 * clusters.participant_share:.0f} % is taken to be "
        f"the participant's own and {100 * clusters.scene_share:.0f} % the scene's.",
        f"{'to tell':>10} {'independent judgments':>22} {'judgments':>10} {'participants':>13}",
    ]
    for need in needs(clusters, question):
        judgments = "more scenes" if need.judgments is None else need.judgments
        people = "" if need.participants is None else need.participants
        lines.append(
            f"{100 * need.rate:8.0f} % {need.independent:22,} {judgments:>10} {people:>13}"
        )
    if participants is not None:
        rate = smallest_rate(participants, clusters, question)
        preference = "no preference" if rate is None else f"{100 * rate:.1f} %"
        lines.append(f"{participants} participants can tell {preference} from 50 %.")
    return lines
