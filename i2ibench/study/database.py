"""The SQLite file of a study: its tables, its durability, and its rows as participants and answers.

Several processes may read and write it at once.
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path

from i2ibench.study.answers import Answer, Participant

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


def open_database(path: Path) -> sqlite3.Connection:
    """A connection that any thread may use, one at a time; the tables are made.

    A new file is for its owner alone (mode 0600), and so are the files that SQLite keeps beside it.

    Raises:
        sqlite3.DatabaseError: the file is no database.
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
        db.executescript(_TABLES)
    except sqlite3.DatabaseError:
        db.close()
        raise
    return db


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
    """Whether what was deleted is gone: overwritten in the file, and the log of writes is empty.

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
    db.execute(
        f"INSERT INTO participants ({_PARTICIPANT}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (p.token, p.slot, p.simulated, p.consented, p.finished, p.begun, p.origin, p.code),
    )


def insert_answers(db: sqlite3.Connection, token: str, answers: Sequence[Answer]) -> int:
    """How many of the answers were the first to their trial; the others change nothing."""
    places = ", ".join("?" * (len(fields(Answer)) + 1))
    return db.executemany(
        f"INSERT INTO answers (token, {_ANSWER}) VALUES ({places}) "
        "ON CONFLICT (token, trial) DO NOTHING",
        [(token, *answer.as_dict().values()) for answer in answers],
    ).rowcount


def read_participants(db: sqlite3.Connection) -> list[Participant]:
    """Everybody, in the order of their coming."""
    rows = db.execute(f"SELECT {_PARTICIPANT} FROM participants ORDER BY rowid")
    return [
        Participant(token, slot, bool(simulated), bool(consented), bool(finished), *rest)
        for token, slot, simulated, consented, finished, *rest in rows
    ]


def read_answers(db: sqlite3.Connection) -> dict[str, list[Answer]]:
    """By token, in the order of the trials; those who answered nothing have an empty list."""
    found: dict[str, list[Answer]] = {p.token: [] for p in read_participants(db)}
    for token, *values in db.execute(f"SELECT token, {_ANSWER} FROM answers ORDER BY token, trial"):
        found[token].append(Answer(*values))
    return found
