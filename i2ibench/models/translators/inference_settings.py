"""The inference settings of a translation method: their declaration and their checks."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from i2ibench.errors import UserError, near_match
from i2ibench.registry.contracts.promises import fits


@dataclass(frozen=True)
class NoSettings:
    """The empty settings of a method without settings."""


SETTING_TYPES = (int, float, bool, str, NoneType)
"""Types of values that a command line, a JSON file and a cache key can hold."""


def check_settings_class(method: type[Any]) -> None:
    """Check that a method's `Settings` can be set on a command line and stored in a cache key.

    A frozen dataclass is required, whose fields have plain types and fitting defaults.

    Args:
        method: the class of a translator.

    Raises:
        UserError: the declaration is wrong; the message says how to write it.
    """
    declared: Any = method.Settings
    owner, form = f"{method.__name__}.Settings", declared
    frozen = is_dataclass(declared) and form.__dataclass_params__.frozen
    if not (isinstance(declared, type) and frozen):
        raise UserError(
            f"{owner} is not a frozen dataclass, from which results and cache keys are made: write "
            "@dataclass(frozen=True) above it."
        )
    hints = get_type_hints(declared)
    for field in fields(declared):
        hint, default = hints[field.name], field.default
        if default is MISSING:
            raise UserError(f"{owner}.{field.name} has no default: write {field.name}: TYPE = ….")
        if not _is_plain(hint) or not _fits(default, hint):
            raise UserError(
                f"{owner}.{field.name} is {hint} with the default {default!r}: a setting is an "
                "int, float, bool or str, a Literal, or one of these or None, and its default "
                "must fit."
            )


def settings_of(method: type[Any], values: Mapping[str, Any]) -> Any:
    """Return an instance of a method's `Settings` with some values in place of the defaults.

    Args:
        method: the class of a translator.
        values: the values by the name of the setting.

    Raises:
        UserError: a setting is unknown, or its value has the wrong type or is out of bounds.
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
                f"The setting {name!r} of {method.__name__} is {_describe_type(hints[name])}, "
                f"not {value!r}."
            )
    try:
        return method.Settings(**values)
    except ValueError as error:  # raised by the bounds of a method's own __post_init__
        raise UserError(f"{method.__name__} refuses its settings: {error}") from error


def describe_settings(method: type[Any]) -> dict[str, str]:
    """Return each setting of a translator's class as text with its default, by name.

    An example is {"steps": "steps=8"}.
    """
    return {field.name: f"{field.name}={field.default!r}" for field in fields(method.Settings)}


def _is_plain(hint: Any) -> bool:
    if get_origin(hint) in (Union, UnionType):
        return all(_is_plain(one) for one in get_args(hint))
    return get_origin(hint) is Literal or hint in SETTING_TYPES


def _fits(value: Any, hint: Any) -> bool:
    """Return whether a value has the annotated type; an integer fits a float, a bool no int."""
    return fits(value, hint) or (float in (hint, *get_args(hint)) and fits(value, int))


def _describe_type(hint: Any) -> str:
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(_describe_type(one) for one in get_args(hint))
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(repr(value) for value in get_args(hint))
    names = {int: "an integer", float: "a number", bool: "True or False", str: "a text"}
    return "None" if hint is NoneType else names.get(hint, str(hint))
