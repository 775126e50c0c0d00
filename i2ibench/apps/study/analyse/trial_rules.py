"""The rules that leave out single answers: too quick, not shown as asked, not looked at."""

from collections.abc import Callable

from i2ibench.apps.study.answers import Answer
from i2ibench.apps.study.define.definition import Exclusion


def waited_ms(answer: Answer) -> float:
    """How long an answer took from when it was possible, in milliseconds.

    That is when the images appeared or, with limited time, when they were covered again.
    """
    return answer.response_ms - (answer.shown_ms or 0.0)


def _is_off(answer: Answer, asked: float | None, rules: Exclusion) -> bool:
    """Return whether an exposure is off by more than the rules allow, or was not measured."""
    if asked is None:
        return False
    if answer.shown_ms is None:
        return True
    limit = max(rules.exposure_tolerance_ms, answer.frame_ms / 2)
    return abs(answer.shown_ms - 1000 * asked) > limit


TRIAL_RULES: dict[str, Callable[[Answer, float | None, Exclusion], bool]] = {
    "too_quick": lambda answer, asked, rules: waited_ms(answer) < rules.min_response_ms,
    "exposure_off": _is_off,
    "unfocused": lambda answer, asked, rules: rules.drop_unfocused and answer.unfocused_ms > 0,
    "seen_again": lambda answer, asked, rules: asked is not None and answer.showings > 1,
}
"""By name, whether an answer to a trial of so many seconds (None: unlimited) breaks the rule."""


def broken_rules(answer: Answer, asked: float | None, rules: Exclusion) -> list[bool]:
    """Of every rule in TRIAL_RULES whether the answer breaks it."""
    return [breaks(answer, asked, rules) for breaks in TRIAL_RULES.values()]
