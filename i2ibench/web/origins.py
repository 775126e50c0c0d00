"""Which addresses a browser may reach the editor by."""

import ipaddress
import socket

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_ANY = ("0.0.0.0", "::")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class SameOrigin:
    """Refuses requests under another name, and WebSockets of other pages.

    Without the first a foreign page could give its own name this machine's address (DNS
    rebinding), without the second it could simply connect.

    Args:
        app: what is guarded.
        host: that the server listens on. Loopback has its three names; with 0.0.0.0 or :: every
            address of this machine, its name and localhost are right.
        port: of the server.
    """

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        self._app, self._host, self._port = app, host, port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it: 400, and 1008 for a WebSocket."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {key.lower(): value.decode("latin-1") for key, value in scope["headers"]}
        host, origin = headers.get(b"host", ""), headers.get(b"origin")
        own = self._is_own(host)
        if scope["type"] == "websocket":
            if own and origin == f"http://{host}":
                await self._app(scope, receive, send)
            else:
                await receive()
                await send({"type": "websocket.close", "code": 1008, "reason": "wrong origin"})
        elif own:
            await self._app(scope, receive, send)
        else:
            refusal = PlainTextResponse("This address is not the editor's.\n", status_code=400)
            await refusal(scope, receive, send)

    def _is_own(self, host: str) -> bool:
        """Whether a Host header names this server."""
        name, _, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
        if not name:
            name, port = host, ""
        if (port or "80") != str(self._port):
            return False
        name = name.strip("[]").lower()
        if self._host in _ANY:
            return name in ("localhost", socket.gethostname().lower()) or _is_address(name)
        return name == self._host.lower() or (self._host in _LOOPBACK and name in _LOOPBACK)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
