"""Errors that a user can correct, with suggestions for misspelt names."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(ValueError):
    """A mistake in a config, a command line or the data. The message says how to correct it.

    The commands print only the message and exit with code 2. Every other exception is a defect of
    the program and keeps its traceback.
    """


class UnknownPartError(UserError):
    """An error for a name under which no part is registered.

    Attributes:
        kind: the kind of part, such as "generator".
        name: the unknown name.
    """

    def __init__(self, message: str, kind: str, name: str) -> None:
        super().__init__(message)
        self.kind, self.name = kind, name


class MissingWeightsError(UserError):
    """An error for pretrained weights that this machine does not have."""


def near_match(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean 'X'?" with the known name closest to `name`, or "" if none is close.

    If no name is close as written, upper and lower case are ignored.
    """
    names = sorted(known)
    lowered = {candidate.lower(): candidate for candidate in names}
    close = get_close_matches(name, names, n=1, cutoff=0.5) or [
        lowered[match] for match in get_close_matches(name.lower(), lowered, n=1, cutoff=0.5)
    ]
    return f" Did you mean {close[0]!r}?" if close else ""
