"""State of cells: one file each, written whole, so that it outlives whoever submitted them."""

import json
from dataclasses import asdict, dataclass, field, fields
from math import isfinite
from pathlib import Path
from typing import Any

from i2ibench.errors import UserError
from i2ibench.io.checksums import add_checksum, verify_checksum
from i2ibench.io.files import read_json, write_text
from i2ibench.io.folder_locks import is_locked

FILE = "cell.json"
STATES = ("waiting", "running", "done", "failed")


@dataclass
class CellState:
    """The state of a cell.

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
    found = last_state(folder, hash_)
    if found.state == "running" and not is_locked(folder):
        found.state = "waiting"
    return found


def last_state(folder: Path, hash_: str) -> CellState:
    """The state of a cell when it was last written: waiting if its config has changed since."""
    path = folder / FILE
    if not path.is_file():
        return CellState(hash=hash_)
    try:
        content = verify_checksum(read_json(path))
    except (ValueError, TypeError) as error:
        raise UserError(
            f"{path} is damaged ({error}). Delete it to train the cell on from its checkpoints."
        ) from None
    found = checked_state(content, path)
    return found if found.hash == hash_ else CellState(hash=hash_)


def checked_state(content: Any, path: Path) -> CellState:
    """Return the state that a file holds.

    Raises:
        UserError: the file holds something else; the message says how to go on.
    """
    wrong = UserError(
        f"{path} is no state of a grid's cell. Delete it to train the cell on from its checkpoints."
    )
    known = {field.name: type(field.default) for field in fields(CellState)} | {"facts": dict}
    if not isinstance(content, dict) or not content.keys() <= known.keys():
        raise wrong
    kinds = {name: (int, float) if kind is float else kind for name, kind in known.items()}
    if not all(isinstance(value, kinds[name]) for name, value in content.items()):
        raise wrong
    state = CellState(**content)
    if state.state not in STATES or not all(map(isfinite, (state.attempts, state.seconds))):
        raise wrong
    return state


def write_state(folder: Path, state: CellState) -> None:
    """Keep the state, whole or not at all."""
    write_text(folder / FILE, json.dumps(add_checksum(asdict(state)), indent=2))
