"""Quality of the answers: catch trials, repeats, sides and response times, by participant."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from i2ibench.study.exclusion import Kept
from i2ibench.study.judgments import Sitting


def quality(sittings: Sequence[Sitting], kept: Kept) -> dict[str, Any]:
    """What each participant's answers say, and the same over all who are kept.

    Participants are numbered from 1; their tokens stay with the server.
    """
    people = [
        _facts([sitting])
        | {"number": number, "finished": sitting.participant.finished, "excluded_by": list(why)}
        for number, (sitting, why) in enumerate(zip(sittings, kept.reasons, strict=True), start=1)
    ]
    left = [s for s, keep in zip(sittings, kept.people, strict=True) if keep]
    return {"all": _facts(left), "participants": people}


def _facts(sittings: Sequence[Sitting]) -> dict[str, Any]:
    """Sums over sittings; shares of nothing are None."""
    times = [ms for s in sittings for ms in s.waited_ms]
    sided = sum(s.left + s.right for s in sittings)
    return {
        "main": [sum(s.main for s in sittings), sum(s.planned for s in sittings)],
        "catch": _sums(s.catch for s in sittings),
        "repeats": _sums(s.repeats for s in sittings),
        "left_share": sum(s.left for s in sittings) / sided if sided else None,
        "waited_ms": [float(q) for q in np.quantile(times, (0.25, 0.5, 0.75))] if times else None,
    }


def _sums(pairs: Iterable[tuple[int, int]]) -> list[int]:
    listed = list(pairs)
    return [sum(one for one, _ in listed), sum(other for _, other in listed)]
