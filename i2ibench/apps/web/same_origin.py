"""ASGI middleware that decides by which addresses a browser may reach a server."""

import ipaddress
import socket
from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

ANY = ("0.0.0.0", "::")
"""Listening here means listening on all addresses of this machine."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class SameOrigin:
    """Middleware that refuses foreign host names and requests sent by foreign pages.

    Without the first check a foreign page could point its own host name at this machine (DNS
    rebinding). Without the second check it could connect or post directly.

    Args:
        app: the guarded application.
        host: the address that the server listens on. For loopback, its three names are accepted
            with any port: a tunnel may show the page at another one, and no foreign page can call
            itself localhost. For 0.0.0.0 or ::, every IP address, this machine's name and localhost
            are accepted.
        port: the port of the server.
        refusal: the text of a refused HTTP request's response.
        public_url: the address that browsers see when a proxy stands before the server. It is
            accepted, too. "" if there is no proxy.
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
        """Pass a request to the application, or refuse it: status 400 (WebSocket: close code 1008).

        The Host header must name this server or its public address. The Origin header must do so,
        too, if there is one and the request is not GET or HEAD. A WebSocket must have an Origin.
        Events that are no requests pass.
        """
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {key.lower(): value.decode("latin-1") for key, value in scope["headers"]}
        host, origin = headers.get(b"host", ""), headers.get(b"origin")
        own = self._is_own(host) or (host != "" and host.lower() == self._public_host)
        is_socket = scope["type"] == "websocket"
        only_reads = not is_socket and (origin is None or scope["method"] in ("GET", "HEAD"))
        if own and (only_reads or origin is not None and self._is_own_origin(origin, host)):
            await self._app(scope, receive, send)
        elif is_socket:
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "wrong origin"})
        else:
            response = PlainTextResponse(f"{self._refusal}\n", status_code=400)
            await response(scope, receive, send)

    def _is_own_origin(self, origin: str, host: str) -> bool:
        """Return whether the requesting page came from this server."""
        return origin == f"http://{host}" or origin.lower() == self._public_origin

    def _is_own(self, host: str) -> bool:
        """Return whether a Host header names this server and its port; without a port, port 80.

        On loopback the port may be another. The host of the public address is not accepted here.
        """
        name, _, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
        if not name:
            name, port = host, ""
        name = name.strip("[]").lower()
        if self._host in LOOPBACK and name in LOOPBACK:
            return not port or port.isdigit()
        if (port or "80") != str(self._port):
            return False
        if self._host in ANY:
            return name in ("localhost", socket.gethostname().lower()) or _is_ip_address(name)
        return name == self._host.lower()


class PathPrefix:
    """Middleware that removes the path of the public address from the path of a request.

    The application works whether or not the proxy before the server removes this prefix itself.

    Args:
        app: the application.
        public_url: the address that browsers see, such as https://lab.example/study/.
    """

    def __init__(self, app: ASGIApp, public_url: str) -> None:
        self._app, self._prefix = app, urlsplit(public_url).path.rstrip("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to the application, without the prefix if its path begins with that.

        A request for the prefix without a final slash is redirected to the prefix with a slash.
        """
        path = scope.get("path", "")
        if scope["type"] == "http" and self._prefix and path == self._prefix:
            await RedirectResponse(f"{self._prefix}/")(scope, receive, send)
        elif self._prefix and path.startswith(f"{self._prefix}/"):
            await self._app({**scope, "path": path[len(self._prefix) :]}, receive, send)
        else:
            await self._app(scope, receive, send)


def _is_ip_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
