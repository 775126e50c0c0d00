"""Assignments KEY=VALUE of a command line, and the conversion of their texts to values."""

import ast
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from mmengine.config import DictAction

PLACES = ("data_root", "root", "work_dir")
"""Keys whose value is always taken as a path: a folder may be named None or 2023."""

PATHS = ("weights", "checkpoint", "file", "path", "folder", "save_dir")
PATH_ENDINGS = ("_root", "_dir", "_file", "_path")
"""Other names, and endings of names, of keys that hold paths; None switches these off."""

SWITCHES = {"cache": ("True", "False")}
"""Keys that take a path or one of these values."""


class Written(str):
    """The right side of KEY=VALUE as the user typed it, before it is converted to a value."""


def resolve(given: Mapping[str, Any], config: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the values of dotted keys, with every `Written` text converted to a value.

    The first rule that fits applies to a text:

    - `data_root`, `root` and `work_dir` keep the text as a string.
    - `cache` converts True and False.
    - The text stays a string, and None becomes None, if the config has a string at that key now.
      The same holds if the key names a path and the config has no value there.
    - Others are read as Python literals: numbers, True, None, lists, tuples, dicts. Texts that are
      no literal stay strings.

    Args:
        given: by dotted key a `Written` text, or a value that is returned unchanged.
        config: the config that the assignments change; None for an empty one. It is not changed.
    """
    return {
        key: _value_for(key, value, config or {}) if isinstance(value, Written) else value
        for key, value in given.items()
    }


def resolve_options(
    given: Mapping[str, Any], parameters: Mapping[str, inspect.Parameter]
) -> dict[str, Any]:
    """Return the options of a part, with every `Written` text converted to a value.

    If an option's parameter is annotated as a string, its text stays a string, and the text None
    becomes None. Other texts are read as Python literals.

    Args:
        given: by option a `Written` text, or a value that is returned unchanged.
        parameters: the parameters of the part's constructor, from `options_of`.
    """
    annotations = {name: p.annotation for name, p in parameters.items()}
    is_text = {name: a in (str, str | None, "str", "str | None") for name, a in annotations.items()}
    return {
        key: _value(value, is_text.get(key, False)) if isinstance(value, Written) else value
        for key, value in given.items()
    }


def names_a_path(key: str) -> bool:
    """Return whether a config key holds a path, judged by its name.

    Args:
        key: the last part of a dotted key, such as "root" or "image_dir".
    """
    return key in (*PLACES, *PATHS) or key.endswith(PATH_ENDINGS)


def read_value(text: str) -> Any:
    """Return the Python literal that a text holds; a text that is no literal is returned as it is.

    Besides Python's own syntax, "1,2" and "[a, b]" are lists, "true" and "false" are booleans.
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
    except (AssertionError, RecursionError):  # a bracket is not closed
        return str(text)


def _value_for(key: str, text: Written, config: Mapping[str, Any]) -> Any:
    name = key.rpartition(".")[2]
    if name in PLACES:
        return str(text)
    if text in SWITCHES.get(name, ()):
        return text == "True"
    current = _current_value(config, key)
    return _value(text, isinstance(current, str) or (names_a_path(name) and current is None))


def _value(text: Written, is_text: bool) -> Any:
    if is_text:
        return None if text == "None" else str(text)
    return read_value(text)


def _current_value(config: Mapping[str, Any], key: str) -> Any:
    """Return the config's value at a dotted key; None if there is none.

    A number in the key is a position in a list.
    """
    value: Any = config
    for part in key.split("."):
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list | tuple) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value
