"""The SQLite file of a study: its tables, its durability, and its rows of participants and answers.

Several processes may read and write the file at the same time.
"""

import contextlib
import json
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any

from i2ibench.apps.study.answers import Answer, Participant

_TABLES = """
CREATE TABLE IF NOT EXISTS study (hash TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS participants (
    token TEXT PRIMARY KEY, slot INTEGER NOT NULL, simulated INTEGER NOT NULL,
    consented INTEGER NOT NULL, finished INTEGER NOT NULL, begun TEXT NOT NULL,
    origin TEXT NOT NULL, code TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS answers (
    token TEXT NOT NULL REFERENCES participants ON DELETE CASCADE, trial INTEGER NOT NULL,
    choice TEXT NOT NULL, response_ms REAL NOT NULL, shown_ms REAL, frame_ms REAL NOT NULL,
    dropped INTEGER NOT NULL, unfocused_ms REAL NOT NULL, width INTEGER NOT NULL,
    height INTEGER NOT NULL, zoom REAL NOT NULL, showings INTEGER NOT NULL,
    PRIMARY KEY (token, trial)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS seals (
    token TEXT NOT NULL REFERENCES participants ON DELETE CASCADE, trial INTEGER NOT NULL,
    seal TEXT NOT NULL, PRIMARY KEY (token, trial)
) WITHOUT ROWID;
"""
_SETTINGS = (
    "journal_mode=WAL",
    "synchronous=FULL",  # a commit waits until the data are on the disk
    "foreign_keys=ON",
    "secure_delete=ON",  # deleted answers are overwritten
)
WAIT_MS = 20_000
"""How long a write waits for the writes of other processes."""

_PARTICIPANT = ", ".join(f.name for f in fields(Participant))
_ANSWER = ", ".join(f.name for f in fields(Answer))
_PERSON = -1
"""Value of `seals.trial` for the checksum of a participant's row."""

RESTORE = "bring the file back from a copy"


def open_database(path: Path) -> sqlite3.Connection:
    """Return a connection to the answers' file, after a check of all its rows; make it if needed.

    Any thread may use the connection, one at a time. Missing tables are created. A file from before
    rows had checksums gets them. Only the owner may read a new file and the files that SQLite keeps
    beside it (mode 0600).

    Raises:
        sqlite3.DatabaseError: the file is no database, bytes of it have changed, or the disk or
            another process prevents the opening (OperationalError).
        OSError: the file cannot be made.
    """
    if not path.exists():
        path.touch(0o600)
    db = sqlite3.connect(
        path, timeout=WAIT_MS / 1000, isolation_level=None, check_same_thread=False
    )
    try:
        for setting in _SETTINGS:
            db.execute(f"PRAGMA {setting}")
        known = db.execute("SELECT name FROM sqlite_master WHERE name = 'seals'").fetchone()
        db.executescript(_TABLES)
        (state,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if state != "ok":
            raise sqlite3.DatabaseError(f"it is damaged ({state}); {RESTORE}")
        if known is None:
            _add_missing_checksums(db)
        with transaction(db, "DEFERRED"):
            read_answers(db)
    except (sqlite3.DatabaseError, ValueError, TypeError) as error:
        db.close()
        if isinstance(error, sqlite3.OperationalError):  # the disk, or another process
            raise
        raise sqlite3.DatabaseError(str(error)) from error  # changed bytes cause various errors
    return db


@contextlib.contextmanager
def transaction(db: sqlite3.Connection, kind: str = "IMMEDIATE") -> Iterator[None]:
    """Commit everything that is done inside this context manager, or roll everything back.

    Args:
        db: the connection.
        kind: "IMMEDIATE" takes the lock for writing at once, and waits WAIT_MS for other writers.
            "DEFERRED" is for reading.
    """
    db.execute(f"BEGIN {kind}")
    try:
        yield
        db.execute("COMMIT")  # may fail, too: a full disk
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def clear_log(db: sqlite3.Connection, wait_ms: int = 0) -> bool:
    """Empty SQLite's write-ahead log; return whether deleted rows are gone from the files.

    The log cannot be emptied while another process reads an older state, or while the disk is full
    or fails. The result is False then; committed data are safe.

    Args:
        db: the connection.
        wait_ms: how long to wait for other processes.
    """
    db.execute(f"PRAGMA busy_timeout={wait_ms}")
    try:
        (busy, _, _) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.OperationalError:  # the disk is full or fails; committed data are safe
        return False
    finally:
        db.execute(f"PRAGMA busy_timeout={WAIT_MS}")
    return not busy


def insert_participant(db: sqlite3.Connection, participant: Participant) -> None:
    """Insert a participant whose token is new, with a checksum.

    Raises:
        sqlite3.IntegrityError: the token is not new.
    """
    row = astuple(participant)
    db.execute(f"INSERT INTO participants ({_PARTICIPANT}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    _insert_checksum(db, participant.token, _PERSON, row)


def set_finished(db: sqlite3.Connection, token: str, finished: bool) -> None:
    """Store whether a participant, who is stored already, has answered every trial."""
    db.execute("UPDATE participants SET finished = ? WHERE token = ?", (finished, token))
    query = f"SELECT {_PARTICIPANT} FROM participants WHERE token = ?"
    checksum = _checksum(db.execute(query, (token,)).fetchone())
    values = (checksum, token, _PERSON)
    db.execute("UPDATE seals SET seal = ? WHERE token = ? AND trial = ?", values)


def insert_answers(db: sqlite3.Connection, token: str, answers: Sequence[Answer]) -> int:
    """Insert answers of a participant; return how many were the first to their trial.

    An answer to a trial that is answered already changes nothing.
    """
    places = ", ".join("?" * (len(fields(Answer)) + 1))
    rows = [(token, *astuple(answer)) for answer in answers]
    for row in rows:
        _insert_checksum(db, token, row[1], row)
    return db.executemany(
        f"INSERT INTO answers (token, {_ANSWER}) VALUES ({places}) "
        "ON CONFLICT (token, trial) DO NOTHING",
        rows,
    ).rowcount


def read_participants(db: sqlite3.Connection) -> list[Participant]:
    """Return all participants, in the order in which they were inserted.

    Raises:
        sqlite3.DatabaseError: a row does not fit its checksum.
    """
    rows = _verified_rows(db, _PARTICIPANT, "participants", str(_PERSON))
    return [
        Participant(token, slot, bool(simulated), bool(consented), bool(finished), *rest)
        for token, slot, simulated, consented, finished, *rest in rows
    ]


def read_answers(db: sqlite3.Connection) -> dict[str, list[Answer]]:
    """Return all answers by the participant's token, each list in the order of the trials.

    A participant without answers has an empty list.

    Raises:
        sqlite3.DatabaseError: a row does not fit its checksum, or is missing.
    """
    answers: dict[str, list[Answer]] = {p.token: [] for p in read_participants(db)}
    for token, *values in _verified_rows(db, f"token, {_ANSWER}", "answers", "rows.trial"):
        answers[token].append(Answer(*values))
    (checksums,) = db.execute("SELECT count(*) FROM seals").fetchone()
    if checksums != len(answers) + sum(map(len, answers.values())):
        raise sqlite3.DatabaseError(f"rows of it are missing; {RESTORE}")
    return answers


def _add_missing_checksums(db: sqlite3.Connection) -> None:
    """Add checksums to a file that was made before rows had checksums."""
    with transaction(db):
        for row in db.execute(f"SELECT {_PARTICIPANT} FROM participants").fetchall():
            _insert_checksum(db, row[0], _PERSON, row)
        for row in db.execute(f"SELECT token, {_ANSWER} FROM answers").fetchall():
            _insert_checksum(db, row[0], row[1], row)


def _insert_checksum(db: sqlite3.Connection, token: str, trial: int, row: Sequence[object]) -> None:
    """Insert the checksum of a row, unless there is one for this participant and trial.

    Only the first answer to a trial is kept, and so is its checksum.
    """
    db.execute(
        "INSERT INTO seals VALUES (?, ?, ?) ON CONFLICT (token, trial) DO NOTHING",
        (token, trial, _checksum(row)),
    )


def _checksum(row: Sequence[object]) -> str:
    """Return a checksum of a row that does not distinguish the types of equal numbers.

    SQLite returns booleans as integers, and the integers of a REAL column as floats.
    """
    plain = [float(value) if isinstance(value, int | float) else value for value in row]
    return f"{zlib.crc32(json.dumps(plain).encode()):08x}"


def _verified_rows(
    db: sqlite3.Connection, columns: str, table: str, trial: str
) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a table: participants as they were inserted, answers in trial order.

    Answers are sorted by token first.
    """
    seals = f"(SELECT seal FROM seals WHERE token = rows.token AND trial = {trial})"
    order = "rowid" if table == "participants" else "token, trial"
    for *row, checksum in db.execute(
        f"SELECT {columns}, {seals} FROM {table} rows ORDER BY {order}"
    ):
        if checksum != _checksum(row):
            raise sqlite3.DatabaseError(f"its {table} do not fit their checksums; {RESTORE}")
        yield tuple(row)
