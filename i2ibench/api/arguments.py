"""Checks of the arguments of a call in a notebook."""

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

from i2ibench.errors import UserError, near_match
from i2ibench.models.translators.base import Translator
from i2ibench.models.translators.inference_settings import describe_settings


def require_settings(
    translator: Translator, given: Mapping[str, Any], arguments: Sequence[str]
) -> None:
    """Check that every keyword that is no argument is a setting of the method.

    Args:
        translator: the method.
        given: the keywords with their values.
        arguments: the names of the call's arguments, which a misspelt keyword may mean.

    Raises:
        UserError: the method has no such setting; the message names the nearest name.
    """
    known = describe_settings(type(translator))
    for name in given:
        if name not in known:
            settings = ", ".join(known.values()) or "none"
            raise UserError(
                f"There is no argument {name!r}.{near_match(name, [*known, *arguments])} Settings "
                f"of {type(translator).__name__}: {settings}."
            )


def scene_name(seed: Any) -> str:
    """Return the name that seeds a scene's styles and noise."""
    if not isinstance(seed, Integral) or isinstance(seed, bool):
        raise UserError(f"seed is an integer, not {seed!r}.")
    return f"seed {seed}"
