"""Autosaves in the background: the newest state wins, one write per session at a time."""

import asyncio
from collections.abc import Awaitable, Callable

from i2ibench.apps.editor.session import Session, Snapshot
from i2ibench.apps.editor.sessions import Sessions
from i2ibench.io.progress import say

Told = Callable[[int, Exception | None], Awaitable[None]]
"""Is given a version, and why it could not be written (None: it is on disk)."""


class Autosave:
    """Writes sessions to disk without making their pages wait.

    Args:
        sessions: whose folder is written.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._waiting: dict[str, tuple[Snapshot, Told | None]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def save(self, session: Session, tell: Told | None = None) -> None:
        """Begin to write a session as it is now, in the place of what still waits."""
        token = session.token
        self._waiting[token] = (session.snapshot(), tell)
        if token not in self._tasks:
            self._tasks[token] = asyncio.create_task(self._write(token))

    async def finish(self) -> None:
        """Wait until everything is written."""
        while self._tasks:
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _write(self, token: str) -> None:
        try:
            while token in self._waiting:
                state, tell = self._waiting.pop(token)
                failure: Exception | None = None
                try:
                    await asyncio.to_thread(self._sessions.save, state)
                except Exception as error:
                    failure = error
                if tell is not None:
                    await tell(state.version, failure)
                elif failure is not None:
                    say(f"A scene whose page has left could not be saved: {failure}")
        finally:
            del self._tasks[token]
