"""The error that a user can mend."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(ValueError):
    """A mistake in a config, a command line or the data: the message says what to do.

    The commands print the message alone and exit with code 2; every other exception is a defect
    and keeps its traceback.
    """


class UnknownPartError(UserError):
    """A name that no registered part has.

    Attributes:
        kind: of the part, such as "generator".
        name: that was asked for.
    """

    def __init__(self, message: str, kind: str, name: str) -> None:
        super().__init__(message)
        self.kind, self.name = kind, name


class MissingWeightsError(UserError):
    """Pretrained weights that are not on this machine: what needs them cannot be computed."""


def near_match(name: str, known: Iterable[str]) -> str:
    """The sentence " Did you mean 'X'?" for the known name closest to `name`, or nothing."""
    names = sorted(known)
    lowered = {candidate.lower(): candidate for candidate in names}
    close = get_close_matches(name, names, n=1, cutoff=0.5) or [
        lowered[match] for match in get_close_matches(name.lower(), lowered, n=1, cutoff=0.5)
    ]
    return f" Did you mean {close[0]!r}?" if close else ""
