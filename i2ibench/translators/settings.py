"""Settings of inference: declared once by a method, checked wherever they come from."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from i2ibench.errors import UserError, near_match


@dataclass(frozen=True)
class NoSettings:
    """The settings of a method that has none."""


def settings_of(method: type[Any], values: Mapping[str, Any]) -> Any:
    """Return a method's settings with some values in place of the defaults.

    Args:
        method: the class of a translator.
        values: by name of a field of its `Settings`.

    Raises:
        UserError: there is no such setting, or its value is of another kind or refused.
    """
    known = describe_settings(method)
    hints = get_type_hints(method.Settings)
    for name, value in values.items():
        if name not in known:
            listing = ", ".join(known.values()) or "none"
            raise UserError(
                f"{method.__name__} has no setting {name!r}.{near_match(name, known)} "
                f"Settings: {listing}."
            )
        if not _fits(value, hints[name]):
            raise UserError(
                f"The setting {name!r} of {method.__name__} is {_called(hints[name])}, "
                f"not {value!r}."
            )
    return method.Settings(**values)


def describe_settings(method: type[Any]) -> dict[str, str]:
    """Return by name each setting of a translator's class with its default, such as "steps=8"."""
    return {field.name: f"{field.name}={field.default!r}" for field in fields(method.Settings)}


def _fits(value: Any, hint: Any) -> bool:
    if get_origin(hint) in (Union, UnionType):
        return any(_fits(value, one) for one in get_args(hint))
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)


def _called(hint: Any) -> str:
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(_called(one) for one in get_args(hint))
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(repr(value) for value in get_args(hint))
    names = {int: "an integer", float: "a number", bool: "True or False", str: "a text"}
    return "None" if hint is NoneType else names.get(hint, str(hint))
