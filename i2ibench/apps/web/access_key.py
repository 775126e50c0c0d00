"""ASGI middleware that asks for a key, which the address carries once and a cookie from then on."""

import hashlib
import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

MONTH = 30 * 24 * 3600


class AccessKey:
    """Middleware that lets only browsers in that know a key.

    The first address is `.../?key=KEY`. The answer sets a cookie and leads to the address without
    the key, so that it is in no bookmark and no Referer header.

    Args:
        app: the application.
        key: the key.
        port: the port of the server, which names the cookie: browsers share cookies between ports.
        public_url: the address that browsers see if a proxy stands before the server; with https
            the cookie is sent over https only.
    """

    def __init__(self, app: ASGIApp, key: str, port: int, public_url: str = "") -> None:
        self._app, self._key = app, key
        self._cookie = f"i2ibench_{port}"
        self._value = hashlib.sha256(key.encode()).hexdigest()
        parts = urlsplit(public_url)
        self._path, self._secure = f"{parts.path.rstrip('/')}/", parts.scheme == "https"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request with the cookie; answer others with a cookie, or with status 401.

        A WebSocket without the cookie is closed with code 1008. Events that are no requests pass.
        """
        if scope["type"] not in ("http", "websocket") or self._knows(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "no key"})
        else:
            await self._answer(scope)(scope, receive, send)

    def _knows(self, scope: Scope) -> bool:
        """Return whether a request has the cookie."""
        for name, value in scope["headers"]:
            if name.lower() == b"cookie":
                cookies = SimpleCookie()
                try:
                    cookies.load(value.decode("latin-1"))
                except CookieError:
                    continue
                found = cookies.get(self._cookie)
                if found is not None and _equal(found.value, self._value):
                    return True
        return False

    def _answer(self, scope: Scope) -> Response:
        given = parse_qs(scope["query_string"].decode("latin-1")).get("key", [""])[0]
        if scope["method"] != "GET" or not _equal(given, self._key):
            return PlainTextResponse(
                "This page needs its key: open the address with ?key= that the command printed.\n",
                status_code=401,
            )
        response = RedirectResponse(self._path, status_code=303)
        response.set_cookie(
            self._cookie, self._value, max_age=MONTH, path=self._path, secure=self._secure,
            httponly=True, samesite="strict",
        )  # fmt: skip
        return response


def _equal(one: str, other: str) -> bool:
    return secrets.compare_digest(one.encode(errors="replace"), other.encode())
