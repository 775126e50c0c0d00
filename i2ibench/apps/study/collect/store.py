"""The participants and answers of a study: what was acknowledged is kept, through kill -9."""

import contextlib
import datetime
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

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
from i2ibench.apps.study.collect.session import ParticipantSession, Receipt, new_token
from i2ibench.apps.study.collect.store_errors import (
    ContinuedElsewhere,
    UnknownParticipant,
    told_failures,
)
from i2ibench.apps.study.define.study import ANSWERS, Study
from i2ibench.errors import UserError

ACTIVE_SECONDS = 2 * 3600
"""A participant who was not seen for so long loses the claim to a plan, but may still go on."""

READERS_MS = 100
"""How long a deletion waits for readers in other processes; all answers wait with it."""


@dataclass(frozen=True)
class _Window:
    """Where a participant sits: `nonce` of the page's window, `seen` seconds since 1970."""

    nonce: str
    seen: float


class Store:
    """The answers of one study. Any thread may call any method.

    Nothing is stored before the consent, and of a person nothing but a random token. When somebody
    was last seen, and in which window, is known in memory only: after a restart those are active
    who come back, in the window that they come back in. So one server at a time gives out plans.

    Args:
        study: whose `answers.sqlite` this is.
        clock: seconds since 1970.

    Attributes:
        erased: whether nothing that was deleted is in the files any more; see `forget`.

    Raises:
        UserError: the file is of another study, is no SQLite file, or cannot be made.
    """

    def __init__(self, study: Study, clock: Callable[[], float] = time.time) -> None:
        self._study, self._clock, self._lock = study, clock, threading.RLock()
        self._windows: dict[str, _Window] = {}
        self.erased = False  # an earlier process may have left it so
        self._path = study.folder / ANSWERS
        with told_failures(self._path):
            self._db = open_database(self._path)
        try:
            self._check_study()
        except UserError:
            self._db.close()
            raise

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            if not self.erased:
                self.erased = clear_log(self._db)
            self._db.close()

    def enter(self, token: str | None = None) -> ParticipantSession:
        """The sitting of a token, in a new window: older ones can answer no more.

        Without a token, or with one that nobody has, a sitting that is not stored before consent.
        """
        nonce = secrets.token_hex(8)
        with self._reading():
            if token is None or not self._has(token):
                return ParticipantSession(new_token(), nonce)
            self._windows[token] = _Window(nonce, self._clock())
            return self._sitting(token, nonce)

    def consent(self, token: str, nonce: str, simulated: bool = False) -> ParticipantSession:
        """The sitting of a participant who has agreed, with the lowest free plan.

        Saying it twice changes nothing. Plans are counted apart for simulated participants.

        Raises:
            ContinuedElsewhere: the token sits in another window.
        """
        with self._writing() as db:
            if not self._has(token):
                participant = Participant(
                    token, self._free_slot(simulated), simulated, consented=True,
                    begun=self._today(), code=self._study.code(token),
                )  # fmt: skip
                insert_participant(db, participant)
            self._check_window(token, nonce)
            return self._sitting(token, nonce)

    def answer(self, token: str, nonce: str, answer: Answer) -> Receipt:
        """Keep an answer; when this returns, the disk has it. The first one to a trial counts.

        Raises:
            UnknownParticipant: nobody has the token.
            ContinuedElsewhere: the participant answers in another window by now.
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
        """Delete a participant and all their rows; return whether the participant existed.

        Their bytes leave the files at once if no other process is just reading the file. Else
        `erased` is False, and every later write, closing and opening tries it again.
        """
        with self._lock:
            with self._writing() as db:
                gone = db.execute("DELETE FROM participants WHERE token = ?", (token,)).rowcount
            self._windows.pop(token, None)
            self.erased = clear_log(self._db, READERS_MS)
            return bool(gone)

    def collected(self) -> Collected:
        """Everybody who consented, in the order of their coming, and their answers."""
        with self._reading() as db:
            return Collected(read_participants(db), read_answers(db))

    def add(self, collected: Collected) -> int:
        """How many participants were new; all of them are kept, or none.

        Raises:
            UserError: a token is there already with other answers.
        """
        with self._writing() as db:
            have, new = read_answers(db), 0
            for p in collected.participants:
                answers = sorted(collected.answers.get(p.token, []), key=lambda a: a.trial)
                if p.token not in have:
                    insert_participant(db, p)
                    insert_answers(db, p.token, answers)
                    have[p.token] = answers
                    new += 1
                elif have[p.token] != answers:
                    raise UserError(
                        f"{p.origin}: participant {p.token} is there already with other answers; "
                        "leave the file out, or delete those answers first."
                    )
            return new

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, told_failures(self._path), transaction(self._db, "DEFERRED"):
            yield self._db

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            with told_failures(self._path), transaction(self._db):
                yield self._db
            if not self.erased:
                self.erased = clear_log(self._db)

    def _check_study(self) -> None:
        """Refuse answers that were given to other trials or under other rules."""
        with self._writing() as db:
            row = db.execute("SELECT hash FROM study").fetchone()
            if row is None:
                db.execute("INSERT INTO study VALUES (?)", (self._study.hash,))
            elif row[0] != self._study.hash:
                raise UserError(
                    f"{self._study.folder / ANSWERS} holds answers to another study.json than the "
                    "one beside it; put that one back, or create the new study in a new folder."
                )

    def _has(self, token: str) -> bool:
        rows = self._db.execute("SELECT 1 FROM participants WHERE token = ?", (token,))
        return rows.fetchone() is not None

    def _check_window(self, token: str, nonce: str) -> None:
        """Refuse all windows but the newest; the first one is it after a restart."""
        if not self._has(token):
            raise UnknownParticipant("There is no such participant; reload the page.")
        if token in self._windows and self._windows[token].nonce != nonce:
            raise ContinuedElsewhere("This sitting was continued in another window.")
        self._windows[token] = _Window(nonce, self._clock())

    def _free_slot(self, simulated: bool) -> int:
        """The lowest plan that no finished and no active participant has."""
        since = self._clock() - ACTIVE_SECONDS
        active = {token for token, window in self._windows.items() if window.seen > since}
        rows = self._db.execute(
            "SELECT token, slot, finished FROM participants WHERE simulated = ?", (simulated,)
        )
        taken = {slot for token, slot, finished in rows if finished or token in active}
        return next(slot for slot in range(len(taken) + 1) if slot not in taken)

    def _sitting(self, token: str, nonce: str) -> ParticipantSession:
        slot, finished, code = self._db.execute(
            "SELECT slot, finished, code FROM participants WHERE token = ?", (token,)
        ).fetchone()
        trials = self._db.execute("SELECT trial FROM answers WHERE token = ? ORDER BY 1", (token,))
        answered = [trial for (trial,) in trials]
        return ParticipantSession(
            token, nonce, slot, answered, bool(finished), code if finished else ""
        )

    def _today(self) -> str:
        now = datetime.datetime.fromtimestamp(self._clock(), datetime.timezone.utc)
        return now.date().isoformat()
