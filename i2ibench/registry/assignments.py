"""Assignments KEY=VALUE of a command line: how the written text becomes a value."""

import ast
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from mmengine.config import DictAction

PLACES = ("data_root", "root", "work_dir")
"""Keys whose value is a place, whatever it looks like: a folder may be named None or 2023."""

PATHS = ("weights", "checkpoint", "file", "path", "folder", "save_dir")
PATH_ENDINGS = ("_root", "_dir", "_file", "_path")
"""Other keys for paths by their name; None switches them off."""

SWITCHES = {"cache": ("True", "False")}
"""Keys that take a path or one of these values."""


class Written(str):
    """The right side of KEY=VALUE as it was written, before anything knows what it means."""


def resolve(given: Mapping[str, Any], config: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the values of dotted keys, with every written text turned into what it means.

    A text stays as it was written where the config has a string now and where the key names a
    place or a path. Elsewhere it is a Python literal: numbers, True, None, lists, tuples, dicts,
    and words as they are.

    Args:
        given: by dotted key a `Written` text, or a value that is passed on.
        config: what the assignments change; None for an empty one.
    """
    return {
        key: _value_for(key, value, config or {}) if isinstance(value, Written) else value
        for key, value in given.items()
    }


def resolve_options(
    given: Mapping[str, Any], parameters: Mapping[str, inspect.Parameter]
) -> dict[str, Any]:
    """Return a part's options: text stays text where its parameter is annotated as a string."""
    annotations = {name: p.annotation for name, p in parameters.items()}
    is_text = {name: a in (str, str | None, "str", "str | None") for name, a in annotations.items()}
    return {
        key: _value(value, is_text.get(key, False)) if isinstance(value, Written) else value
        for key, value in given.items()
    }


def names_a_path(key: str) -> bool:
    """Return whether a config's key is by its name one for places and paths."""
    return key in (*PLACES, *PATHS) or key.endswith(PATH_ENDINGS)


def read_value(text: str) -> Any:
    """Return what a text means as a Python literal; words and what is no literal stay text.

    Besides Python's own form, "1,2" and "[a, b]" are lists and "true" and "false" are booleans.
    """
    if text[:1] in "\"'{[(" and any(mark in text for mark in "\"'{ "):
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            pass
    is_list = "," in text or text[:1] in ("[", "(")
    try:
        parse: Callable[[str], Any] = (
            DictAction._parse_iterable if is_list else DictAction._parse_int_float_bool
        )
        return parse(str(text))
    except (AssertionError, RecursionError):  # brackets that nobody closes
        return str(text)


def _value_for(key: str, text: Written, config: Mapping[str, Any]) -> Any:
    name = key.rpartition(".")[2]
    if name in PLACES:
        return str(text)
    if text in SWITCHES.get(name, ()):
        return text == "True"
    now = _present(config, key)
    return _value(text, isinstance(now, str) or (names_a_path(name) and now is None))


def _value(text: Written, is_text: bool) -> Any:
    if is_text:
        return None if text == "None" else str(text)
    return read_value(text)


def _present(config: Mapping[str, Any], key: str) -> Any:
    """Return the value at a dotted key now; None where there is none."""
    value: Any = config
    for part in key.split("."):
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list | tuple) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value
