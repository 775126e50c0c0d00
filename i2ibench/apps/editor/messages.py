"""Requests that a page may send, their limits, and the form of the frames in both directions.

A page sends text frames with a JSON object, or binary frames. A binary frame is the length of a
JSON header as a little-endian uint32, the header, and a payload. The server sends binary frames.
"""

import contextlib
import json
import re
import struct
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, ValidationError

from i2ibench.apps.web.json_text import parse_json
from i2ibench.errors import UserError

MAX_MESSAGE_BYTES = 2**20
MAX_UPLOAD_BYTES = 32 * 2**20
MAX_POINTS = 4096
MAX_RADIUS = 256
MAX_COORDINATE = 8192
MAX_NAME_LENGTH = 1000
TOKEN = re.compile(r"[A-Za-z0-9_-]{32}")


class MalformedMessage(UserError):
    """An error about a WebSocket message that is no valid request.

    Attributes:
        id: the request's number; None if the message has no valid number.
    """

    def __init__(self, message: str, id: int | None = None) -> None:
        super().__init__(message)
        self.id = id


def check_text(value: Any, longest: int = MAX_NAME_LENGTH) -> str:
    """Return a value unchanged if it is a text of at most `longest` characters, valid in UTF-8.

    The only surrogates allowed are those that stand for undecodable bytes of file names.

    Raises:
        ValueError: the value is no such text.
    """
    with contextlib.suppress(UnicodeEncodeError):
        if isinstance(value, str) and len(value) <= longest:
            value.encode(errors="surrogateescape")
            return value
    raise ValueError(f"a text of at most {longest} characters")


def _check_true(value: bool) -> bool:
    if not value:
        raise ValueError("true")
    return value


def _integer(low: int, high: int) -> Any:
    return Field(ge=low, le=high, description=f"an integer in {low}..{high}")


def _text(longest: int) -> PlainValidator:
    return PlainValidator(partial(check_text, longest=longest))


def _points(fewest: int) -> Any:
    return Field(
        min_length=fewest, max_length=MAX_POINTS,
        description=f"a list of {fewest} to {MAX_POINTS} points [x, y], where each coordinate is "
        f"an integer in {-MAX_COORDINATE}..{MAX_COORDINATE}",
    )  # fmt: skip


Counter = Annotated[int, _integer(0, 2**53)]
Coordinate = Annotated[int, _integer(-MAX_COORDINATE, MAX_COORDINATE)]
Label = Annotated[int, _integer(0, 255)]
InstanceId = Annotated[int, _integer(0, 65535)]
Flag = Annotated[bool, Field(description="true or false")]
Name = Annotated[str, _text(MAX_NAME_LENGTH)]
Target = Annotated[
    Literal["auto", "new"] | InstanceId, Field(description='"auto", "new" or an instance id')
]
PointPair = Annotated[tuple[Coordinate, Coordinate], Field(strict=False)]  # JSON has lists only


class Request(BaseModel):
    """A request of a page. The description of a field completes the sentence of a refusal.

    Attributes:
        type: a key of REQUESTS.
        id: the page's number for the request.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    type: str
    id: Counter


class HelloRequest(Request):
    """Enter a session, the first request of a connection."""

    session: Annotated[str | None, _text(64)] = None
    scene: Annotated[str | None, _text(MAX_NAME_LENGTH)] = None


class OpenRequest(Request):
    """Open a scene of the data."""

    scene: Name


class UploadRequest(Request):
    """Take over a file: a scene's zip, a label or instance map, or a photo to take styles from.

    The payload of the frame is the file's content.
    """

    kind: Annotated[
        Literal["scene", "label", "instance", "photo"],
        Field(description='one of "scene", "label", "instance", "photo"'),
    ]
    name: Annotated[str | None, _text(200)] = None
    payload: bytes = b""


class BrushRequest(Request):
    """An edit that brushes pixels with a class and an instance."""

    label: Label
    instance: Target


class StrokeRequest(BrushRequest):
    """Brush a part of a stroke; all parts of a stroke have its number."""

    stroke: Counter
    points: Annotated[list[PointPair], _points(1)]
    radius: Annotated[int, _integer(0, MAX_RADIUS)]
    end: Flag


class FillRequest(BrushRequest):
    """Brush the connected part of an instance around a pixel."""

    x: Coordinate
    y: Coordinate


class LassoRequest(BrushRequest):
    """Brush the inside of a polygon."""

    points: Annotated[list[PointPair], _points(3)]


class RelabelRequest(Request):
    """Give an instance another class."""

    instance: InstanceId
    label: Label


class StampRequest(Request):
    """Brush a silhouette of the data as a new instance."""

    stamp: Name
    x: Coordinate
    y: Coordinate
    scale: Annotated[float, Field(ge=0.1, le=8, description="a number in 0.1..8")]
    flip: Flag
    label: Label


class InstanceRequest(Request):
    """A request about one instance."""

    instance: InstanceId


class ShiftRequest(InstanceRequest):
    """Move or copy an instance by a number of pixels."""

    dx: Coordinate
    dy: Coordinate


class StyleRequest(Request):
    """A request about the styles of one instance, of a class, or of all instances.

    That exactly one of the three is given is checked later, see `instances_to_style`.
    """

    instance: InstanceId | None = Field(None, description="an integer in 0..65535")
    label: Label | None = Field(None, description="an integer in 0..255")
    all: Annotated[bool, AfterValidator(_check_true)] | None = Field(None, description="true")


class ModeRequest(StyleRequest):
    """Give instances a mode of the style bank."""

    mode: Annotated[int, _integer(0, 2**31 - 1)]


class ClassRequest(Request):
    """A request about one class."""

    label: Label


REQUESTS: dict[str, type[Request]] = {
    "hello": HelloRequest,
    "open": OpenRequest,
    "upload": UploadRequest,
    "stroke": StrokeRequest,
    "fill": FillRequest,
    "relabel": RelabelRequest,
    "lasso": LassoRequest,
    "stamp": StampRequest,
    "duplicate": ShiftRequest,
    "move": ShiftRequest,
    "delete": InstanceRequest,
    "set_style": ModeRequest,
    "random_styles": Request,
    "style_from_photo": StyleRequest,
    "reset_styles": Request,
    "reset": Request,
    "undo": Request,
    "redo": Request,
    "thumbnails": InstanceRequest,
    "stamps": ClassRequest,
    "render": Request,
}


def parse(message: str | bytes) -> Request:
    """Parse a WebSocket message from a page into the request that it holds.

    Args:
        message: a text message, which is a JSON object of at most MAX_MESSAGE_BYTES; or a binary
            message of at most MAX_UPLOAD_BYTES, which is the length of a JSON header as a
            little-endian uint32, the header, and the payload of an upload.

    Raises:
        MalformedMessage: the message is too large, no JSON, no request, or has a payload but is no
            upload. The text of the error names the first wrong field, and its `id` is the request's
            number if the message has a valid one.
    """
    if isinstance(message, str):
        if len(message) > MAX_MESSAGE_BYTES or len(message.encode(errors="replace")) > (
            MAX_MESSAGE_BYTES
        ):
            raise MalformedMessage(f"A message has at most {MAX_MESSAGE_BYTES} bytes.")
        return _request(message, b"")
    if len(message) > MAX_UPLOAD_BYTES:
        raise MalformedMessage(f"An upload has at most {MAX_UPLOAD_BYTES // 2**20} MiB.")
    if len(message) < 4:
        raise MalformedMessage("A binary frame begins with the length of its header.")
    (length,) = struct.unpack_from("<I", message)
    if length > min(MAX_MESSAGE_BYTES, len(message) - 4):
        raise MalformedMessage("The header of a binary frame is longer than the frame or limit.")
    header = message[4 : 4 + length].decode("utf-8", errors="replace")
    return _request(header, message[4 + length :])


def frame(payload: bytes = b"", **header: Any) -> bytes:
    """Return a binary WebSocket message for the page: header length, JSON header and payload.

    Args:
        payload: the bytes after the header.
        header: the fields of the JSON header, such as `type`.
    """
    packed = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<I", len(packed)) + packed + payload


def _request(source: str, payload: bytes) -> Request:
    content = _json_object(source)
    number, name = content.get("id"), content.get("type")
    if type(number) is not int or not 0 <= number <= 2**53:
        raise MalformedMessage("A message has an 'id', an integer from 0 on.")
    model = REQUESTS.get(name) if isinstance(name, str) else None
    if model is None:
        raise MalformedMessage(f"There is no request {str(name)[:50]!r}.", number)
    if payload and model is not UploadRequest:
        raise MalformedMessage(f"{name} has no payload.", number)
    for field, value in content.items():
        if field not in model.model_fields or field == "payload":
            raise MalformedMessage(f"{name} has no field {field[:50]!r}.", number)
        expected = model.model_fields[field].description
        if value is None and expected:  # an optional field is left out, not null
            raise MalformedMessage(f"{name}: {field!r} must be {expected}.", number)
    try:
        return model.model_validate({**content, "payload": payload} if payload else content)
    except ValidationError as error:
        raise MalformedMessage(f"{name}{_refusal(model, error)}.", number) from None


def _json_object(source: str) -> dict[str, Any]:
    try:
        content = parse_json(source)
    except ValueError as error:
        raise MalformedMessage(f"The message is no JSON: {str(error)[:200]}") from None
    if not isinstance(content, dict):
        raise MalformedMessage("A message is a JSON object.")
    return content


def _refusal(model: type[Request], error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    field = str(first["loc"][0])
    if first["type"] == "missing":
        return f" needs {field!r}"
    expected = model.model_fields[field].description or first["msg"].removeprefix("Value error, ")
    return f": {field!r} must be {expected}"
