from dataclasses import asdict

import pytest

from i2ibench.apps.study.answers import Answer, read_answer
from i2ibench.errors import UserError

GIVEN = dict(trial=3, choice="left", response_ms=812.5, shown_ms=None, dropped=1)


def test_an_answer_is_read_with_what_was_measured():
    assert read_answer(GIVEN, 10, ties=False) == Answer(3, "left", 812.5, dropped=1)
    given = Answer(2, "tie", 400.0, 125.0, 16.7, width=1200, height=700, zoom=1.5)
    assert read_answer(asdict(given), 10, ties=True) == given


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(choice="tie"), "left or right"),
        (dict(choice=["left"]), "left or right"),
        (dict(trial=10), "There is no trial 10; the session has 10"),
        (dict(trial=1.5), "'trial' must be a number"),
        (dict(trial=True), "'trial' must be a number"),
        (dict(trial=-1), "'trial' must be a number"),
        (dict(response_ms="fast"), "'response_ms' must be a number"),
        (dict(response_ms=float("nan")), "'response_ms' must be a number"),
        (dict(response_ms=None), "'response_ms' must be a number"),
        (dict(dropped=10**13), "'dropped' must be a number"),
        (dict(name="Jane"), "no 'name'"),
    ],
)
def test_wrong_values_are_named(change, message):
    with pytest.raises(UserError) as caught:
        read_answer({**GIVEN, **change}, 10, ties=False)
    assert message in str(caught.value)


@pytest.mark.parametrize("given", [None, [], "left", {"trial": 1}])
def test_what_is_no_answer_is_refused(given):
    with pytest.raises(UserError, match="An answer must be|The answer lacks"):
        read_answer(given, 10, ties=False)
