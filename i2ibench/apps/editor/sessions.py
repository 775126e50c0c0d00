"""All sessions: in memory while a page needs them, and on disk for good."""

import hashlib
import secrets
import threading
import time
from pathlib import Path

from i2ibench.apps.editor.editor import Editor
from i2ibench.apps.editor.library import OpenedScene
from i2ibench.apps.editor.messages import TOKEN
from i2ibench.apps.editor.scene_files import read_scene_zip, scene_zip
from i2ibench.apps.editor.session import Session, Snapshot
from i2ibench.errors import UserError
from i2ibench.io.files import is_disk_full, make_private_folder, write_private

IDLE_SECONDS = 30 * 60
MAX_SESSIONS = 64


class Sessions:
    """The sessions by token.

    Args:
        editor: what they share.
        folder: of the autosaves, one zip per session. A new one is for its owner alone, and so is
            every file in it. No file's name tells a token: whoever knows it can edit the scene.
    """

    def __init__(self, editor: Editor, folder: Path) -> None:
        self.editor, self.folder = editor, folder
        make_private_folder(folder)
        self._adopt_older()
        self._open: dict[str, Session] = {}
        self._entering = threading.Lock()

    def get(self, token: str) -> Session | None:
        """The session of a token, from memory."""
        return self._open.get(token)

    def enter(self, token: str | None, scene: str | None = None) -> Session:
        """The session that a page asks for, marked as connected; may be called by several threads.

        It is the one of the token, from memory or its autosave; a copy of it under another token,
        if a page is connected to it; a new one, if there is none.

        Args:
            token: what the page remembers.
            scene: what a new session begins with; None for the first of the data.

        Raises:
            UserError: there is no such scene, or too many pages are connected.
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
        """Note that no page is connected to a session any more."""
        session.connected = False
        session.left = time.monotonic()

    def drop_idle(self, seconds: float = IDLE_SECONDS) -> None:
        """Forget the sessions that have been without a page for so long; autosaves stay."""
        now = time.monotonic()
        for token, session in list(self._open.items()):
            if not session.connected and now - session.left >= seconds:
                del self._open[token]

    def save(self, state: Snapshot) -> None:
        """Write a session's autosave, whole or not at all.

        Raises:
            UserError: the disk is full, or fails.
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
        """Rename autosaves of earlier versions, whose names are the tokens."""
        for path in self.folder.glob("*.zip"):
            if TOKEN.fullmatch(path.stem):
                path.chmod(0o600)
                path.rename(self._path(path.stem))

    def _find(self, token: str | None) -> tuple[Session | None, list[str]]:
        """The session of a token, and why there is none."""
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
        """Forget the session that has been without a page for longest, if there are too many.

        Raises:
            UserError: all have one.
        """
        if len(self._open) < MAX_SESSIONS:
            return
        idle = [session for session in self._open.values() if not session.connected]
        if not idle:
            raise UserError(f"{MAX_SESSIONS} pages are connected, which is as many as can be.")
        del self._open[min(idle, key=lambda session: session.left).token]

    def _path(self, token: str) -> Path:
        assert TOKEN.fullmatch(token)
        return self.folder / f"scene_{hashlib.sha256(token.encode()).hexdigest()}.zip"


def _new_token() -> str:
    return secrets.token_urlsafe(24)
