"""Settings of inference: declared once by a method, checked wherever they come from."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from i2ibench.errors import UserError, near_match
from i2ibench.registry.contracts.promises import fits


@dataclass(frozen=True)
class NoSettings:
    """The settings of a method that has none."""


PLAIN = (int, float, bool, str, NoneType)
"""Kinds of values that a command line, a JSON file and a cache key can hold."""


def check_settings_class(method: type[Any]) -> None:
    """Refuse `Settings` that no command line can set and no cache key can hold.

    Args:
        method: the class of a translator.

    Raises:
        UserError: names the method and the field, and says how settings are declared.
    """
    declared: Any = method.Settings
    owner, form = f"{method.__name__}.Settings", declared
    frozen = is_dataclass(declared) and form.__dataclass_params__.frozen
    if not (isinstance(declared, type) and frozen):
        raise UserError(
            f"{owner} is no frozen dataclass, by which results and cache keys are made: write "
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
                "int, float, bool or str, a Literal, or one of these or None, and so is its "
                "default."
            )


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
    try:
        return method.Settings(**values)
    except ValueError as error:  # a method's own bounds
        raise UserError(f"{method.__name__} refuses its settings: {error}") from error


def describe_settings(method: type[Any]) -> dict[str, str]:
    """Return by name each setting of a translator's class with its default, such as "steps=8"."""
    return {field.name: f"{field.name}={field.default!r}" for field in fields(method.Settings)}


def _is_plain(hint: Any) -> bool:
    if get_origin(hint) in (Union, UnionType):
        return all(_is_plain(one) for one in get_args(hint))
    return get_origin(hint) is Literal or hint in PLAIN


def _fits(value: Any, hint: Any) -> bool:
    """Return whether a value is of an annotation; an integer is a number too."""
    return fits(value, hint) or (float in (hint, *get_args(hint)) and fits(value, int))


def _called(hint: Any) -> str:
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(_called(one) for one in get_args(hint))
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(repr(value) for value in get_args(hint))
    names = {int: "an integer", float: "a number", bool: "True or False", str: "a text"}
    return "None" if hint is NoneType else names.get(hint, str(hint))
