"""The answers of participants, and the participants themselves: nothing but random tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args, get_type_hints

from i2ibench.errors import UserError

LEFT, RIGHT, TIE = "left", "right", "tie"
CHOICES = (LEFT, RIGHT, TIE)

REAL, SIMULATED = "real", "simulated"
"""The two kinds of participants."""


@dataclass(frozen=True)
class Answer:
    """The answer to one trial, with the page's measurements.

    Attributes:
        trial: number of the trial in the participant's plan.
        choice: one of CHOICES.
        response_ms: time from the first frame of the images to the answer.
        shown_ms: how long the images were on the screen, measured by its frames; None for
            unlimited time.
        frame_ms: measured time between two frames of the screen; 0 if it was not measured.
        dropped: number of frames that came late while the images were shown.
        unfocused_ms: how long the page was hidden or behind another window during the trial.
        width: width of the window in CSS pixels.
        height: height of the window in CSS pixels.
        zoom: device pixels for each CSS pixel.
        showings: how often the images were shown before the answer; a reload shows them again.
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


@dataclass(frozen=True)
class Participant:
    """A participant and the state of their session.

    Attributes:
        token: random; the participant's only name.
        slot: number of the plan.
        simulated: whether a program answered.
        consented: whether the consent was given.
        finished: whether every trial is answered.
        begun: UTC day of the session's start, such as 2026-11-23.
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
    """All participants of a study and all their answers.

    Attributes:
        participants: every participant.
        answers: answers by token, in the order of the trials.
    """

    participants: Sequence[Participant]
    answers: Mapping[str, Sequence[Answer]] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """Return REAL or SIMULATED, the kind of all participants; REAL if there are none.

        Raises:
            UserError: there are participants of both kinds.
        """
        simulated = sum(p.simulated for p in self.participants)
        real = len(self.participants) - simulated
        if real and simulated:
            raise UserError(
                f"The study holds answers of {real} real and {simulated} simulated participants, "
                "which are never analysed together; choose with --participants real or simulated."
            )
        return SIMULATED if simulated else REAL


def read_answer(content: Any, num_trials: int, ties: bool) -> Answer:
    """Return the answer to a trial that a JSON message holds.

    `trial`, `choice` and `response_ms` are required. Other attributes have the defaults of
    `Answer`.

    Args:
        content: a JSON value, which should be an object with the attributes of `Answer`.
        num_trials: number of trials of the session.
        ties: whether TIE is a valid choice.

    Raises:
        UserError: the content is no object, or an attribute is unknown, missing or wrong. The
            message names it.
    """
    if not isinstance(content, Mapping):
        raise UserError(f"An answer must be a JSON object, not {str(content)[:80]}.")
    types = get_type_hints(Answer)
    for name in content:
        if name not in types:
            raise UserError(f"An answer has no {str(name)[:80]!r}.")
    for name in ("trial", "choice", "response_ms"):
        if name not in content:
            raise UserError(f"The answer lacks {name!r}.")
    answer = Answer(**{name: _read(name, value, types[name]) for name, value in content.items()})
    if answer.choice not in (CHOICES if ties else CHOICES[:2]):
        raise UserError(f"'choice' must be left or right{' or tie' if ties else ''}.")
    if answer.trial >= num_trials:
        raise UserError(f"There is no trial {answer.trial}; the session has {num_trials}.")
    return answer


def _read(name: str, value: Any, kind: Any) -> Any:
    """Return an attribute of an answer as the type `kind`.

    A text is cut to 16 characters. Integers become floats as needed. None passes if the type allows
    it.
    """
    if kind is str:
        return str(value)[:16]
    if value is None and type(None) in get_args(kind):
        return None
    fits = isinstance(value, int) if kind is int else isinstance(value, int | float)
    if not fits or isinstance(value, bool) or not 0 <= value < 1e12:  # refuses NaN, too
        raise UserError(f"{name!r} must be a number of at least 0, not {str(value)[:80]}.")
    return value if kind is int else float(value)
