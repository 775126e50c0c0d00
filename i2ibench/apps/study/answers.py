"""What participants answered, and who they were: nothing but a random token."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, get_args, get_type_hints

from i2ibench.errors import UserError

LEFT, RIGHT, TIE = "left", "right", "tie"
CHOICES = (LEFT, RIGHT, TIE)


@dataclass(frozen=True)
class Answer:
    """The answer to one trial, with what the page measured.

    Attributes:
        trial: its number in the participant's plan.
        choice: one of CHOICES.
        response_ms: from the first frame of the images to the answer.
        shown_ms: how long the images were on the screen, measured by its frames; None for
            unlimited time.
        frame_ms: the screen's frame, measured; 0 where it was not.
        dropped: frames that came late while the images were shown.
        unfocused_ms: how long the page was hidden or another window in front during the trial.
        width: of the window in CSS pixels.
        height: of the window in CSS pixels.
        zoom: device pixels to a CSS pixel.
        showings: how often the images were shown up to the answer; a reload shows them again.
    """

    trial: int
    choice: str
    response_ms: float
    shown_ms: float | None = None
    frame_ms: float = 0.0
    dropped: int = 0
    unfocused_ms: float = 0.0
    width: int = 0
    height: int = 0
    zoom: float = 1.0
    showings: int = 1

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Participant:
    """One sitting.

    Attributes:
        token: random; the only name that there is.
        slot: number of the plan.
        simulated: whether a program answered.
        consented: whether the consent was given.
        finished: whether every trial is answered.
        begun: UTC day of the sitting, such as 2026-11-23.
        origin: "server", or the file that the answers were imported from.
        code: the completion code that was shown.
    """

    token: str
    slot: int
    simulated: bool = False
    consented: bool = False
    finished: bool = False
    begun: str = ""
    origin: str = "server"
    code: str = ""


@dataclass(frozen=True)
class Collected:
    """All that a study has collected.

    Attributes:
        participants: every sitting.
        answers: by token, in the order of the trials.
    """

    participants: Sequence[Participant]
    answers: Mapping[str, Sequence[Answer]] = field(default_factory=dict)


def read_answer(given: Any, num_trials: int, ties: bool) -> Answer:
    """The answer in a message.

    Raises:
        UserError: names what is wrong with it.
    """
    if not isinstance(given, Mapping):
        raise UserError(f"An answer is an object, not {str(given)[:80]}.")
    known = get_type_hints(Answer)
    for name in given:
        if name not in known:
            raise UserError(f"An answer has no {str(name)[:80]!r}.")
    missing = [name for name in ("trial", "choice", "response_ms") if name not in given]
    if missing:
        raise UserError(f"The answer lacks {missing[0]!r}.")
    values = {name: _number(name, value, known[name]) for name, value in given.items()}
    answer = Answer(**values)
    if answer.choice not in (CHOICES if ties else CHOICES[:2]):
        raise UserError(f"'choice' is left or right{' or tie' if ties else ''}.")
    if answer.trial >= num_trials:
        raise UserError(f"There is no trial {answer.trial}; the sitting has {num_trials}.")
    return answer


def _number(name: str, value: Any, kind: Any) -> Any:
    """A value of its type, no number negative or endless."""
    if kind is str:
        return str(value)[:16]
    if value is None and type(None) in get_args(kind):
        return None
    fits = isinstance(value, int) if kind is int else isinstance(value, int | float)
    if not fits or isinstance(value, bool) or not 0 <= value < 1e12:  # so no NaN
        raise UserError(f"{name!r} is a number from 0 on, not {str(value)[:80]}.")
    return value if kind is int else float(value)
