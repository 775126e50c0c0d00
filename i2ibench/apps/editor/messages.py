"""What a page may send, its limits, and the frames that the server sends.

A page sends text frames with a JSON object, or binary frames: the length of a JSON header as a
little-endian uint32, the header, a payload. The server sends binary frames of that form only.
"""

import json
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from i2ibench.apps.web.json_text import parse_json
from i2ibench.errors import UserError

MAX_MESSAGE_BYTES = 2**20
MAX_UPLOAD_BYTES = 32 * 2**20
MAX_POINTS = 4096
MAX_RADIUS = 256
MAX_COORDINATE = 8192
TOKEN = re.compile(r"[A-Za-z0-9_-]{32}")

Check = Callable[[Any], Any]
"""Gives the value, or raises ValueError with what it must be."""


@dataclass(frozen=True)
class Request:
    """One checked message.

    Attributes:
        type: a key of FIELDS.
        id: the page's number for it.
        fields: the checked values; optional ones that were left out are missing.
        payload: of an upload.
    """

    type: str
    id: int
    fields: Mapping[str, Any]
    payload: bytes = b""


class MalformedMessage(UserError):
    """A message that is no request; `id` is its number, if it has one."""

    def __init__(self, message: str, id: int | None = None) -> None:
        super().__init__(message)
        self.id = id


def integer(low: int, high: int) -> Check:
    """A check for integers in a range."""

    def check(value: Any) -> int:
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"an integer in {low}..{high}")
        return value

    return check


def number(low: float, high: float) -> Check:
    """A check for finite numbers in a range."""

    def check(value: Any) -> float:
        if type(value) not in (int, float) or not low <= value <= high:
            raise ValueError(f"a number in {low}..{high}")
        return float(value)

    return check


def one_of(*values: Any) -> Check:
    """A check for one of a few values."""

    def check(value: Any) -> Any:
        if not any(type(value) is type(v) and value == v for v in values):
            raise ValueError(f"one of {', '.join(json.dumps(v) for v in values)}")
        return value

    return check


def text(longest: int) -> Check:
    """A check for strings."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or len(value) > longest or not _encodable(value):
            raise ValueError(f"a text of at most {longest} characters")
        return value

    return check


def _encodable(value: str) -> bool:
    """Return whether a text can be written; the only surrogates allowed are bytes of file names."""
    try:
        value.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def points(fewest: int) -> Check:
    """A check for lists of [x, y]."""

    def check(value: Any) -> list[tuple[int, int]]:
        if not isinstance(value, list) or not fewest <= len(value) <= MAX_POINTS:
            raise ValueError(f"a list of {fewest} to {MAX_POINTS} points")
        if not all(isinstance(p, list) and len(p) == 2 for p in value):
            raise ValueError("a list of points [x, y]")
        return [(COORDINATE(p[0]), COORDINATE(p[1])) for p in value]

    return check


def target(value: Any) -> str | int:
    """A check for "auto", "new" or an instance's id."""
    if value in ("auto", "new") and isinstance(value, str):
        return value
    if type(value) is int and 0 <= value <= 65535:
        return value
    raise ValueError('"auto", "new" or an instance id')


COORDINATE = integer(-MAX_COORDINATE, MAX_COORDINATE)
COUNTER = integer(0, 2**53)
FLAG = one_of(True, False)
LABEL = integer(0, 255)
INSTANCE = integer(0, 65535)
NAME = text(1000)
PLACE = {"x": COORDINATE, "y": COORDINATE}
SHIFT = {"instance": INSTANCE, "dx": COORDINATE, "dy": COORDINATE}
PAINTED = {"label": LABEL, "instance": target}
WHOM = {"instance?": INSTANCE, "label?": LABEL, "all?": one_of(True)}

FIELDS: dict[str, dict[str, Check]] = {
    "hello": {"session?": text(64), "scene?": NAME},
    "open": {"scene": NAME},
    "upload": {"kind": one_of("scene", "label", "instance", "photo"), "name?": text(200)},
    "stroke": {
        "stroke": COUNTER, "points": points(1), "radius": integer(0, MAX_RADIUS), **PAINTED,
        "end": FLAG,
    },
    "fill": {**PLACE, **PAINTED},
    "relabel": {"instance": INSTANCE, "label": LABEL},
    "lasso": {"points": points(3), **PAINTED},
    "stamp": {"stamp": NAME, **PLACE, "scale": number(0.1, 8), "flip": FLAG, "label": LABEL},
    "duplicate": SHIFT,
    "move": SHIFT,
    "delete": {"instance": INSTANCE},
    "set_style": {**WHOM, "mode": integer(0, 2**31 - 1)},
    "random_styles": {},
    "style_from_photo": WHOM,
    "reset_styles": {},
    "reset": {},
    "undo": {},
    "redo": {},
    "thumbnails": {"instance": INSTANCE},
    "stamps": {"label": LABEL},
    "render": {},
}  # fmt: skip
"""The requests and their fields; a name ending in ? may be left out."""


def parse(message: str | bytes) -> Request:
    """The request in a text or binary frame.

    Raises:
        MalformedMessage: it is too large, no JSON, or no request; says which field is wrong.
    """
    if isinstance(message, str):
        if len(message) > MAX_MESSAGE_BYTES or len(message.encode(errors="replace")) > (
            MAX_MESSAGE_BYTES
        ):
            raise MalformedMessage(f"A message has at most {MAX_MESSAGE_BYTES} bytes.")
        return _request(_json(message), b"")
    if len(message) > MAX_UPLOAD_BYTES:
        raise MalformedMessage(f"An upload has at most {MAX_UPLOAD_BYTES // 2**20} MiB.")
    if len(message) < 4:
        raise MalformedMessage("A binary frame begins with the length of its header.")
    (length,) = struct.unpack_from("<I", message)
    if length > min(MAX_MESSAGE_BYTES, len(message) - 4):
        raise MalformedMessage("The header of a binary frame is longer than the frame or limit.")
    header = message[4 : 4 + length].decode("utf-8", errors="replace")
    return _request(_json(header), message[4 + length :])


def frame(payload: bytes = b"", **header: Any) -> bytes:
    """A frame for the page."""
    packed = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<I", len(packed)) + packed + payload


def _json(source: str) -> Any:
    try:
        return parse_json(source)
    except ValueError as error:
        raise MalformedMessage(f"The message is no JSON: {str(error)[:200]}") from None


def _request(value: Any, payload: bytes) -> Request:
    if not isinstance(value, dict):
        raise MalformedMessage("A message is a JSON object.")
    own = value.get("id")
    if type(own) is not int or not 0 <= own <= 2**53:
        raise MalformedMessage("A message has an 'id', an integer from 0 on.")
    kind = value.get("type")
    if not isinstance(kind, str) or kind not in FIELDS:
        raise MalformedMessage(f"There is no request {str(kind)[:50]!r}.", own)
    if payload and kind != "upload":
        raise MalformedMessage(f"{kind} has no payload.", own)
    return Request(kind, own, _fields(kind, value, own), payload)


def _fields(kind: str, value: Mapping[str, Any], own: int) -> dict[str, Any]:
    checks = FIELDS[kind]
    known = {name.rstrip("?") for name in checks} | {"type", "id"}
    for name in value:
        if name not in known:
            raise MalformedMessage(f"{kind} has no field {name[:50]!r}.", own)
    fields: dict[str, Any] = {}
    for name, check in checks.items():
        plain = name.rstrip("?")
        if plain not in value:
            if name.endswith("?"):
                continue
            raise MalformedMessage(f"{kind} needs {plain!r}.", own)
        try:
            fields[plain] = check(value[plain])
        except ValueError as error:
            raise MalformedMessage(f"{kind}: {plain!r} is {error}.", own) from None
    return fields
