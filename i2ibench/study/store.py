"""The participants and answers of a study: what was acknowledged is kept, through kill -9."""

import contextlib
import datetime
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType

from i2ibench.errors import UserError
from i2ibench.study.answers import Answer, Collected, Participant
from i2ibench.study.database import (
    insert_answers,
    insert_participant,
    open_database,
    read_answers,
    read_participants,
    transaction,
)
from i2ibench.study.sitting import Receipt, Sitting, new_token
from i2ibench.study.study import ANSWERS, Study

ACTIVE_SECONDS = 2 * 3600
"""A participant who was not seen for so long loses the claim to a plan, but may still go on."""


class UnknownParticipant(UserError):
    """The token is nobody's: the consent was not given, or the answers were deleted."""


class ContinuedElsewhere(UserError):
    """The participant opened the page again; this window is not the one that counts."""


class Store:
    """The answers of one study. Any thread may call any method.

    Nothing is stored before the consent, and of a person nothing but a random token.

    Args:
        study: whose `answers.sqlite` this is.
        clock: seconds since 1970.

    Raises:
        UserError: the file is of another study, or is no SQLite file.
    """

    def __init__(self, study: Study, clock: Callable[[], float] = time.time) -> None:
        self._study, self._clock, self._lock = study, clock, threading.RLock()
        path = study.folder / ANSWERS
        try:
            self._db = open_database(path)
        except sqlite3.Error as error:
            raise UserError(f"{path} cannot be used: {error}.") from None
        try:
            self._check_study()
        except UserError:
            self._db.close()
            raise

    def __enter__(self) -> "Store":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._db.close()

    def enter(self, token: str | None = None) -> Sitting:
        """The sitting of a token, in a new window: older ones can answer no more.

        Without a token, or with one that nobody has, a sitting that is not stored before consent.
        """
        nonce = secrets.token_hex(8)
        with self._writing() as db:
            changed = db.execute(
                "UPDATE participants SET nonce = ?, seen = ? WHERE token = ?",
                (nonce, self._clock(), token or ""),
            )
            if not token or not changed.rowcount:
                return Sitting(new_token(), nonce)
            return self._sitting(token)

    def consent(self, token: str, nonce: str, simulated: bool = False) -> Sitting:
        """The sitting of a participant who has agreed, with the lowest free plan.

        Saying it twice changes nothing. Plans are counted apart for simulated participants.

        Raises:
            ContinuedElsewhere: the token sits in another window.
        """
        with self._writing() as db:
            if not db.execute("SELECT 1 FROM participants WHERE token = ?", (token,)).fetchone():
                participant = Participant(
                    token, self._free_slot(simulated), simulated, consented=True,
                    begun=self._today(), code=self._study.code(token),
                )  # fmt: skip
                insert_participant(db, participant, nonce, self._clock())
            self._check_window(token, nonce)
            return self._sitting(token)

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
            db.execute(
                "UPDATE participants SET finished = ?, seen = ? WHERE token = ?",
                (finished, self._clock(), token),
            )
            code = self._study.code(token) if finished else ""
            return Receipt(bool(counted), answered, finished, code)

    def forget(self, token: str) -> bool:
        """Whether there was such a participant; all of their rows are gone now, from the disk."""
        with self._lock:
            with self._writing() as db:
                gone = db.execute("DELETE FROM participants WHERE token = ?", (token,)).rowcount
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # the log held them too
            return bool(gone)

    def collected(self) -> Collected:
        """Everybody who consented, in the order of their coming, and their answers."""
        with self._lock, transaction(self._db, "DEFERRED"):
            return Collected(read_participants(self._db), read_answers(self._db))

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
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, transaction(self._db):
            yield self._db

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

    def _check_window(self, token: str, nonce: str) -> None:
        rows = self._db.execute("SELECT nonce FROM participants WHERE token = ?", (token,))
        found = rows.fetchone()
        if found is None:
            raise UnknownParticipant("There is no such participant; reload the page.")
        if found[0] != nonce:
            raise ContinuedElsewhere("This sitting was continued in another window.")

    def _free_slot(self, simulated: bool) -> int:
        """The lowest plan that no finished and no active participant has."""
        rows = self._db.execute(
            "SELECT slot FROM participants WHERE simulated = ? AND (finished OR seen > ?)",
            (simulated, self._clock() - ACTIVE_SECONDS),
        )
        taken = {slot for (slot,) in rows}
        return next(slot for slot in range(len(taken) + 1) if slot not in taken)

    def _sitting(self, token: str) -> Sitting:
        slot, finished, nonce, code = self._db.execute(
            "SELECT slot, finished, nonce, code FROM participants WHERE token = ?", (token,)
        ).fetchone()
        trials = self._db.execute("SELECT trial FROM answers WHERE token = ? ORDER BY 1", (token,))
        answered = [trial for (trial,) in trials]
        return Sitting(token, nonce, slot, answered, bool(finished), code if finished else "")

    def _today(self) -> str:
        now = datetime.datetime.fromtimestamp(self._clock(), datetime.timezone.utc)
        return now.date().isoformat()
