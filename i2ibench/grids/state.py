"""State of cells: one file each, written whole, so that it outlives whoever submitted them."""

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from i2ibench.errors import UserError
from i2ibench.files import write_text

FILE = "cell.json"
LOCK = "cell.lock"

HEARTBEAT = 20.0
"""Seconds between two signs of life of a running cell."""

SILENCE = 6 * HEARTBEAT
"""Seconds without one after which a cell is taken for dead."""


@dataclass
class CellState:
    """What is known of a cell.

    Attributes:
        state: waiting, running, done or failed.
        hash: of the config that it was trained with.
        attempts: how often it was begun.
        seconds: that it ran, over all attempts.
        error: the last failure's message.
        facts: what the run measured: parameters, step time, memory, training images.
    """

    state: str = "waiting"
    hash: str = ""
    attempts: int = 0
    seconds: float = 0.0
    error: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


def read_state(folder: Path, hash_: str) -> CellState:
    """The state of a cell: waiting if its config has changed; a running one whose process is gone
    waits again."""
    path = folder / FILE
    if not path.is_file():
        return CellState(hash=hash_)
    found = CellState(**json.loads(path.read_text()))
    if found.hash != hash_:
        return CellState(hash=hash_)
    if found.state == "running" and not is_held(folder / LOCK):
        found.state = "waiting"
    return found


def write_state(folder: Path, state: CellState) -> None:
    """Keep the state, whole or not at all."""
    write_text(folder / FILE, json.dumps(asdict(state), indent=2))


@contextlib.contextmanager
def held(lock: Path) -> Iterator[None]:
    """Hold a lock file, with signs of life, until the block ends.

    Raises:
        UserError: another living process holds it.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    if is_held(lock):
        raise UserError(f"{lock} is held by {lock.read_text()}: the cell runs already.")
    lock.unlink(missing_ok=True)
    try:
        with lock.open("x") as file:
            file.write(f"{socket.gethostname()} {os.getpid()}")
    except FileExistsError:
        raise UserError(f"{lock} was taken by another process just now.") from None
    over = threading.Event()
    thread = threading.Thread(target=_beat, args=(lock, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        lock.unlink(missing_ok=True)


def is_held(lock: Path) -> bool:
    """Whether a living process holds a lock."""
    try:
        host, pid = lock.read_text().split()
        silent = time.time() - lock.stat().st_mtime
    except (FileNotFoundError, ValueError):
        return False
    if host == socket.gethostname():
        return _is_alive(int(pid))
    return silent < SILENCE


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    # A killed child that nobody has waited for is no longer alive.
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return True


def _beat(lock: Path, over: threading.Event) -> None:
    while not over.wait(HEARTBEAT):
        with contextlib.suppress(OSError):
            os.utime(lock)
