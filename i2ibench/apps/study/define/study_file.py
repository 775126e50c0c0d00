"""Study files: Python files that assign the attributes of `Definition`."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from i2ibench.apps.study.define.definition import (
    Completion,
    Definition,
    Exclusion,
    Method,
    Regions,
    SceneChoice,
    Texts,
)
from i2ibench.apps.study.define.definition_checks import check_definition
from i2ibench.errors import UserError, near_match
from i2ibench.io.safe_names import safe_text
from i2ibench.registry.configuration import read_assignments

Part = TypeVar("Part")

PARTS: dict[str, type] = {
    "scenes": SceneChoice, "regions": Regions, "exclusion": Exclusion,
    "completion": Completion, "texts": Texts,
}  # fmt: skip


def load_definition(path: Path) -> Definition:
    """The study in a Python file that assigns the attributes of `Definition`.

    Raises:
        UserError: the file is missing or broken, or a value is.
    """
    return read_definition(read_assignments(path, "study"), str(path))


def read_definition(content: Mapping[str, Any], place: str) -> Definition:
    """The study that nested dicts describe.

    Raises:
        UserError: names the place, the key and the value.
    """
    values = dict(content)
    for key, kind in PARTS.items():
        if key in values:
            values[key] = _part(kind, values[key], f"{place}: {key}")
    methods = values.get("methods")
    if not isinstance(methods, Mapping) or len(methods) < 2:
        raise UserError(f"{place}: 'methods' is a dict of two or more by name, not {methods!r}.")
    values["methods"] = {
        safe_text(str(name), place): _part(Method, given, f"{place}: method {name!r}")
        for name, given in methods.items()
    }
    definition = _part(Definition, values, place)
    check_definition(definition, place)
    return definition


def _part(kind: type[Part], given: Any, place: str) -> Part:
    """A dataclass from a dict, every value of its field's type."""
    if not isinstance(given, Mapping):
        raise UserError(f"{place} is a dict, not {given!r}.")
    known = get_type_hints(kind)
    values = {}
    for key, value in given.items():
        if key not in known:
            raise UserError(
                f"{place} has no key {key!r}.{near_match(key, known)} Known: {', '.join(known)}."
            )
        values[key] = _value(value, known[key], f"{place}: {key!r}")
    if kind is Definition and "title" not in values:
        raise UserError(f"{place} lacks 'title', which participants read.")
    try:
        return kind(**values)
    except UserError as error:
        raise UserError(f"{place} {error}, not {dict(given)!r}.") from None


def _value(value: Any, kind: Any, place: str) -> Any:
    """The value, made a tuple or float where that is its type."""
    if get_origin(kind) is tuple:
        if not isinstance(value, list | tuple):
            raise UserError(f"{place} is a list, not {value!r}.")
        return tuple(_value(item, get_args(kind)[0], place) for item in value)
    if get_origin(kind) is Mapping and not isinstance(value, Mapping):
        raise UserError(f"{place} is a dict, not {value!r}.")
    if kind is float and type(value) is int:
        value = float(value)
    if kind in (str, bool, int, float) and type(value) is not kind:
        raise UserError(f"{place} is {kind.__name__}, not {value!r}.")
    if isinstance(value, str):
        safe_text(value, place, lines=True)
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{place} is finite, not {value}.")
    return value
