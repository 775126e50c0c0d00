"""State of cells: one file each, written whole, so that it outlives whoever submitted them."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from i2ibench.checksums import sealed, unsealed
from i2ibench.errors import UserError
from i2ibench.files import write_text
from i2ibench.folder_locks import is_owned

FILE = "cell.json"


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
    found = last_state(folder, hash_)
    if found.state == "running" and not is_owned(folder):
        found.state = "waiting"
    return found


def last_state(folder: Path, hash_: str) -> CellState:
    """The state of a cell when it was last written: waiting if its config has changed since."""
    path = folder / FILE
    if not path.is_file():
        return CellState(hash=hash_)
    try:
        found = CellState(**unsealed(json.loads(path.read_text(encoding="utf-8"))))
    except (ValueError, TypeError, RecursionError) as error:
        raise UserError(
            f"{path} is damaged ({error}). Delete it to train the cell on from its checkpoints."
        ) from None
    return found if found.hash == hash_ else CellState(hash=hash_)


def write_state(folder: Path, state: CellState) -> None:
    """Keep the state, whole or not at all."""
    write_text(folder / FILE, json.dumps(sealed(asdict(state)), indent=2))
