"""Map errors: what can be wrong with a label or instance map that is no broken file."""

from i2ibench.errors import UserError


class ColouredMapError(UserError):
    """A map of colours, where one channel of ids is wanted."""


class InexactMapError(UserError):
    """A map in a kind of file that does not hold its ids: a JPEG, floats, 8 bits for too many."""


class UnknownIdError(UserError):
    """A label map with a value that is no class's id.

    Attributes:
        value: the smallest such value; None in an error that comes from a loader's process, which
            hands on messages alone.
    """

    def __init__(self, message: str, value: int | None = None) -> None:
        super().__init__(message)
        self.value = value
