"""Simulated participants with known preferences."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import exp, log
from statistics import NormalDist

import numpy as np

from i2ibench.apps.study.answers import LEFT, RIGHT, TIE, Answer, Collected, Participant
from i2ibench.apps.study.define.definition import DEGRADED
from i2ibench.apps.study.define.design import Trial
from i2ibench.apps.study.define.study import Study
from i2ibench.errors import UserError

FRAME_MS = 1000 / 60
NORMAL = NormalDist()


@dataclass(frozen=True)
class Crowd:
    """A population that prefers methods by their strengths (Davidson 1970, with a left bias).

    log P(left) : log P(tie) : log P(right) = d/2 : log(tie_width) : -d/2, where
    d = (left's strength - right's) * exposure / (exposure + exposure_scale) + side_bias. Each
    participant and each scene adds a normal deviate to each method's strength. Every random number
    is a hash of the seed and of its purpose, so it does not depend on the order of the answers.

    Attributes:
        strengths: strength of each method, in log odds.
        tie_width: 0 for no ties; 2 makes half of the answers to equal methods ties.
        lapse: share of trials answered by chance, left or right.
        side_bias: bias to the left, in log odds.
        participant_sd: standard deviation of what a participant adds to a method's strength.
        scene_sd: standard deviation of what a scene adds to a method's strength.
        missing: share of trials that are not answered.
        exposure_scale: seconds at which the preference has half of its full strength.
        seed: seed of all random numbers.

    Raises:
        UserError: a share is not between 0 and 1, or a width, deviation or scale is negative.
    """

    strengths: Mapping[str, float]
    tie_width: float = 0.0
    lapse: float = 0.0
    side_bias: float = 0.0
    participant_sd: float = 0.0
    scene_sd: float = 0.0
    missing: float = 0.0
    exposure_scale: float = 0.0
    seed: int = 0
    _added: dict[tuple[object, ...], float] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        for name in ("lapse", "missing"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"{name} must be a share from 0 to 1, not {getattr(self, name)}.")
        for name in ("tie_width", "participant_sd", "scene_sd", "exposure_scale"):
            if getattr(self, name) < 0:
                raise UserError(f"{name} must be at least 0, not {getattr(self, name)}.")

    def decide(self, participant: int, trial: Trial) -> str | None:
        """Return a simulated participant's LEFT, RIGHT or TIE, or None for no answer.

        Except in a lapse, the participant never prefers the degraded image.

        Args:
            participant: number of the plan.
            trial: a trial of that plan.
        """
        place = (participant, trial.number)
        if self._draw("missing", *place) < self.missing:
            return None
        chance = self._draw("choice", *place)
        if self._draw("lapse", *place) < self.lapse:
            return LEFT if chance < 0.5 else RIGHT
        if DEGRADED in (trial.left, trial.right):
            return RIGHT if trial.left == DEGRADED else LEFT
        d = self._strength(participant, trial.left, trial.scene)
        d -= self._strength(participant, trial.right, trial.scene)
        left, tie = self._shares(d * self._share_seen(trial.duration) + self.side_bias)
        return LEFT if chance < left else TIE if chance < left + tie else RIGHT

    def answer(self, participant: int, trial: Trial) -> Answer | None:
        """Return a simulated participant's answer with its times, or None if there is none.

        Times are as measured on a screen of 60 frames a second. The answer comes about 1.5 seconds
        after the exposure, or after the images appear if the time is unlimited.

        Args:
            participant: number of the plan.
            trial: a trial of that plan.
        """
        choice = self.decide(participant, trial)
        if choice is None:
            return None
        slowness = NORMAL.inv_cdf(self._draw("time", participant, trial.number))
        shown_ms = None
        if trial.duration is not None:
            shown_ms = round(max(round(1000 * trial.duration / FRAME_MS), 1) * FRAME_MS, 2)
        response = exp(log(1500) + 0.45 * slowness) + (shown_ms or 0)
        return Answer(trial.number, choice, round(response, 1), shown_ms, round(FRAME_MS, 3))

    def rate(self, first: str, second: str, duration: float | None = None) -> float:
        """Return the population's preference rate of the first method, from 0 to 1.

        A tie is half an answer. The rate is the mean over participants, scenes and both sides, by
        Gauss-Hermite quadrature. Lapses are included.

        Args:
            first: a method.
            second: the other method.
            duration: seconds of exposure; None is unlimited time.
        """
        points, weights = np.polynomial.hermite_e.hermegauss(64)
        sd = (2 * (self.participant_sd**2 + self.scene_sd**2)) ** 0.5
        seen = self._share_seen(duration)
        total = 0.0
        for point, weight in zip(points.tolist(), weights.tolist(), strict=True):
            d = (self.strengths[first] - self.strengths[second] + sd * point) * seen
            for sign in (1, -1):
                left, tie = self._shares(d + sign * self.side_bias)
                total += weight * (left + tie / 2) / 2
        mean = total / float(weights.sum())
        return (1 - self.lapse) * mean + self.lapse / 2

    def _shares(self, d: float) -> tuple[float, float]:
        """Return the probabilities of LEFT and of TIE; `d` is the log odds of LEFT to RIGHT."""
        left, right = exp(d / 2), exp(-d / 2)
        whole = left + right + self.tie_width
        return left / whole, self.tie_width / whole

    def _share_seen(self, duration: float | None) -> float:
        """Return the share of a difference in strength that is seen in `duration` seconds.

        With unlimited time (None) the share is 1.
        """
        return 1.0 if duration is None else duration / (duration + self.exposure_scale)

    def _strength(self, participant: int, method: str, scene: str) -> float:
        own = self._normal("participant", participant, method) * self.participant_sd
        return self.strengths[method] + own + self._normal("scene", scene, method) * self.scene_sd

    def _normal(self, *purpose: object) -> float:
        if purpose not in self._added:
            self._added[purpose] = NORMAL.inv_cdf(self._draw(*purpose))
        return self._added[purpose]

    def _draw(self, *purpose: object) -> float:
        """Return a uniform number between 0 and 1, which is a hash of the seed and the purpose.

        The same purpose always gives the same number.
        """
        text = "\0".join(map(str, purpose)).encode()
        digest = hashlib.blake2b(text, digest_size=8, key=str(self.seed).encode()).digest()
        return (int.from_bytes(digest, "big") + 0.5) / 2**64


def simulate(study: Study, crowd: Crowd, participants: int) -> Collected:
    """Return simulated participants and their answers to the first plans of a study.

    Nothing is stored.

    Args:
        study: the study.
        crowd: the population. Its n-th member answers the study's n-th plan.
        participants: number of participants. One who leaves out a trial is not finished.

    Raises:
        UserError: the crowd has no strength for a method, or has ties and the study has none.
    """
    for method in study.definition.methods:
        if method not in crowd.strengths:
            raise UserError(f"The simulated participants have no strength for {method!r}.")
    if crowd.tie_width and not study.definition.ties:
        raise UserError("The simulated participants have ties, but the study has not: ties=False.")
    people, answers = [], {}
    for slot in range(participants):
        token = f"simulated-{crowd.seed}-{slot:05d}"
        plan = study.plan(slot)
        own = [answer for trial in plan if (answer := crowd.answer(slot, trial)) is not None]
        people.append(Participant(
            token, slot, simulated=True, consented=True, finished=len(own) == len(plan),
            origin="simulation",
        ))  # fmt: skip
        answers[token] = own
    return Collected(people, answers)
