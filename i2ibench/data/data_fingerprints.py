"""What a run's data was when it began, so that it does not go on with other files unnoticed."""

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from i2ibench.data.scenes import SceneFiles
from i2ibench.data.tar_members import place_of
from i2ibench.errors import UserError
from i2ibench.io.checksums import add_checksum, verify_checksum
from i2ibench.io.files import write_text
from i2ibench.io.progress import say, track

FILE = "data.json"

State = list[int | None]
"""Of a file: its size, its time of change in nanoseconds, and its CRC-32, None if not read."""


def record_fingerprints(work_dir: Path, scenes: Iterable[SceneFiles]) -> None:
    """Note in the folder of a run, or of its first stage, what its files are; each is read."""
    paths = _paths(scenes)
    states = {str(p): _state(p, read=True) for p in track(paths, "noting what the data is")}
    _write(work_dir, states)


def check_fingerprints(work_dir: Path, scenes: Iterable[SceneFiles], accept: bool) -> None:
    """Refuse to go on with other files than those that the run began with.

    Files of another time of change, but the same size, are read.

    Args:
        work_dir: the run's, or its first stage's.
        scenes: its data as it is now.
        accept: go on even so, and note the files as they are now.

    Raises:
        UserError: files have changed, were added or are gone, and that is not accepted.
    """
    paths = _paths(scenes)
    before = _read(work_dir)
    if before is None:
        record_fingerprints(work_dir, scenes)
        return
    now = {str(path): _state(path, read=False) for path in paths}
    touched = [p for p in paths if str(p) in before and now[str(p)][:2] != before[str(p)][:2]]
    for path in track(touched, "comparing files") if touched else ():
        now[str(path)] = _state(path, read=True)
    changed = [p for p in sorted({*before, *now}) if _differ(before.get(p), now.get(p))]
    if changed and not accept:
        raise UserError(
            f"{len(changed)} of the {len(now)} files of the data have changed since the run in "
            f"{work_dir} began, first {changed[0]}. Put them back, pass --resume to go on with the "
            "data as it is, or --fresh to start anew (the old run is moved aside)."
        )
    if changed:
        say(f"{len(changed)} files of the data have changed since the run began.")
        record_fingerprints(work_dir, scenes)
    elif touched:
        _write(work_dir, {p: [*now[p][:2], before[p][2]] for p in before})


def _paths(scenes: Iterable[SceneFiles]) -> Sequence[Path]:
    """The files of scenes, each once."""
    return list(dict.fromkeys(path for scene in scenes for path in scene.paths.values()))


def _state(path: Path, read: bool) -> State:
    if place_of(path) is not None:
        return [None, None, None]  # a file in a shard: its checksum is part of its name
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, zlib.crc32(path.read_bytes()) if read else None]


def _differ(before: State | None, now: State | None) -> bool:
    """Return whether a file is another one; its time alone says nothing."""
    if before is None or now is None or before[0] != now[0]:
        return True
    return now[2] is not None and now[2] != before[2]


def _read(work_dir: Path) -> Mapping[str, State] | None:
    """The states in a run's note; None if there is none, or it is damaged."""
    path = work_dir / FILE
    try:
        files: Any = verify_checksum(json.loads(path.read_text(encoding="utf-8")))["files"]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, RecursionError) as error:
        say(f"{path} is damaged ({error}) and made anew: changes of the data are not seen now.")
        return None
    return dict(files)


def _write(work_dir: Path, states: Mapping[str, State]) -> None:
    write_text(work_dir / FILE, json.dumps(add_checksum({"files": states})))
