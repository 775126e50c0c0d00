"""Listening, serving until Ctrl+C, and the headers of every answer."""

import contextlib
import functools
import mimetypes
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

import uvicorn
from fastapi import FastAPI

from i2ibench.apps.web.connections import LIMITS, ConnectionLimits, Doorkeeper, GuardedProtocol
from i2ibench.apps.web.descriptors import connections_that_fit
from i2ibench.apps.web.logs import calm_logs
from i2ibench.errors import UserError

BACKLOG = 1024
"""Connections that the operating system keeps until they are accepted."""
ACCEPTED_AT_ONCE = 16
"""Connections that are accepted before any of them is read or counted. asyncio accepts as many as
its backlog says. If those were more than are kept open, new clients would be closed unheard."""
IDLE_SECONDS = 5
"""How long a connection may stay open between two requests."""
MAX_HEAD_BYTES = 2**14

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' blob: data:; connect-src 'self' ws://{host}; font-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
"""`{host}` stands for the address that the page was asked from."""


def add_headers(app: FastAPI, headers: Mapping[str, str] = HEADERS) -> None:
    """Give every answer of the application these headers, those that it does not have already."""
    mimetypes.add_type("text/javascript", ".js")  # some systems' tables say text/plain

    @app.middleware("http")
    async def add(request, call_next):  # type: ignore[no-untyped-def]
        response = await call_next(request)
        for name, value in headers.items():
            host = request.headers.get("host", "")
            response.headers.setdefault(name, value.replace("{host}", host))
        return response


class ListeningSocket(socket.socket):
    """A socket whose queue of connections has its own length, not asyncio's."""

    def listen(self, backlog: int = BACKLOG) -> None:
        """Listen with a queue of BACKLOG connections, whatever is asked for."""
        super().listen(BACKLOG)


def listen(host: str, port: int) -> ListeningSocket:
    """Return a socket that listens; port 0 takes a free one.

    Raises:
        UserError: the port is in use, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named, because asyncio switches Nagle's delay off only where it is.
    listening = ListeningSocket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen()
    except OSError as error:
        listening.close()
        raise UserError(
            f"{host}:{port} cannot be listened on ({error.strerror or error}); another program may "
            "use it. Choose another with --port."
        ) from None
    return listening


def address(host: str, listening: socket.socket) -> str:
    """The URL of a page that is served there."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listening.getsockname()[1]}/"


def serve(app: FastAPI, listening: socket.socket, max_message_bytes: int = 2**24) -> None:
    """Serve until Ctrl+C.

    Args:
        app: the application.
        listening: that `listen` gave.
        max_message_bytes: of a WebSocket's message.
    """
    with contextlib.suppress(KeyboardInterrupt):
        _server(app, max_message_bytes).run(sockets=[listening])


@contextlib.contextmanager
def served(make: Callable[[int], FastAPI], limits: ConnectionLimits = LIMITS) -> Iterator[str]:
    """Serve an application in a thread; gives the address on this machine.

    Args:
        make: gives the application for a port.
        limits: of the connections.
    """
    listening = listen("127.0.0.1", 0)
    server = _server(make(listening.getsockname()[1]), limits=limits)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield address("127.0.0.1", listening)
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def _server(
    app: FastAPI, max_message_bytes: int = 2**24, limits: ConnectionLimits = LIMITS
) -> uvicorn.Server:
    calm_logs()
    fitting = replace(limits, connections=connections_that_fit(limits.connections))
    connection = functools.partial(GuardedProtocol, Doorkeeper(fitting))
    config = uvicorn.Config(
        app,
        http=cast(Any, connection),
        loop="asyncio",  # the time limits need its transports
        log_level="warning",
        proxy_headers=False,  # who asks is decided by the connection, not by what it claims
        backlog=ACCEPTED_AT_ONCE,
        timeout_keep_alive=IDLE_SECONDS,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        ws_max_size=max_message_bytes,
        ws_per_message_deflate=False,  # payloads are compressed already
        timeout_graceful_shutdown=10,
    )
    return uvicorn.Server(config)
