"""The account of a preparation: what was used, and everything that was left out."""

from collections import Counter
from threading import Lock

NAMED = 3
"""Places that a line of the account names; the others are counted."""


class Account:
    """Counts by kind of what was used and left out; several threads may write into it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._used: Counter[str] = Counter()
        self._left_out: dict[str, list[str]] = {}

    def use(self, kind: str, count: int = 1) -> None:
        """Count something that was used, such as a polygon."""
        with self._lock:
            self._used[kind] += count

    def leave_out(self, kind: str, place: str) -> None:
        """Count something that was left out; `place` names it or the file that it is in."""
        with self._lock:
            self._left_out.setdefault(kind, []).append(place)

    def used(self, kind: str) -> int:
        """Return how many things of a kind were used."""
        return self._used[kind]

    def lines(self) -> list[str]:
        """Return a line for what was used, and one for each kind that was left out."""
        with self._lock:
            used = ", ".join(f"{n} {kind}" for kind, n in sorted(self._used.items()))
            left_out = [
                f"left out: {len(places)} {kind}: {_few(places)}"
                for kind, places in sorted(self._left_out.items())
            ]
        return [f"used: {used or 'nothing'}", *left_out]


def _few(places: list[str]) -> str:
    found = list(dict.fromkeys(sorted(places)))
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return f"{', '.join(found[:NAMED])}{more}"
