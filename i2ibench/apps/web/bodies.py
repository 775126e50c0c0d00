"""Bodies of requests, which have a limit."""

from fastapi import HTTPException, Request
from starlette.requests import ClientDisconnect


async def read_body(request: Request, most: int) -> bytes:
    """Return a request's body of at most `most` bytes, whether it states its length or not.

    Raises:
        HTTPException: 413 if the body is longer, 400 if the client left before its end.
    """
    stated = request.headers.get("content-length", "")
    if stated.isdigit() and int(stated[:20]) > most:
        raise _too_long(most)
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > most:
                raise _too_long(most)
    except ClientDisconnect:
        raise HTTPException(400, "The message has no end.") from None
    return bytes(body)


def _too_long(most: int) -> HTTPException:
    return HTTPException(413, f"A message has at most {most} bytes.")
