"""Serving a web application: its socket, its logs, and the headers of its responses."""

import contextlib
import functools
import logging
import mimetypes
import socket
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import uvicorn
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from i2ibench.apps.web.connection_limits import (
    LIMITS,
    ConnectionLimits,
    Doorkeeper,
    GuardedProtocol,
    connections_that_fit,
)
from i2ibench.errors import UserError

BACKLOG = 1024
"""Most connections that the operating system queues until they are accepted."""
ACCEPTED_AT_ONCE = 16
"""Connections that are accepted before any of them is read or counted. asyncio accepts as many as
its backlog says. If these were more than the limit of open connections, new clients would be
closed before they are read."""
IDLE_SECONDS = 5
"""Longest time between two requests on one connection."""
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
"""Headers of every response. `{host}` is replaced by the request's Host header."""

LOG_SECONDS = 60.0
"""A log message of one kind is written at most once in this time."""
LOGGERS = ("uvicorn.error", "asyncio")
MOST_KINDS = 1000
"""Kinds of log messages that are remembered."""

LONGEST_NAME = 50
"""Most characters of a name in a download's file name; the bytes then fit all file systems."""
_NOT_IN_NAMES = set('<>:"/\\|?*%')


SHARED_FILES = Path(__file__).with_name("static")
"""The JavaScript that several pages share."""


def static_files(folder: Path) -> StaticFiles:
    """Return an application that serves a page's own files and the files that pages share.

    Args:
        folder: the page's own files; one of these hides a shared file of the same name.
    """
    return StaticFiles(directory=folder, packages=[("i2ibench.apps.web", SHARED_FILES.name)])


def add_headers(app: FastAPI, headers: Mapping[str, str] = HEADERS) -> None:
    """Add headers to every response of an application, unless the response has them already.

    Args:
        app: the application.
        headers: the values by name. "{host}" in a value is replaced by the request's Host header.
    """
    mimetypes.add_type("text/javascript", ".js")  # some systems' tables say text/plain

    @app.middleware("http")
    async def add(request, call_next):  # type: ignore[no-untyped-def]
        response = await call_next(request)
        for name, value in headers.items():
            host = request.headers.get("host", "")
            response.headers.setdefault(name, value.replace("{host}", host))
        return response


def attachment(name: str, suffix: str, now: float | None = None) -> dict[str, str]:
    """Return the header that lets a browser save a response as name_DATE_TIME.suffix.

    Args:
        name: any text, such as a scene's name. Characters that file names must not contain become
            underscores. It is cut to LONGEST_NAME characters; if none remain, it is "scene".
        suffix: the ending of the file name, such as ".zip".
        now: seconds since 1970; None is the present. The file name has local time.
    """
    kept = "".join(
        "_" if c in _NOT_IN_NAMES or unicodedata.category(c)[0] == "C" else c
        for c in unicodedata.normalize("NFC", name)
    )
    stem = kept.strip(". ")[:LONGEST_NAME].rstrip(". ") or "scene"
    file_name = f"{stem}_{time.strftime('%Y-%m-%d_%H%M%S', time.localtime(now))}{suffix}"
    ascii_name = "".join(c if c.isascii() else "_" for c in file_name)
    header = f'attachment; filename="{ascii_name}"'
    if ascii_name != file_name:
        header += f"; filename*=UTF-8''{quote(file_name, safe='')}"  # RFC 5987
    return {"Content-Disposition": header}


class OncePerMinute(logging.Filter):
    """A log filter that passes one record of a kind in a minute, with the number left out.

    Records are of one kind if their unformatted messages and their exceptions' types agree.
    """

    def __init__(self) -> None:
        super().__init__()
        self._passed: dict[tuple[str, object], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a log record is written: the first of its kind in LOG_SECONDS.

        If records of its kind were left out before, their number is added to its message.
        """
        kind = str(record.msg), record.exc_info[0] if record.exc_info else None
        now = time.monotonic()
        last, left_out = self._passed.get(kind, (-LOG_SECONDS, 0))
        if now - last < LOG_SECONDS:
            self._passed[kind] = last, left_out + 1
            return False
        if len(self._passed) >= MOST_KINDS:
            self._passed.clear()
        self._passed[kind] = now, 0
        if left_out:
            record.msg = f"{record.msg} ({left_out} more like this since the last such line)"
        return True


class ListeningSocket(socket.socket):
    """A socket with a queue of BACKLOG connections, independent of asyncio's backlog."""

    def listen(self, backlog: int = BACKLOG) -> None:
        """Listen for connections with a queue of BACKLOG; the argument is ignored."""
        super().listen(BACKLOG)


def listen(host: str, port: int) -> ListeningSocket:
    """Return a socket that listens on an address of this machine.

    Args:
        host: the IP address or host name; one with a colon is IPv6.
        port: the port; 0 takes a free one.

    Raises:
        UserError: the port is in use, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle's delay off only if the socket names its protocol.
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
    """Return the URL, http://host:port/, of a page that is served on a listening socket.

    Args:
        host: the address in the URL.
        listening: the socket, which gives the port.
    """
    url_host = f"[{host}]" if ":" in host else host
    return f"http://{url_host}:{listening.getsockname()[1]}/"


def serve(app: FastAPI, listening: socket.socket, max_message_bytes: int = 2**24) -> None:
    """Serve an application until Ctrl+C; this call returns only then.

    Args:
        app: the application.
        listening: the socket that `listen` returned.
        max_message_bytes: the longest message of a WebSocket.
    """
    with contextlib.suppress(KeyboardInterrupt):
        _server(app, max_message_bytes).run(sockets=[listening])


@contextlib.contextmanager
def served(make: Callable[[int], FastAPI], limits: ConnectionLimits = LIMITS) -> Iterator[str]:
    """Serve an application in a thread, on a free port of 127.0.0.1, and yield its URL.

    This is a context manager. At its end the server stops.

    Args:
        make: returns the application for a port.
        limits: limits on the connections.
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
    """Return a server that is ready to run, with its logs and connections limited."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(each, OncePerMinute) for each in logger.filters):
            logger.addFilter(OncePerMinute())
    fitting = replace(limits, connections=connections_that_fit(limits.connections))
    connection = functools.partial(GuardedProtocol, Doorkeeper(fitting))
    config = uvicorn.Config(
        app,
        http=cast(Any, connection),
        loop="asyncio",  # the time limits need its transports
        log_level="warning",
        proxy_headers=False,  # trust the connection's address, not the headers of a client
        backlog=ACCEPTED_AT_ONCE,
        timeout_keep_alive=IDLE_SECONDS,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        ws_max_size=max_message_bytes,
        ws_per_message_deflate=False,  # payloads are compressed already
        timeout_graceful_shutdown=10,
    )
    return uvicorn.Server(config)
