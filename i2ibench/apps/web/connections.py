"""Connections of a server: how many are kept, and how long a client may keep the server waiting."""

import logging
import time
from dataclasses import dataclass
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

SETTLE = "settle"
"""Key in a WebSocket's ASGI `state`. Its value is a function: call it with True once the client has
introduced itself and may stay as long as it likes, and with False to count its time again."""
NOTEWORTHY = 20
"""Closing fewer connections a minute than this is everyday life and is not logged."""
LOG_SECONDS = 60.0
SWEEP_SECONDS = 1.0

logger = logging.getLogger("uvicorn.error")


@dataclass(frozen=True)
class ConnectionLimits:
    """How many connections a server keeps, and how many seconds it waits for each client.

    Attributes:
        connections: most open connections. One more closes the connection that has kept the server
            waiting longest; connections whose request is being answered are never closed for it.
        head_seconds: from the connection's start, or from the last answer, to a complete request
            head; for a WebSocket from the handshake to the client's introduction.
        body_seconds: from the request head to the end of the request's body.
        stalled_seconds: without the client reading any of an answer.
    """

    connections: int = 512
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    stalled_seconds: float = 30.0


LIMITS = ConnectionLimits()


class Doorkeeper:
    """Closes the connections of clients that keep a server waiting.

    Args:
        limits: on number and time.
    """

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self._open: set[GuardedProtocol] = set()
        self._closed, self._logged, self._sweeping = 0, -LOG_SECONDS, False

    def admit(self, connection: "GuardedProtocol") -> None:
        """Add a new connection; where there are too many, close the longest waiting one."""
        self._forget_closed()
        self._open.add(connection)
        if len(self._open) > self.limits.connections:
            waiting = [each for each in self._open if each.waits_for_client]
            self._close(min(waiting, key=lambda each: each.since))  # the new one waits, too
        if not self._sweeping:
            self._sweeping = True
            connection.loop.call_later(SWEEP_SECONDS, self._sweep, connection.loop)

    def _sweep(self, loop: Any) -> None:
        """Close what is overdue, again and again while there are connections."""
        self._forget_closed()
        now = time.monotonic()
        for connection in [each for each in self._open if each.overdue(now)]:
            self._close(connection)
        self._log(now)
        self._sweeping = bool(self._open)
        if self._sweeping:
            loop.call_later(SWEEP_SECONDS, self._sweep, loop)

    def _close(self, connection: "GuardedProtocol") -> None:
        self._open.discard(connection)
        connection.transport.abort()
        self._closed += 1

    def _forget_closed(self) -> None:
        self._open = {each for each in self._open if not each.closed}

    def _log(self, now: float) -> None:
        """Say once a minute how many connections were closed, if they were many."""
        if now - self._logged < LOG_SECONDS or self._closed < NOTEWORTHY:
            return
        logger.warning(
            "%d connections were closed because their clients kept the server waiting; at most %d "
            "are kept open.", self._closed, self.limits.connections,
        )  # fmt: skip
        self._closed, self._logged = 0, now


class GuardedProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 connection, with a time limit for everything that the client does.

    uvicorn itself limits the idle time between two requests only: half a request may stay for ever.

    Args:
        doorkeeper: closes the connection when its time is up.
        given: what uvicorn gives to every protocol.

    Attributes:
        since: when the connection began to be in its present state, in monotonic seconds.
    """

    def __init__(self, doorkeeper: Doorkeeper, **given: Any) -> None:
        super().__init__(**given)
        self.app_state = {**self.app_state, SETTLE: self._settle}
        self._doorkeeper = doorkeeper
        self._upgraded = self._settled = False
        self._state: Any = h11.IDLE
        self._unread = 0
        self.since = time.monotonic()

    def connection_made(self, transport: Any) -> None:
        """Begin to count the time."""
        super().connection_made(transport)
        self._doorkeeper.admit(self)

    def data_received(self, data: bytes) -> None:
        """Take a part of a request."""
        super().data_received(data)
        if self.conn.their_state is not self._state:
            self._begin_wait()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        super().on_response_complete()
        self._begin_wait()

    def handle_websocket_upgrade(self, event: Any) -> None:
        """Hand the connection to uvicorn's WebSocket; its time goes on being counted here."""
        super().handle_websocket_upgrade(event)
        self._upgraded = True
        self._begin_wait()

    @property
    def closed(self) -> bool:
        """Return whether the connection is gone, and its file descriptor with it."""
        connected = self.transport.get_extra_info("socket")
        return connected is None or connected.fileno() < 0

    @property
    def waits_for_client(self) -> bool:
        """Return whether the server can do nothing until the client sends or reads something."""
        if self.transport.is_closing():
            return True  # what was written last is still unread
        if self._upgraded:
            return not self._settled
        reading = self.conn.their_state in (h11.IDLE, h11.SEND_BODY)
        return reading or self.transport.get_write_buffer_size() > 0

    def overdue(self, now: float) -> bool:
        """Return whether the client's time is up; call it regularly, because it notes progress."""
        unread = self.transport.get_write_buffer_size()
        if unread != self._unread:
            self._unread, self.since = unread, now
        return self.waits_for_client and now - self.since > self._patience()

    def _patience(self) -> float:
        limits = self._doorkeeper.limits
        if self._unread or self.transport.is_closing():
            return limits.stalled_seconds
        if self.conn.their_state is h11.SEND_BODY:
            return limits.body_seconds
        return limits.head_seconds

    def _begin_wait(self) -> None:
        self._state, self.since = self.conn.their_state, time.monotonic()

    def _settle(self, settled: bool) -> None:
        self._settled = settled
        self._begin_wait()
