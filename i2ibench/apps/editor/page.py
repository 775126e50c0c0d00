"""The page at the other end of a WebSocket."""

import asyncio
import sys
import traceback

from fastapi import WebSocket

from i2ibench.apps.editor.messages import frame
from i2ibench.apps.web.connections import SETTLE
from i2ibench.errors import UserError


class PageLeft(Exception):
    """Nobody reads what is sent."""


class Page:
    """Receives messages and sends frames, one at a time.

    Args:
        socket: accepted already.
    """

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._sending = asyncio.Lock()

    def settle(self, settled: bool) -> None:
        """Tell the server whether the page has a session; one without is closed after seconds."""
        told = self._socket.scope.get("state", {}).get(SETTLE)
        if told is not None:
            told(settled)

    async def receive(self) -> str | bytes:
        """The next message.

        Raises:
            PageLeft: there will be none.
        """
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise PageLeft
        text = message.get("text")
        return text if text is not None else message.get("bytes", b"")

    async def send(self, data: bytes) -> None:
        """Send a frame.

        Raises:
            PageLeft: nobody is there.
        """
        try:
            async with self._sending:
                await self._socket.send_bytes(data)
        except Exception as error:  # what a closed socket raises is the server's business
            raise PageLeft from error

    async def fail(self, number: int | None, error: Exception) -> None:
        """Tell what went wrong with request `number`; a defect is printed as well.

        Raises:
            PageLeft: nobody is there.
        """
        message = str(error)
        if not isinstance(error, UserError):
            traceback.print_exception(type(error), error, error.__traceback__, file=sys.stderr)
            message = f"{type(error).__name__}: {error}"
        await self.send(frame(type="error", id=number, message=message[:2000]))
