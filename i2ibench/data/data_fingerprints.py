"""Fingerprints of a run's data files, so that a resumed run notices files that have changed."""

import json
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from i2ibench.data.scenes import SceneFiles
from i2ibench.data.tar_members import place_of
from i2ibench.errors import UserError
from i2ibench.io.file_integrity import add_checksum, verify_checksum
from i2ibench.io.files import write_text
from i2ibench.io.progress import say, track

FILE = "data.json"

Fingerprint = list[int | None]
"""The size of a file in bytes, its modification time in ns, and its CRC-32 or None if not read."""


def record_fingerprints(work_dir: Path, scenes: Iterable[SceneFiles]) -> None:
    """Read all files of the scenes and write their sizes, times and CRC-32 to a run's `data.json`.

    An earlier `data.json` is replaced. Files in shards are not read: their paths hold their
    checksums.

    Args:
        work_dir: the folder of the run, or of its first stage.
        scenes: the data of the run; files of appearances are not included.

    Raises:
        OSError: a file is missing or cannot be read.
    """
    paths = track(_paths(scenes), "noting what the data is")
    _write(work_dir, {str(path): _fingerprint(path, read=True) for path in paths})


def check_fingerprints(
    work_dir: Path, scenes: Iterable[SceneFiles], accept: Callable[[], None] | None
) -> None:
    """Check that the files of the data are the files that the run began with.

    Files of the same size and modification time count as unchanged. Files with another modification
    time but the same size are read. If `data.json` is missing or damaged, it is made anew from the
    data as it is now, and nothing is raised.

    Args:
        work_dir: the folder of the run, or of its first stage.
        scenes: the data as it is now.
        accept: called if files were changed, added or removed, before their fingerprints are
            recorded; may raise an error about the files. None refuses changed files.

    Raises:
        UserError: files were changed, added or removed from the data, and `accept` is None.
        OSError: a file is missing or cannot be read.
    """
    paths = _paths(scenes)
    before = _read(work_dir)
    if before is None:
        record_fingerprints(work_dir, scenes)
        return
    now = {str(path): _fingerprint(path, read=False) for path in paths}
    touched = [p for p in paths if str(p) in before and now[str(p)][:2] != before[str(p)][:2]]
    for path in track(touched, "comparing files") if touched else ():
        now[str(path)] = _fingerprint(path, read=True)
    changed = [p for p in sorted({*before, *now}) if _differ(before.get(p), now.get(p))]
    if changed and accept is None:
        raise UserError(
            f"{len(changed)} of the {len(now)} files of the data have changed since the run in "
            f"{work_dir} began, first {changed[0]}. Put them back, pass --resume to go on with the "
            "data as it is, or --fresh to start anew (the old run is moved aside)."
        )
    if changed and accept is not None:
        say(f"{len(changed)} files of the data have changed since the run began.")
        accept()
        record_fingerprints(work_dir, scenes)
    elif touched:
        _write(work_dir, {p: [*now[p][:2], before[p][2]] for p in before})


def _paths(scenes: Iterable[SceneFiles]) -> Sequence[Path]:
    return list(dict.fromkeys(path for scene in scenes for path in scene.paths.values()))


def _fingerprint(path: Path, read: bool) -> Fingerprint:
    if place_of(path) is not None:
        return [None, None, None]  # the checksum of a file in a shard is part of its path
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, zlib.crc32(path.read_bytes()) if read else None]


def _differ(before: Fingerprint | None, now: Fingerprint | None) -> bool:
    """Return whether two fingerprints of a file differ in size or CRC-32, or one is missing.

    The modification time does not count. A CRC-32 counts only if the file was read now.
    """
    if before is None or now is None or before[0] != now[0]:
        return True
    return now[2] is not None and now[2] != before[2]


def _read(work_dir: Path) -> Mapping[str, Fingerprint] | None:
    """Return the fingerprints in a run's `data.json` by path, or None if it is missing or damaged.

    A damaged file is reported by a message on stderr.
    """
    path = work_dir / FILE
    try:
        files: Any = verify_checksum(json.loads(path.read_text(encoding="utf-8")))["files"]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, RecursionError) as error:
        say(f"{path} is damaged ({error}) and made anew: changes of the data are not seen now.")
        return None
    return dict(files)


def _write(work_dir: Path, fingerprints: Mapping[str, Fingerprint]) -> None:
    write_text(work_dir / FILE, json.dumps(add_checksum({"files": fingerprints})))
