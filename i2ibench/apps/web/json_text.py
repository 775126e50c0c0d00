"""A strict reader of JSON from untrusted clients."""

import json
import math
from collections.abc import Sequence
from typing import Any, NoReturn

LONGEST_INTEGER = 19
"""Most digits of an integer; longer ones become infinite, which every field's range excludes."""


def parse_json(text: str | bytes) -> Any:
    """Return the value of a JSON text.

    Refuse everything that JSON readers interpret differently: NaN and Infinity, a repeated name in
    one object, and encodings other than UTF-8. Integers of more than LONGEST_INTEGER digits become
    infinite floats.

    Raises:
        ValueError: the text is not strict JSON, or is nested too deeply; the message says why.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8")  # UnicodeDecodeError is a ValueError
    try:
        return json.loads(
            text,
            parse_constant=_refuse,
            parse_int=_parse_integer,
            object_pairs_hook=_without_duplicates,
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")


def _parse_integer(digits: str) -> int | float:
    if len(digits.lstrip("-")) <= LONGEST_INTEGER:
        return int(digits)
    return -math.inf if digits.startswith("-") else math.inf


def _without_duplicates(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for name, value in pairs:
        if name in content:
            raise ValueError(f"{name[:50]!r} stands twice in an object")
        content[name] = value
    return content
