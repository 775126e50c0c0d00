"""Limits on a server's connections: their number, and how long a client may keep it waiting."""

import logging
import time
from dataclasses import dataclass
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

SETTLE = "settle"
"""Key in a WebSocket's ASGI `state`. Its value is a function. Call it with True once the client has
introduced itself: the connection then has no time limit. False starts the time limit again."""
NOTEWORTHY = 20
"""Fewer closed connections than this in a minute are not logged."""
LOG_SECONDS = 60.0
SWEEP_SECONDS = 1.0

FOR_OTHER_FILES = 128
"""File descriptors reserved for libraries, databases, and connections that are just accepted."""
FEWEST = 32
"""Lower limit of `connections_that_fit`."""
PER_CONNECTION = 2
"""File descriptors of a connection: a socket, and the file that is sent through it."""

logger = logging.getLogger("uvicorn.error")


@dataclass(frozen=True)
class ConnectionLimits:
    """Limits on the number of connections, and on the seconds that a server waits for a client.

    Attributes:
        connections: most open connections. One more closes the connection that has kept the server
            waiting longest. Connections whose request is being answered are not closed.
        head_seconds: limit from the connection's start, or from the last response, to a complete
            request head. For a WebSocket, from the handshake to the client's introduction.
        body_seconds: limit from the request head to the end of the request's body.
        stalled_seconds: limit without the client reading any part of a response.
    """

    connections: int = 512
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    stalled_seconds: float = 30.0


LIMITS = ConnectionLimits()


def connections_that_fit(wanted: int) -> int:
    """Return how many connections can be kept, at most `wanted` and at least FEWEST.

    If needed and allowed, this raises the process's soft limit of open files towards the hard
    limit. Without such a limit, as on Windows, the result is `wanted`, even below FEWEST.

    Args:
        wanted: the number of connections that the server would like to keep.
    """
    try:
        import resource
    except ImportError:  # Windows
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    needed = PER_CONNECTION * wanted + FOR_OTHER_FILES
    if soft < needed:
        raised = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
            soft = raised
        except (ValueError, OSError):  # some systems allow less than their hard limit says
            pass
    return max(FEWEST, min(wanted, (soft - FOR_OTHER_FILES) // PER_CONNECTION))


class Doorkeeper:
    """A guard that closes the connections of clients that keep a server waiting.

    Args:
        limits: limits on number and time.
    """

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self._open: set[GuardedProtocol] = set()
        self._closed, self._logged, self._sweeping = 0, -LOG_SECONDS, False

    def admit(self, connection: "GuardedProtocol") -> None:
        """Add a new connection, and check all connections regularly from now on.

        If there are more than the limit, the one that has kept the server waiting longest is closed
        at once, which may be the new one. Connections whose request is being answered stay.
        """
        self._forget_closed()
        self._open.add(connection)
        if len(self._open) > self.limits.connections:
            waiting = [each for each in self._open if each.waits_for_client]
            self._close(min(waiting, key=lambda each: each.since))  # the new one waits, too
        if not self._sweeping:
            self._sweeping = True
            connection.loop.call_later(SWEEP_SECONDS, self._sweep, connection.loop)

    def _sweep(self, loop: Any) -> None:
        """Close connections whose client's time is up, and call this again in SWEEP_SECONDS.

        There is no further call if no connection is open.
        """
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
        """Log how many connections were closed, at most once in LOG_SECONDS, and restart the count.

        Nothing is logged, and the count goes on, while it is below NOTEWORTHY.
        """
        if now - self._logged < LOG_SECONDS or self._closed < NOTEWORTHY:
            return
        logger.warning(
            "%d connections were closed because their clients kept the server waiting; at most %d "
            "are kept open.", self._closed, self.limits.connections,
        )  # fmt: skip
        self._closed, self._logged = 0, now


class GuardedProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 connection with a time limit for everything that the client does.

    uvicorn itself only limits the idle time between two requests. Half a request may stay forever.

    Args:
        doorkeeper: closes the connection when its time is up.
        options: the arguments that uvicorn passes to every protocol.

    Attributes:
        since: start of the connection's present state, in monotonic seconds.
    """

    def __init__(self, doorkeeper: Doorkeeper, **options: Any) -> None:
        super().__init__(**options)
        self.app_state = {**self.app_state, SETTLE: self._settle}
        self._doorkeeper = doorkeeper
        self._upgraded = self._settled = False
        self._state: Any = h11.IDLE
        self._unread = 0
        self.since = time.monotonic()

    def connection_made(self, transport: Any) -> None:
        """Accept a client's connection, and register it with the doorkeeper."""
        super().connection_made(transport)
        self._doorkeeper.admit(self)

    def data_received(self, data: bytes) -> None:
        """Receive a part of a request; restart the time limit only if the request's state changes.

        The states are h11's: before the head's end, in the body, after the end. So slow bytes gain
        no time.
        """
        super().data_received(data)
        if self.conn.their_state is not self._state:
            self._begin_wait()

    def on_response_complete(self) -> None:
        """Finish a response, and start the time limit for the client's next request."""
        super().on_response_complete()
        self._begin_wait()

    def handle_websocket_upgrade(self, event: Any) -> None:
        """Hand the connection to uvicorn's WebSocket, and give the client time to introduce itself.

        This object's time limit still applies to the connection.
        """
        super().handle_websocket_upgrade(event)
        self._upgraded = True
        self._begin_wait()

    @property
    def closed(self) -> bool:
        """Return whether the connection and its file descriptor are closed."""
        connected = self.transport.get_extra_info("socket")
        return connected is None or connected.fileno() < 0

    @property
    def waits_for_client(self) -> bool:
        """Return whether the server cannot continue until the client sends or reads something.

        A WebSocket waits until it is settled, see SETTLE. A connection that is being closed waits
        until its last bytes are read.
        """
        if self.transport.is_closing():
            return True  # the last written bytes are still unread
        if self._upgraded:
            return not self._settled
        reading = self.conn.their_state in (h11.IDLE, h11.SEND_BODY)
        return reading or self.transport.get_write_buffer_size() > 0

    def overdue(self, now: float) -> bool:
        """Return whether the client's time is up; if the client reads, its time starts anew.

        Call it regularly, because it compares the number of unread bytes with that at its last
        call.

        Args:
            now: the present time in monotonic seconds.
        """
        unread = self.transport.get_write_buffer_size()
        if unread != self._unread:
            self._unread, self.since = unread, now
        return self.waits_for_client and now - self.since > self._time_limit()

    def _time_limit(self) -> float:
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
