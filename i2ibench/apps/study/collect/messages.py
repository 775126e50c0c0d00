"""Messages of the study's page to its server, and the check that each of them passes."""

from typing import Annotated, Any, TypeVar

from fastapi import HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import ClientDisconnect

from i2ibench.apps.web.json_text import parse_json
from i2ibench.errors import UserError

MAX_MESSAGE_BYTES = 4096

Token = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$", description="32 hexadecimal digits")]
Nonce = Annotated[str, Field(pattern=r"^[!-~]{1,64}$", description="the nonce from /api/enter")]
Flag = Annotated[bool, Field(description="true or false")]
JsonObject = Annotated[dict[str, Any], Field(description="a JSON object")]


class Message(BaseModel):
    """A message. An error message quotes a field's description as the field's valid values."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Entering(Message):
    """The page was opened; the token is that of an earlier session in the same browser."""

    token: Token | None = Field(None, description="32 hexadecimal digits, or null")


class Consenting(Message):
    """The participant agrees to take part."""

    token: Token
    nonce: Nonce
    simulated: Flag = False


class Answering(Message):
    """The participant answers one trial; `session.read_study_answer` reads the answer."""

    token: Token
    nonce: Nonce
    answer: JsonObject


class Withdrawing(Message):
    """The participant leaves, and all answers are to be deleted."""

    token: Token


Kind = TypeVar("Kind", bound=Message)


async def receive_message(request: Request, kind: type[Kind]) -> Kind:
    """Return the message in the body of a request, checked field by field.

    Args:
        request: the request, whose body is read now.
        kind: the class of the message, such as `Answering`.

    Raises:
        HTTPException: 413 if the body is longer than MAX_MESSAGE_BYTES, 400 if the client left
            before its end.
        UserError: the body is no JSON object, or a field is unknown, missing or wrong. The message
            names the first such field.
    """
    try:
        content = parse_json(await _read_body(request))
    except ValueError as error:
        raise UserError(f"A message must be JSON in UTF-8: {str(error)[:200]}.") from None
    if not isinstance(content, dict):
        raise UserError("A message must be a JSON object.")
    for name in content:
        if name not in kind.model_fields:
            raise UserError(f"The message has a field {name[:80]!r}, which it must not have.")
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        name = str(first["loc"][0])
        if first["type"] == "missing":
            raise UserError(f"The message lacks {name!r}.") from None
        raise UserError(f"{name!r} must be {kind.model_fields[name].description}.") from None


async def _read_body(request: Request) -> bytes:
    """Return a request's body, whether the request states its length or not."""
    too_long = HTTPException(413, f"A message may have at most {MAX_MESSAGE_BYTES} bytes.")
    stated = request.headers.get("content-length", "")
    if stated.isdigit() and int(stated[:20]) > MAX_MESSAGE_BYTES:
        raise too_long
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > MAX_MESSAGE_BYTES:
                raise too_long
    except ClientDisconnect:
        raise HTTPException(400, "The message has no end.") from None
    return bytes(body)
