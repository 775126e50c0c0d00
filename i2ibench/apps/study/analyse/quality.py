"""Quality of the answers: catch trials, repeats, sides and response times, by participant."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from i2ibench.apps.study.analyse.exclusion import Kept
from i2ibench.apps.study.analyse.judgments import ParticipantRecord


def quality(conducts: Sequence[ParticipantRecord], kept: Kept) -> dict[str, Any]:
    """What each participant's answers say, the same over all who are kept, and over everybody.

    Participants are numbered from 1; their tokens stay with the server.
    """
    people = [
        _facts([conduct])
        | {"number": number, "finished": conduct.participant.finished, "excluded_by": list(why)}
        for number, (conduct, why) in enumerate(zip(conducts, kept.reasons, strict=True), start=1)
    ]
    left = [s for s, keep in zip(conducts, kept.people, strict=True) if keep]
    return {"kept": _facts(left), "everybody": _facts(conducts), "participants": people}


def _facts(conducts: Sequence[ParticipantRecord]) -> dict[str, Any]:
    """Sums over conducts; shares of nothing are None."""
    times = [ms for s in conducts for ms in s.waited_ms]
    sided = sum(s.left + s.right for s in conducts)
    return {
        "main": [sum(s.main for s in conducts), sum(s.planned for s in conducts)],
        "catch": _sums(s.catch for s in conducts),
        "repeats": _sums(s.repeats for s in conducts),
        "left_share": sum(s.left for s in conducts) / sided if sided else None,
        "waited_ms": [float(q) for q in np.quantile(times, (0.25, 0.5, 0.75))] if times else None,
    }


def _sums(pairs: Iterable[tuple[int, int]]) -> list[int]:
    listed = list(pairs)
    return [sum(one for one, _ in listed), sum(other for _, other in listed)]
