"""Inference settings are checked against their declaration."""

from dataclasses import dataclass
from typing import Literal

import pytest

from i2ibench.errors import UserError
from i2ibench.models.translators.base import Translator
from i2ibench.models.translators.inference_settings import describe_settings, settings_of


@dataclass(frozen=True)
class Steps:
    """Of an iterative method."""

    steps: int = 8
    guidance: float = 1.0
    solver: Literal["euler", "heun"] = "euler"
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps is at least 1, not {self.steps}.")


class Iterative(Translator):
    """With settings."""

    Settings = Steps


def test_values_replace_defaults_and_an_integer_is_a_number():
    settings = settings_of(Iterative, {"steps": 25, "guidance": 2, "seed": None})
    assert settings == Steps(25, 2, "euler", None)
    assert settings_of(Iterative, {}) == Steps()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"stpes": 2}, r"Iterative has no setting 'stpes'.*Did you mean 'steps'.*steps=8"),
        ({"steps": 2.5}, "'steps' of Iterative is an integer, not 2.5"),
        ({"steps": True}, "is an integer, not True"),
        ({"guidance": "2"}, "is a number, not '2'"),
        ({"solver": "rk4"}, "is one of 'euler', 'heun', not 'rk4'"),
        ({"seed": "x"}, "is an integer or None, not 'x'"),
        ({"steps": 0}, "Iterative refuses its settings: steps is at least 1, not 0"),
    ],
)
def test_unknown_settings_and_values_of_wrong_types_are_refused(values, said):
    with pytest.raises(UserError, match=said):
        settings_of(Iterative, values)


def test_a_method_without_settings_says_so():
    assert describe_settings(Translator) == {}
    with pytest.raises(UserError, match="Settings: none"):
        settings_of(Translator, {"steps": 2})
