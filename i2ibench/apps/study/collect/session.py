"""A participant's session as the page sees it: its progress, and its trials without methods."""

import re
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
"""The form of a participant's token: 128 bits in hexadecimal digits."""


@dataclass(frozen=True)
class ParticipantSession:
    """The progress of a participant.

    Attributes:
        token: the participant's only name.
        nonce: random name of the window in which the participant answers.
        slot: number of the plan, from 0; None before the consent, when nothing is stored.
        answered: sorted numbers of the answered trials.
        finished: whether every trial is answered.
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
        """Return whether the participant agreed to take part, and so has a plan."""
        return self.slot is not None


@dataclass(frozen=True)
class Receipt:
    """The server's response to an answer.

    Attributes:
        counted: whether the answer was kept; False if the trial had been answered before.
        answered: how many trials are answered now.
        finished: whether every trial is answered.
        code: the completion code; "" before the end.
    """

    counted: bool
    answered: int
    finished: bool
    code: str = ""


def page_trials(study: Study, slot: int) -> list[dict[str, Any]]:
    """Return the trials of a plan as JSON for the page: names of images and seconds, no methods.

    Each trial has "left" and "right", names of images, and "seconds", which is None for unlimited
    time. Only practice trials have "better", the side of the better image.

    Args:
        study: the study.
        slot: number of the plan, from 0.
    """
    trials = []
    for trial in study.plan(slot):
        content: dict[str, Any] = {
            "left": study.image_id(trial.left, trial.scene),
            "right": study.image_id(trial.right, trial.scene),
            "seconds": trial.duration,
        }
        if trial.kind == PRACTICE:
            content["better"] = RIGHT if trial.left == DEGRADED else LEFT
        trials.append(content)
    return trials


def read_study_answer(study: Study, content: Any) -> Answer:
    """Return the answer in a message of the page, checked against the study.

    Raises:
        UserError: the content is no valid answer; it lacks `shown_ms` although the study limits the
            time; or it has `shown_ms` although the study does not.
    """
    answer = read_answer(content, study.design.num_trials, study.definition.ties)
    timed = bool(study.definition.durations)
    if timed is (answer.shown_ms is None):
        wanted = "a number, because this study limits the time" if timed else "null: no limit"
        raise UserError(f"'shown_ms' must be {wanted}; the answer has {answer.shown_ms}.")
    return answer


def completion_url(study: Study, code: str) -> str:
    """Return the address that the last page's button opens, with the completion code in its place.

    The result is "" before the end (the code is ""), or if the study file names no address.
    """
    url = study.definition.completion.url
    return url.replace("{code}", quote(code, safe="")) if code else ""
