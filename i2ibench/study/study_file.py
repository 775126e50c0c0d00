"""Study files: Python files that assign the attributes of `Definition`."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from mmengine.config import Config

from i2ibench.errors import UserError, near_match
from i2ibench.study.definition import (
    DEGRADED,
    REFERENCE,
    Completion,
    Definition,
    Exclusion,
    Method,
    Regions,
    SceneChoice,
    Texts,
)

Part = TypeVar("Part")

LEAST = {
    "per_pair": 1, "participants": 1, "repeats": 0, "catch": 0, "practice": 0, "width": 0,
    "seed": 0,
}  # fmt: skip
"""The smallest values of the counts."""

PARTS: dict[str, type] = {
    "scenes": SceneChoice, "regions": Regions, "exclusion": Exclusion,
    "completion": Completion, "texts": Texts,
}  # fmt: skip


def load_definition(path: Path) -> Definition:
    """The study in a Python file that assigns the attributes of `Definition`.

    Raises:
        UserError: the file is missing or broken, or a value is.
    """
    if not path.is_file():
        raise UserError(f"There is no study file {path}.")
    try:
        content = Config.fromfile(path, import_custom_modules=False).to_dict()
    except Exception as error:  # a study file is the user's own program and may raise anything
        raise UserError(f"The study {path} cannot be loaded: {error}") from error
    return read_definition({k: v for k, v in content.items() if not k.startswith("_")}, str(path))


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
        str(name): _part(Method, given, f"{place}: method {name!r}")
        for name, given in methods.items()
    }
    definition = _part(Definition, values, place)
    _check(definition, place)
    return definition


def is_web_address(text: str) -> bool:
    """Whether a browser can be led there."""
    try:
        parts = urlsplit(text)
    except ValueError:  # such as http://[x
        return False
    return parts.scheme in ("http", "https") and parts.netloc != ""


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
    if kind is float and type(value) is int:
        value = float(value)
    if kind in (str, bool, int, float) and type(value) is not kind:
        raise UserError(f"{place} is {kind.__name__}, not {value!r}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{place} is finite, not {value}.")
    return value


def _check(definition: Definition, place: str) -> None:
    """Refuse numbers and names that make no study."""
    _check_pairs(definition, place)
    for key, least in LEAST.items():
        if getattr(definition, key) < least:
            given = getattr(definition, key)
            raise UserError(f"{place}: {key!r} is at least {least}, not {given}.")
    durations = definition.durations
    if any(not 0 < d <= 60 for d in durations) or len(set(durations)) < len(durations):
        raise UserError(f"{place}: 'durations' are different seconds up to 60, not {durations}.")
    _check_texts(definition, place)
    _check_exclusion(definition.exclusion, f"{place}: exclusion")
    _check_sizes(definition, place)
    if not 0 <= definition.regions.dim <= 1:
        raise UserError(f"{place}: regions: 'dim' is a share from 0 to 1.")


def _check_texts(definition: Definition, place: str) -> None:
    """Refuse a title that says nothing, and a link that is none."""
    if not definition.title.strip():
        raise UserError(f"{place}: 'title' is empty; participants read it first.")
    url = definition.completion.url
    if url and not is_web_address(url):
        raise UserError(
            f"{place}: completion: 'url' is an address such as https://lab.example/done?code="
            f"{{code}}, not {url!r}."
        )


def _check_exclusion(exclusion: Exclusion, place: str) -> None:
    """Refuse what is no share, and times below zero."""
    for key in ("min_catch_correct", "min_repeat_agreement", "min_answered", "max_one_side"):
        if not 0 <= getattr(exclusion, key) <= 1:
            raise UserError(f"{place}: {key!r} is a share from 0 to 1.")
    for key in ("min_response_ms", "exposure_tolerance_ms"):
        if getattr(exclusion, key) < 0:
            raise UserError(f"{place}: {key!r} is at least 0, not {getattr(exclusion, key)}.")


def _check_sizes(definition: Definition, place: str) -> None:
    """Refuse sizes that are not two numbers from 1 on."""
    for size in (definition.size, *(method.size for method in definition.methods.values())):
        if size and (len(size) != 2 or min(size) < 1):
            raise UserError(f"{place}: a 'size' is (width, height), not {size}.")


def _check_pairs(definition: Definition, place: str) -> None:
    """Refuse pairs that are not two methods, or stand twice."""
    for pair in definition.pairs:
        for name in pair:
            if name not in definition.methods:
                near = near_match(str(name), definition.methods)
                raise UserError(f"{place}: pair {pair} names no method {name!r}.{near}")
        if len(pair) != 2 or pair[0] == pair[1]:
            raise UserError(f"{place}: a pair is two different methods, not {pair}.")
    if len({frozenset(pair) for pair in definition.pairs}) < len(definition.pairs):
        raise UserError(f"{place}: 'pairs' names a pair twice.")
    for name in (DEGRADED, REFERENCE):
        if name in definition.methods:
            raise UserError(f"{place}: the name {name!r} is taken; call the method otherwise.")
