"""JSON from strangers, read strictly."""

import json
import math
from collections.abc import Sequence
from typing import Any, NoReturn

LONGEST_INTEGER = 19
"""Digits; longer integers become infinite, which no field's range holds."""


def parse_json(text: str | bytes) -> Any:
    """Return the value that a JSON text stands for.

    Refuses what other readers of JSON understand differently: NaN and Infinity, the same name
    twice in one object, and encodings other than UTF-8.

    Raises:
        ValueError: says why it is no such text.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8")  # UnicodeDecodeError is a ValueError
    try:
        return json.loads(
            text,
            parse_constant=_refuse,
            parse_int=_short_integer,
            object_pairs_hook=_without_duplicates,
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")


def _short_integer(digits: str) -> int | float:
    if len(digits.lstrip("-")) <= LONGEST_INTEGER:
        return int(digits)
    return -math.inf if digits.startswith("-") else math.inf


def _without_duplicates(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name[:50]!r} stands twice in an object")
        found[name] = value
    return found
