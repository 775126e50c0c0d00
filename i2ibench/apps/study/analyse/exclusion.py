"""Exclusion: the participants and judgments that the study file's rules leave out, by rule."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from i2ibench.apps.study.analyse.judgments import Judgments, ParticipantRecord
from i2ibench.apps.study.analyse.trial_rules import TRIAL_RULES
from i2ibench.apps.study.define.definition import Exclusion

PERSON_RULES: dict[str, Callable[[ParticipantRecord, Exclusion], bool]] = {
    "no_consent": lambda s, rules: not s.participant.consented,
    "catch": lambda s, rules: _share(s.catch) < rules.min_catch_correct,
    "repeats": lambda s, rules: _share(s.repeats) < rules.min_repeat_agreement,
    "answered": lambda s, rules: s.main < rules.min_answered * s.planned,
    "one_side": lambda s, rules: max(s.left, s.right) > rules.max_one_side * s.main,
}
"""What a participant does to be left out; a share of no trials breaks no rule."""


@dataclass(frozen=True)
class Kept:
    """The judgments that count, and why the others do not.

    Attributes:
        judgments: those kept.
        people: whether each participant is kept, by number.
        broken: by rule, how many participants break it; one may break several.
        dropped: by rule, how many judgments of the kept participants break it; likewise.
        dropped_total: how many judgments of the kept participants are left out.
    """

    judgments: Judgments
    people: Sequence[bool]
    broken: dict[str, int]
    dropped: dict[str, int]
    dropped_total: int
    reasons: Sequence[Sequence[str]] = field(default_factory=list)


def exclude(judgments: Judgments, conducts: Sequence[ParticipantRecord], rules: Exclusion) -> Kept:
    """Apply the rules: first to participants, then to the judgments of those who are left."""
    reasons = [
        [name for name, breaks in PERSON_RULES.items() if breaks(conduct, rules)]
        for conduct in conducts
    ]
    people = np.array([not found for found in reasons], dtype=bool)
    left = judgments.where(people[judgments.participant])
    out = np.asarray(left.broken.any(1))
    return Kept(
        left.where(~out),
        people.tolist(),
        {name: sum(name in found for found in reasons) for name in PERSON_RULES},
        dict(zip(TRIAL_RULES, left.broken.sum(0).tolist(), strict=True)),
        int(out.sum()),
        reasons,
    )


def _share(counted: tuple[int, int]) -> float:
    """The first as a share of the second; 1 of nothing."""
    return counted[0] / counted[1] if counted[1] else 1.0
