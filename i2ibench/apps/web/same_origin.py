"""Which addresses a browser may reach a server by."""

import ipaddress
import socket
from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

ANY = ("0.0.0.0", "::")
"""All addresses of this machine."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class SameOrigin:
    """Refuses requests under another name, and what other pages send.

    Without the first a foreign page could give its own name this machine's address (DNS
    rebinding), without the second it could simply connect, or post.

    Args:
        app: what is guarded.
        host: that the server listens on. Loopback has its three names; with 0.0.0.0 or :: every
            address of this machine, its name and localhost are right.
        port: of the server.
        refusal: what those who are refused read.
        public_url: the address that browsers see where a proxy stands between; it is right too.
    """

    def __init__(
        self,
        app: ASGIApp,
        host: str,
        port: int,
        refusal: str = "This address is not the editor's.",
        public_url: str = "",
    ) -> None:
        self._app, self._host, self._port, self._refusal = app, host, port, refusal
        parts = urlsplit(public_url)
        self._public_host = parts.netloc.lower()
        self._public_origin = f"{parts.scheme}://{parts.netloc}".lower() if public_url else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it: 400, and 1008 for a WebSocket."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {key.lower(): value.decode("latin-1") for key, value in scope["headers"]}
        host, origin = headers.get(b"host", ""), headers.get(b"origin")
        own = self._is_own(host) or (host != "" and host.lower() == self._public_host)
        is_socket = scope["type"] == "websocket"
        asks = not is_socket and (origin is None or scope["method"] in ("GET", "HEAD"))
        if own and (asks or origin is not None and self._is_own_origin(origin, host)):
            await self._app(scope, receive, send)
        elif is_socket:
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "wrong origin"})
        else:
            answer = PlainTextResponse(f"{self._refusal}\n", status_code=400)
            await answer(scope, receive, send)

    def _is_own_origin(self, origin: str, host: str) -> bool:
        """Return whether the page that asks came from this server."""
        return origin == f"http://{host}" or origin.lower() == self._public_origin

    def _is_own(self, host: str) -> bool:
        """Return whether a Host header names this server."""
        name, _, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
        if not name:
            name, port = host, ""
        if (port or "80") != str(self._port):
            return False
        name = name.strip("[]").lower()
        if self._host in ANY:
            return name in ("localhost", socket.gethostname().lower()) or _is_address(name)
        return name == self._host.lower() or (self._host in LOOPBACK and name in LOOPBACK)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
