"""Messages of the study's page to its server, and the check that each of them passes."""

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from i2ibench.apps.web.json_text import parse_json
from i2ibench.errors import UserError

MAX_MESSAGE_BYTES = 4096

Token = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$", description="32 hexadecimal digits")]
Nonce = Annotated[str, Field(pattern=r"^[!-~]{1,64}$", description="what entering gave")]
Flag = Annotated[bool, Field(description="true or false")]
Given = Annotated[dict[str, Any], Field(description="a JSON object")]


class Message(BaseModel):
    """A message. A field's description is what a refusal says that the field must be."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Entering(Message):
    """The page was opened; the token is that of an earlier sitting in the same browser."""

    token: Token | None = Field(None, description="32 hexadecimal digits, or null")


class Consenting(Message):
    """The participant agrees to take part."""

    token: Token
    nonce: Nonce
    simulated: Flag = False


class Answering(Message):
    """The participant answers one trial; `sitting.answer_in` reads the answer."""

    token: Token
    nonce: Nonce
    answer: Given


class Withdrawing(Message):
    """The participant leaves, and all answers are to be deleted."""

    token: Token


Kind = TypeVar("Kind", bound=Message)


def read_message(body: bytes, kind: type[Kind]) -> Kind:
    """Return the message in a request's body.

    Raises:
        UserError: the body is no JSON object, or names the first field that is wrong.
    """
    try:
        content = parse_json(body)
    except ValueError as error:
        raise UserError(f"A message is JSON in UTF-8: {str(error)[:200]}.") from None
    if not isinstance(content, dict):
        raise UserError("A message is a JSON object.")
    for name in content:
        if name not in kind.model_fields:
            raise UserError(f"The message has a field {name[:80]!r}, which it must not have.")
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise UserError(_sentence(kind, str(first["loc"][0]), first["type"])) from None


def _sentence(kind: type[Message], name: str, why: str) -> str:
    if why == "missing":
        return f"The message lacks {name!r}."
    return f"{name!r} is {kind.model_fields[name].description}."
