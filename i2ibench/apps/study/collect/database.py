"""The SQLite file of a study: its tables, its durability, and its rows as participants and answers.

Several processes may read and write it at once.
"""

import contextlib
import json
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import fields
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
    "synchronous=FULL",  # a commit waits until the disk has it
    "foreign_keys=ON",
    "secure_delete=ON",  # deleted answers are overwritten
)
WAIT_MS = 20_000
"""How long a write waits for other processes' writes."""

_PARTICIPANT = "token, slot, simulated, consented, finished, begun, origin, code"
_ANSWER = ", ".join(f.name for f in fields(Answer))
_PERSON = -1
"""In place of a trial: the checksum is of the participant's row."""

RESTORE = "bring the file back from a copy"


def open_database(path: Path) -> sqlite3.Connection:
    """A connection that any thread may use, one at a time; the tables are made.

    A new file is for its owner alone (mode 0600), and so are the files that SQLite keeps beside it.

    Raises:
        sqlite3.DatabaseError: the file is no database, or bytes of it have changed.
        OSError: it cannot be made.
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
        (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(f"it is damaged ({found}); {RESTORE}")
        if known is None:
            _seal_all(db)
        with transaction(db, "DEFERRED"):
            read_answers(db)
    except (sqlite3.DatabaseError, ValueError, TypeError) as error:
        db.close()
        if isinstance(error, sqlite3.OperationalError):  # the disk, or another process
            raise
        raise sqlite3.DatabaseError(str(error)) from error  # whatever changed bytes bring about
    return db


def _seal_all(db: sqlite3.Connection) -> None:
    """Give the rows of a file that was made before rows had checksums theirs."""
    with transaction(db):
        for row in db.execute(f"SELECT {_PARTICIPANT} FROM participants").fetchall():
            _keep_seal(db, row[0], _PERSON, row)
        for row in db.execute(f"SELECT token, {_ANSWER} FROM answers").fetchall():
            _keep_seal(db, row[0], row[1], row)


def _keep_seal(db: sqlite3.Connection, token: str, trial: int, row: Sequence[object]) -> None:
    """Keep the checksum of a row; the first answer to a trial counts, and so does its."""
    db.execute(
        "INSERT INTO seals VALUES (?, ?, ?) ON CONFLICT (token, trial) DO NOTHING",
        (token, trial, _seal(row)),
    )


def _seal(row: Sequence[object]) -> str:
    """A checksum of a row; SQLite gives booleans back as integers, and integers as floats."""
    plain = [float(value) if isinstance(value, int | float) else value for value in row]
    return f"{zlib.crc32(json.dumps(plain).encode()):08x}"


def _checked(
    db: sqlite3.Connection, columns: str, table: str, trial: str
) -> Iterator[tuple[Any, ...]]:
    """The rows of a table, in the order of their making or of their keys.

    Raises:
        sqlite3.DatabaseError: a row does not fit its checksum, or is missing.
    """
    seals = f"(SELECT seal FROM seals WHERE token = rows.token AND trial = {trial})"
    order = "rowid" if table == "participants" else "token, trial"
    for *row, seal in db.execute(f"SELECT {columns}, {seals} FROM {table} rows ORDER BY {order}"):
        if seal != _seal(row):
            raise sqlite3.DatabaseError(f"its {table} do not fit their checksums; {RESTORE}")
        yield tuple(row)


@contextlib.contextmanager
def transaction(db: sqlite3.Connection, kind: str = "IMMEDIATE") -> Iterator[None]:
    """What is done inside happens as a whole or not at all."""
    db.execute(f"BEGIN {kind}")
    try:
        yield
        db.execute("COMMIT")  # may fail, too: a full disk
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def clear_log(db: sqlite3.Connection, wait_ms: int = 0) -> bool:
    """Empty the log of writes; return whether deleted rows are gone from the files.

    Not while another process reads an older state; it is waited for so long.
    """
    db.execute(f"PRAGMA busy_timeout={wait_ms}")
    try:
        (busy, _, _) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.OperationalError:  # the disk is full or fails: what was committed stays so
        return False
    finally:
        db.execute(f"PRAGMA busy_timeout={WAIT_MS}")
    return not busy


def insert_participant(db: sqlite3.Connection, participant: Participant) -> None:
    """Add a participant whose token is new."""
    p = participant
    row = (p.token, p.slot, p.simulated, p.consented, p.finished, p.begun, p.origin, p.code)
    db.execute(f"INSERT INTO participants ({_PARTICIPANT}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    _keep_seal(db, p.token, _PERSON, row)


def set_finished(db: sqlite3.Connection, token: str, finished: bool) -> None:
    """Note whether a participant has answered every trial."""
    db.execute("UPDATE participants SET finished = ? WHERE token = ?", (finished, token))
    query = f"SELECT {_PARTICIPANT} FROM participants WHERE token = ?"
    seal = _seal(db.execute(query, (token,)).fetchone())
    place = (seal, token, _PERSON)
    db.execute("UPDATE seals SET seal = ? WHERE token = ? AND trial = ?", place)


def insert_answers(db: sqlite3.Connection, token: str, answers: Sequence[Answer]) -> int:
    """Insert answers, and return how many were the first to their trial; others change nothing."""
    places = ", ".join("?" * (len(fields(Answer)) + 1))
    rows = [(token, *answer.as_dict().values()) for answer in answers]
    for row in rows:
        _keep_seal(db, token, row[1], row)
    return db.executemany(
        f"INSERT INTO answers (token, {_ANSWER}) VALUES ({places}) "
        "ON CONFLICT (token, trial) DO NOTHING",
        rows,
    ).rowcount


def read_participants(db: sqlite3.Connection) -> list[Participant]:
    """Everybody, in the order of their coming.

    Raises:
        sqlite3.DatabaseError: a row does not fit its checksum.
    """
    rows = _checked(db, _PARTICIPANT, "participants", str(_PERSON))
    return [
        Participant(token, slot, bool(simulated), bool(consented), bool(finished), *rest)
        for token, slot, simulated, consented, finished, *rest in rows
    ]


def read_answers(db: sqlite3.Connection) -> dict[str, list[Answer]]:
    """By token, in the order of the trials; those who answered nothing have an empty list.

    Raises:
        sqlite3.DatabaseError: a row does not fit its checksum, or is missing.
    """
    found: dict[str, list[Answer]] = {p.token: [] for p in read_participants(db)}
    for token, *values in _checked(db, f"token, {_ANSWER}", "answers", "rows.trial"):
        found[token].append(Answer(*values))
    (sealed,) = db.execute("SELECT count(*) FROM seals").fetchone()
    if sealed != len(found) + sum(map(len, found.values())):
        raise sqlite3.DatabaseError(f"rows of it are missing; {RESTORE}")
    return found
