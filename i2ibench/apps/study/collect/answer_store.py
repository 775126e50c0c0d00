"""The store of a study's participants and answers; acknowledged answers survive kill -9."""

import contextlib
import datetime
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from i2ibench.apps.study.answers import Answer, Collected, Participant
from i2ibench.apps.study.collect.database import (
    clear_log,
    insert_answers,
    insert_participant,
    open_database,
    read_answers,
    read_participants,
    set_finished,
    transaction,
)
from i2ibench.apps.study.collect.session import ParticipantSession, Receipt
from i2ibench.apps.study.define.study import ANSWERS, Study
from i2ibench.errors import UserError
from i2ibench.io.files import is_disk_full

ACTIVE_SECONDS = 2 * 3600
"""A participant who was not seen for this time loses the claim to a plan, but may continue."""

READERS_MS = 100
"""How long a deletion waits for readers in other processes; all answers wait with it."""

_DEFECTS = (
    sqlite3.ProgrammingError, sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InternalError,
    sqlite3.NotSupportedError,
)  # fmt: skip
"""Errors of SQLite that are caused by this program, not by the disk."""


class UnknownParticipant(UserError):
    """The token is unknown: the consent was not given, or the answers were deleted."""


class ContinuedElsewhere(UserError):
    """The participant opened the page again, and this window is not the newest."""


class StoreFails(UserError):
    """The answers' file cannot be read or written now; the requested change did not happen."""


class DiskFull(StoreFails):
    """The disk has no room for more answers."""


@dataclass(frozen=True)
class _Window:
    """The newest window of a participant.

    Attributes:
        nonce: random name of the window.
        seen: time of its last request, in seconds since 1970.
    """

    nonce: str
    seen: float


class AnswerStore:
    """The answers of one study. Any thread may call any method.

    Nothing is stored before the consent, and a person is stored as a random token only. Windows and
    the times at which they were seen are kept in memory only. After a restart, participants are
    active once they come back, in whatever window they come back. So only one server at a time may
    give out plans.

    Args:
        study: the study whose `answers.sqlite` this is.
        clock: returns the time in seconds since 1970.

    Attributes:
        erased: whether all deleted data are gone from the files; see `forget`.

    Raises:
        UserError: the file belongs to another study, is no SQLite file, or cannot be made.
    """

    def __init__(self, study: Study, clock: Callable[[], float] = time.time) -> None:
        self._study, self._clock, self._lock = study, clock, threading.RLock()
        self._windows: dict[str, _Window] = {}
        self.erased = False  # an earlier process may have left deleted data
        self._path = study.folder / ANSWERS
        with _explained_failures(self._path):
            self._db = open_database(self._path)
        try:
            self._check_study()
        except UserError:
            self._db.close()
            raise

    def __enter__(self) -> "AnswerStore":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the answers' file, after a last attempt to erase deleted data."""
        with self._lock:
            if not self.erased:
                self.erased = clear_log(self._db)
            self._db.close()

    def enter(self, token: str | None = None) -> ParticipantSession:
        """Return a participant's session as it is, for a browser window that was just opened.

        The participant's older windows can no longer answer. Without a token, or with an unknown
        one, the session is new and has a new token. Nothing is stored before the consent.

        Raises:
            StoreFails: the answers' file cannot be read.
        """
        nonce = secrets.token_hex(8)
        with self._reading():
            if token is None or not self._has(token):
                return ParticipantSession(secrets.token_hex(16), nonce)
            self._windows[token] = _Window(nonce, self._clock())
            return self._session(token, nonce)

    def consent(self, token: str, nonce: str, simulated: bool = False) -> ParticipantSession:
        """Store a participant who agrees to take part, and return the session with a plan.

        The plan is the lowest that no finished and no active participant of the same kind has. For
        a token that is stored already, nothing new is stored.

        Args:
            token: the participant's token, from `enter`.
            nonce: name of the participant's window, from `enter`.
            simulated: whether a program answers. Simulated participants have plans of their own.

        Raises:
            ContinuedElsewhere: the participant has a newer window.
            StoreFails: the answers' file cannot be written.
        """
        with self._writing() as db:
            if not self._has(token):
                now = datetime.datetime.fromtimestamp(self._clock(), datetime.timezone.utc)
                participant = Participant(
                    token, self._free_slot(simulated), simulated, consented=True,
                    begun=now.date().isoformat(), code=self._study.code(token),
                )  # fmt: skip
                insert_participant(db, participant)
            self._check_window(token, nonce)
            return self._session(token, nonce)

    def answer(self, token: str, nonce: str, answer: Answer) -> Receipt:
        """Write a participant's answer to one trial to the disk, and return a receipt for it.

        Only the first answer to a trial is kept. Once every trial is answered, the participant is
        finished, and the receipt has the completion code.

        Args:
            token: the participant's token.
            nonce: name of the participant's window, from `enter`.
            answer: the answer, which the caller has checked.

        Raises:
            UnknownParticipant: the token is unknown.
            ContinuedElsewhere: the participant has a newer window.
            StoreFails: the answers' file cannot be written.
        """
        with self._writing() as db:
            self._check_window(token, nonce)
            counted = insert_answers(db, token, [answer])
            count = db.execute("SELECT count(*) FROM answers WHERE token = ?", (token,))
            answered = int(count.fetchone()[0])
            finished = answered >= self._study.design.num_trials
            set_finished(db, token, finished)
            code = self._study.code(token) if finished else ""
            return Receipt(bool(counted), answered, finished, code)

    def forget(self, token: str) -> bool:
        """Delete a participant and all their answers; return whether the participant existed.

        The deleted bytes leave the files at once, unless another process is reading the file. In
        that case `erased` is False, and every later write, closing and opening tries again.

        Raises:
            StoreFails: the answers' file cannot be written.
        """
        with self._lock:
            with self._writing() as db:
                gone = db.execute("DELETE FROM participants WHERE token = ?", (token,)).rowcount
            self._windows.pop(token, None)
            self.erased = clear_log(self._db, READERS_MS)
            return bool(gone)

    def collected(self) -> Collected:
        """Return all participants in the order in which they were stored, and their answers.

        Raises:
            StoreFails: the answers' file cannot be read, or is damaged.
        """
        with self._reading() as db:
            return Collected(read_participants(db), read_answers(db))

    def add(self, collected: Collected) -> int:
        """Store imported participants and their answers; return how many participants were new.

        A participant who is stored already with the same answers is left as stored.

        Raises:
            UserError: a token is stored already with other answers. Nobody is added then.
        """
        with self._writing() as db:
            stored, new = read_answers(db), 0
            for p in collected.participants:
                answers = sorted(collected.answers.get(p.token, []), key=lambda a: a.trial)
                if p.token not in stored:
                    insert_participant(db, p)
                    insert_answers(db, p.token, answers)
                    stored[p.token] = answers
                    new += 1
                elif stored[p.token] != answers:
                    raise UserError(
                        f"{p.origin}: participant {p.token} is there already with other answers; "
                        "leave the file out, or delete those answers first."
                    )
            return new

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _explained_failures(self._path), transaction(self._db, "DEFERRED"):
            yield self._db

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            with _explained_failures(self._path), transaction(self._db):
                yield self._db
            if not self.erased:
                self.erased = clear_log(self._db)

    def _check_study(self) -> None:
        """Write the study's hash into a new answers' file, or compare it with an old file's."""
        with self._writing() as db:
            row = db.execute("SELECT hash FROM study").fetchone()
            if row is None:
                db.execute("INSERT INTO study VALUES (?)", (self._study.hash,))
            elif row[0] != self._study.hash:
                raise UserError(
                    f"{self._path} holds answers to another study.json than the one beside it; put "
                    "that one back, or create the new study in a new folder."
                )

    def _has(self, token: str) -> bool:
        rows = self._db.execute("SELECT 1 FROM participants WHERE token = ?", (token,))
        return rows.fetchone() is not None

    def _check_window(self, token: str, nonce: str) -> None:
        """Refuse all windows of a participant but the newest, and note the time of this request.

        After a restart the newest window is the first one that comes.
        """
        if not self._has(token):
            raise UnknownParticipant("There is no such participant; reload the page.")
        if token in self._windows and self._windows[token].nonce != nonce:
            raise ContinuedElsewhere("This session was continued in another window.")
        self._windows[token] = _Window(nonce, self._clock())

    def _free_slot(self, simulated: bool) -> int:
        """Return the lowest number of a plan that is free for real or for simulated participants.

        A plan is free unless a finished or an active participant of that kind has it. Who was not
        seen for ACTIVE_SECONDS is not active.
        """
        since = self._clock() - ACTIVE_SECONDS
        active = {token for token, window in self._windows.items() if window.seen > since}
        rows = self._db.execute(
            "SELECT token, slot, finished FROM participants WHERE simulated = ?", (simulated,)
        )
        taken = {slot for token, slot, finished in rows if finished or token in active}
        return next(slot for slot in range(len(taken) + 1) if slot not in taken)

    def _session(self, token: str, nonce: str) -> ParticipantSession:
        slot, finished, code = self._db.execute(
            "SELECT slot, finished, code FROM participants WHERE token = ?", (token,)
        ).fetchone()
        trials = self._db.execute("SELECT trial FROM answers WHERE token = ? ORDER BY 1", (token,))
        answered = [trial for (trial,) in trials]
        return ParticipantSession(
            token, nonce, slot, answered, bool(finished), code if finished else ""
        )


@contextlib.contextmanager
def _explained_failures(path: Path) -> Iterator[None]:
    """Replace errors of the disk or of another process by errors that name the answers' file.

    This is a context manager. Errors that this program causes, see `_DEFECTS`, pass unchanged.
    """
    try:
        yield
    except (OSError, sqlite3.DatabaseError) as error:
        if isinstance(error, _DEFECTS):
            raise
        if is_disk_full(error) or "disk is full" in str(error):  # SQLite's wording
            message = f"The disk is full, so {path} takes no answers. Make room on it."
            raise DiskFull(message) from error
        raise StoreFails(f"{path} cannot be used: {error}.") from error
