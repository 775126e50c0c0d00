"""A participant's sitting as the page has it: where it stands, and the trials without methods."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from i2ibench.apps.study.answers import LEFT, RIGHT, Answer, read_answer
from i2ibench.apps.study.define.definition import DEGRADED
from i2ibench.apps.study.define.design import PRACTICE
from i2ibench.apps.study.define.study import Study
from i2ibench.errors import UserError

TOKEN = re.compile(r"[0-9a-f]{32}")
"""What the name of a participant looks like."""


@dataclass(frozen=True)
class ParticipantSession:
    """Where a participant stands.

    Attributes:
        token: the participant's only name.
        nonce: of the window that the participant answers in; a later window has another.
        slot: number of the plan, from 0; None before the consent, when nothing is stored.
        answered: numbers of the trials that are answered, sorted.
        finished: whether every trial is.
        code: the completion code; "" before the end.
    """

    token: str
    nonce: str
    slot: int | None = None
    answered: Sequence[int] = ()
    finished: bool = False
    code: str = ""

    @property
    def consented(self) -> bool:
        """Return whether the consent was given."""
        return self.slot is not None


@dataclass(frozen=True)
class Receipt:
    """What the server says to an answer.

    Attributes:
        counted: whether it was kept; False if the trial had been answered before.
        answered: how many trials are answered now.
        finished: whether every trial is.
        code: the completion code; "" before the end.
    """

    counted: bool
    answered: int
    finished: bool
    code: str = ""


def new_token() -> str:
    """A random name: 128 bits in hexadecimal digits."""
    return secrets.token_hex(16)


def page_trials(study: Study, slot: int) -> list[dict[str, Any]]:
    """The trials of a plan as the page gets them: names of images, seconds, nothing of methods.

    Only practice trials tell which side is the better one.
    """
    trials = []
    for trial in study.plan(slot):
        shown: dict[str, Any] = {
            "left": study.image_id(trial.left, trial.scene),
            "right": study.image_id(trial.right, trial.scene),
            "seconds": trial.duration,
        }
        if trial.kind == PRACTICE:
            shown["better"] = RIGHT if trial.left == DEGRADED else LEFT
        trials.append(shown)
    return trials


def answer_in(study: Study, given: Any) -> Answer:
    """The answer in a message of the page.

    Raises:
        UserError: it is none, or its exposure does not fit the study.
    """
    answer = read_answer(given, study.design.num_trials, study.definition.ties)
    timed = bool(study.definition.durations)
    if timed is (answer.shown_ms is None):
        wanted = "a number, because this study limits the time" if timed else "null: no limit"
        raise UserError(f"'shown_ms' is {wanted}; the answer has {answer.shown_ms}.")
    return answer


def completion_url(study: Study, code: str) -> str:
    """Where the end's button leads; "" without one, and before the end."""
    url = study.definition.completion.url
    return url.replace("{code}", quote(code, safe="")) if code else ""
