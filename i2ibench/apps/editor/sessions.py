"""All sessions, in memory and on disk, and the autosave that writes them."""

import asyncio
import hashlib
import secrets
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from i2ibench.apps.editor.editor import Editor
from i2ibench.apps.editor.library import OpenedScene
from i2ibench.apps.editor.messages import TOKEN
from i2ibench.apps.editor.scene_files import read_scene_zip, scene_zip
from i2ibench.apps.editor.session import Session, Snapshot
from i2ibench.errors import UserError
from i2ibench.io.files import is_disk_full, make_private_folder, write_private
from i2ibench.io.progress import say

IDLE_SECONDS = 30 * 60
MAX_SESSIONS = 64

SaveReport = Callable[[int, Exception | None], Awaitable[None]]
"""A function that is called with a version after its save; with None if it is on disk, else with
the error."""


class Sessions:
    """The sessions of an editor by token.

    Sessions are in memory while a page needs them. Their autosaves stay in the folder.

    Args:
        editor: the editor that all sessions share.
        folder: the folder of the autosaves, one zip per session. A new folder and all files in it
            are readable by their owner only. File names hold a hash of the token, because whoever
            knows a token can edit the scene.
    """

    def __init__(self, editor: Editor, folder: Path) -> None:
        self.editor, self.folder = editor, folder
        make_private_folder(folder)
        self._adopt_older()
        self._open: dict[str, Session] = {}
        self._entering = threading.Lock()

    def get(self, token: str) -> Session | None:
        """Return the session of a token from memory; None if it is not there.

        Autosaves are not read.
        """
        return self._open.get(token)

    def enter(self, token: str | None, scene: str | None = None) -> Session:
        """Return the session that a page asks for, marked as connected. Thread-safe.

        The session of the token is taken from memory, else from its autosave. If a page is
        connected to it, the result is a copy with another token. If there is no such session, the
        result is a new one; its notes say why, unless the token is None or malformed. If memory
        holds MAX_SESSIONS, the session that has been without a page for longest is removed from it.

        Args:
            token: the token that the page remembers, if any.
            scene: the name of the scene that a new session begins with; None for the first scene.

        Raises:
            UserError: there is no such scene or it cannot be read, or too many pages are connected.
        """
        with self._entering:  # or two pages with one token could both find it unconnected
            session, notes = self._find(token)
            if session is None:
                library = self.editor.library
                opened = library.first() if scene is None else library.open(scene)
                session = Session(_new_token(), self.editor, opened)
            elif session.connected:
                session = session.copy(_new_token())
            session.notes = [*notes, *session.notes]
            if session.token not in self._open:
                self._make_room()
            session.connected = True
            self._open[session.token] = session
            return session

    def leave(self, session: Session) -> None:
        """Mark a session as left by its page now. For some time, the session stays in memory."""
        session.connected = False
        session.left = time.monotonic()

    def drop_idle(self, seconds: float = IDLE_SECONDS) -> None:
        """Remove sessions from memory that had no page for `seconds` or longer; autosaves stay."""
        now = time.monotonic()
        for token, session in list(self._open.items()):
            if not session.connected and now - session.left >= seconds:
                del self._open[token]

    def save(self, state: Snapshot) -> None:
        """Write the autosave of a session, in place of the last one; an error leaves the last one.

        Raises:
            UserError: the disk is full, writing fails, or the styles are too large for an autosave.
        """
        content = scene_zip(state.scene, self.editor.classes, state.first)
        try:
            write_private(self._path(state.token), content)
        except OSError as error:
            if is_disk_full(error):
                raise UserError(
                    f"The disk is full, so the scene was not saved. Make room where {self.folder} "
                    "is; the next edit saves the scene."
                ) from error
            raise UserError(f"The scene could not be saved: {error}") from error

    def _adopt_older(self) -> None:
        """Rename the autosaves of earlier versions, whose file names are the tokens, to hashes.

        Only their owner can read them then.
        """
        for path in self.folder.glob("*.zip"):
            if TOKEN.fullmatch(path.stem):
                path.chmod(0o600)
                path.rename(self._path(path.stem))

    def _find(self, token: str | None) -> tuple[Session | None, list[str]]:
        """Return the session of a token, and notes; None instead of a session if there is none.

        The session comes from memory, else from its autosave, and is then not in memory yet. The
        notes say why the autosave cannot be used. There are no notes if the token is None or
        malformed.
        """
        if token is None or not TOKEN.fullmatch(token):
            return None, []
        if token in self._open:
            return self._open[token], []
        try:
            content = self._path(token).read_bytes()
        except OSError:
            return None, ["The earlier session is gone; this is a new one."]
        try:
            saved = read_scene_zip(content, self.editor.classes)
        except UserError as error:
            return None, [f"The earlier session cannot be read ({error}); this is a new one."]
        session = Session(token, self.editor, OpenedScene(saved.opened, None, []))
        session.restore(saved)
        return session, []

    def _make_room(self) -> None:
        """If memory holds MAX_SESSIONS, remove the session that has had no page for longest.

        Its autosave stays on disk.
        """
        if len(self._open) < MAX_SESSIONS:
            return
        idle = [session for session in self._open.values() if not session.connected]
        if not idle:
            raise UserError(f"{MAX_SESSIONS} pages are connected, and more are not allowed.")
        del self._open[min(idle, key=lambda session: session.left).token]

    def _path(self, token: str) -> Path:
        assert TOKEN.fullmatch(token)
        return self.folder / f"scene_{hashlib.sha256(token.encode()).hexdigest()}.zip"


def _new_token() -> str:
    return secrets.token_urlsafe(24)


class Autosave:
    """Writes sessions to disk without making their pages wait.

    Each session has one write at a time. When it ends, the newest state is written.

    Args:
        sessions: write the states to their folder.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._waiting: dict[str, tuple[Snapshot, SaveReport | None]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def save(self, session: Session, report: SaveReport | None = None) -> None:
        """Write the current state of a session to disk in the background; return at once.

        While an earlier state is being written, this state waits, in place of one that waits
        already. The report of a replaced state is never called.

        Args:
            session: the session.
            report: called after the write, with the version and None or the error; None prints
                errors.
        """
        token = session.token
        self._waiting[token] = (session.snapshot(), report)
        if token not in self._tasks:
            self._tasks[token] = asyncio.create_task(self._write(token))

    async def finish(self) -> None:
        """Wait until all states that were given to `save` are on disk or have failed."""
        while self._tasks:
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _write(self, token: str) -> None:
        try:
            while token in self._waiting:
                state, report = self._waiting.pop(token)
                failure: Exception | None = None
                try:
                    await asyncio.to_thread(self._sessions.save, state)
                except Exception as error:
                    failure = error
                if report is not None:
                    await report(state.version, failure)
                elif failure is not None:
                    say(f"A scene whose page has left could not be saved: {failure}")
        finally:
            del self._tasks[token]
