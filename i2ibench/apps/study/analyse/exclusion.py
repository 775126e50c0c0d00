"""Exclusion: the participants and judgments that the study file's rules leave out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from i2ibench.apps.study.analyse.judgments import TRIAL_RULES, Judgments, ParticipantRecord
from i2ibench.apps.study.define.definition import Exclusion

PERSON_RULES: dict[str, Callable[[ParticipantRecord, Exclusion], bool]] = {
    "no_consent": lambda r, rules: not r.participant.consented,
    "catch": lambda r, rules: _share(*r.catch) < rules.min_catch_correct,
    "repeats": lambda r, rules: _share(*r.repeats) < rules.min_repeat_agreement,
    "answered": lambda r, rules: r.main < rules.min_answered * r.planned,
    "one_side": lambda r, rules: max(r.left, r.right) > rules.max_one_side * r.main,
}
"""Rules that leave out participants. Each function returns whether a participant breaks the rule. A
participant without such trials breaks no rule about their share."""


@dataclass(frozen=True)
class ExclusionResult:
    """The judgments that the analysis uses, and the reasons for leaving out the others.

    Attributes:
        judgments: the kept judgments.
        people: whether each participant is kept, by number.
        broken: number of participants who break each rule; one may break several.
        dropped: number of the kept participants' judgments that break each rule; likewise.
        dropped_total: number of the kept participants' judgments that are left out.
        reasons: names of the broken rules, by number of the participant.
    """

    judgments: Judgments
    people: Sequence[bool]
    broken: dict[str, int]
    dropped: dict[str, int]
    dropped_total: int
    reasons: Sequence[Sequence[str]]


def exclude(
    judgments: Judgments, records: Sequence[ParticipantRecord], rules: Exclusion
) -> ExclusionResult:
    """Return the judgments that remain after exclusion, and what was left out for which reasons.

    First, participants who break a rule are left out with all their judgments. Then, of the other
    participants' judgments, those that break a rule for single answers are left out.

    Args:
        judgments: all judgments. Their `broken` says which rules for single answers they break.
        records: one record for each participant, by number.
        rules: the limits of the rules for participants.
    """
    reasons = [
        [name for name, breaks in PERSON_RULES.items() if breaks(record, rules)]
        for record in records
    ]
    people = np.array([not names for names in reasons], dtype=bool)
    remaining = judgments.where(people[judgments.participant])
    dropped = np.asarray(remaining.broken.any(1))
    return ExclusionResult(
        remaining.where(~dropped),
        people.tolist(),
        {name: sum(name in names for names in reasons) for name in PERSON_RULES},
        dict(zip(TRIAL_RULES, remaining.broken.sum(0).tolist(), strict=True)),
        int(dropped.sum()),
        reasons,
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0
