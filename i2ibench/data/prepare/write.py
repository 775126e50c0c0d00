"""Prepared data sets: whole or not there at all, and resumed where they were interrupted."""

import contextlib
import errno
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from pathlib import Path
from typing import Any

from i2ibench.data.datasets.paired_folder import PARTIAL, PREPARATION
from i2ibench.data.image_files import read_map
from i2ibench.data.kinds import kind_of
from i2ibench.data.pixel_formats import verify_alone
from i2ibench.data.prepare.raw import LAST, Content, RawData, RawScene
from i2ibench.data.scenes import SceneFiles, check_sizes
from i2ibench.errors import UserError
from i2ibench.io.files import (
    ending_for,
    read_json,
    require_possible_names,
    write_file,
    write_image,
    write_text,
)
from i2ibench.io.folder_locks import lock_target
from i2ibench.io.progress import Progress, track
from i2ibench.io.threads import file_threads

FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


def write_data(raw: RawData, target: Path, facts: Mapping[str, Any]) -> None:
    """Make `target` hold the data in the layout that `PairedFolder` reads.

    Scenes are gathered in `<target>.partial`, which gets its name when all are there; the same
    call goes on in it after an interruption. Photos, and label maps that are in order, are hard
    links to the publisher's files where the file system has them, else copies.

    Args:
        raw: what to write.
        target: the folder, which does not exist or is empty.
        facts: what the data is made from and how, in plain JSON; two preparations with equal
            facts are the same.

    Raises:
        UserError: a file is broken, scenes share a name, or the disk is full.
    """
    partial = target.with_name(target.name + PARTIAL)
    with lock_target(target, "preparing a data set", wait=True), _explained(partial):
        if is_prepared(target, facts):  # by another process while this one waited
            return
        require_possible_names(
            partial / f"{scene.name}.png" for scenes in raw.splits.values() for scene in scenes
        )
        partial.mkdir(parents=True, exist_ok=True)
        _begin(partial, facts)
        if len(raw.classes):
            entries = [c.entry() for c in raw.classes.classes]
            write_text(partial / "classes.json", json.dumps(entries, indent=1))
        for split, scenes in raw.splits.items():
            _write_split(raw, partial, split, scenes)
        if hasattr(os, "sync"):
            os.sync()  # once, and not for every image
        if target.is_dir():
            target.rmdir()  # an empty one, which not every system renames over
        partial.rename(target)


@contextlib.contextmanager
def _explained(partial: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise UserError(
            f"The disk that holds {partial} is full. Make room, then give the same command again: "
            "it goes on where it stopped."
        ) from None


def is_prepared(target: Path, facts: Mapping[str, Any]) -> bool:
    """Return whether `target` holds the data already.

    Raises:
        UserError: it holds something else.
    """
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return False
    if _read_facts(target) == facts:
        return True
    raise UserError(
        f"{target} exists and was not prepared from the same files with the same options. Choose "
        "another folder, or delete that one."
    )


def count_photos(target: Path) -> tuple[int, int]:
    """How many photos of prepared data are hard links, and how many are files of their own."""
    links = [path.stat().st_nlink > 1 for path in target.glob(f"*/{LAST}/*")]
    return sum(links), len(links) - sum(links)


def _begin(partial: Path, facts: Mapping[str, Any]) -> None:
    """Mark an empty folder as this preparation's, or find it as it was left.

    Raises:
        UserError: it belongs to another preparation.
    """
    if not any(partial.iterdir()):
        write_text(partial / PREPARATION, json.dumps(facts, indent=1))
    elif _read_facts(partial) != facts:
        raise UserError(
            f"{partial} was begun from other files or with other options. Delete it to start anew."
        )


def _read_facts(folder: Path) -> Any:
    try:
        return read_json(folder / PREPARATION)
    except (OSError, ValueError):
        return None


def _write_split(raw: RawData, partial: Path, split: str, scenes: Sequence[RawScene]) -> None:
    twice = [name for name, count in Counter(scene.name for scene in scenes).items() if count > 1]
    if twice or not scenes:
        raise UserError(f"The {split} scenes are none, or share names: {twice[:3]}.")
    folder = partial / split
    done = _whole_scenes(folder, split)
    left = [scene for scene in scenes if scene.name not in done]
    with (
        Progress(f"preparing {split}", len(scenes), len(scenes) - len(left)) as progress,
        file_threads() as pool,
    ):
        futures = [pool.submit(_write_scene, scene, folder, raw) for scene in left]
        try:
            for future in as_completed(futures):
                future.result()
                progress.advance()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _whole_scenes(folder: Path, split: str) -> set[str]:
    """The scenes that an interrupted call finished; what it was writing is removed.

    Images are not flushed one by one, so that a power failure may have cut some off.
    """
    for aside in folder.glob("*/.*.tmp"):
        aside.unlink()
    photos = folder / LAST
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*/*")) if photos.is_dir() else ():
        found.setdefault(path.stem, []).append(path)
    last = {path.stem for path in photos.iterdir()} if photos.is_dir() else set()
    whole = set()
    for name in track(sorted(last), f"checking {split}") if last else ():
        with contextlib.suppress(UserError):
            for path in found[name]:
                if kind_of(path.parent.name).is_map:  # of any coding
                    read_map(path)
                else:
                    verify_alone(path)
            whole.add(name)
    return whole


def _write_scene(scene: RawScene, folder: Path, raw: RawData) -> None:
    contents = scene.read()
    sizes = {kind: _checked_size(kind, content, raw) for kind, content in contents.items()}
    check_sizes(SceneFiles(scene.name), sizes)
    for kind in sorted(contents, key=LAST.__eq__):
        _write(folder / kind, scene.name, contents[kind])


def _checked_size(kind: str, content: Content, raw: RawData) -> tuple[int, ...]:
    if not isinstance(content, Path):
        return content.shape[:2]
    read = kind_of(kind).read
    return verify_alone(content) if read is None else read(content, raw.classes).shape


def _write(folder: Path, name: str, content: Content) -> None:
    if not isinstance(content, Path):
        pixels = content[..., 0] if content.shape[2:] == (1,) else content
        ending = ending_for(1 if pixels.ndim == 2 else pixels.shape[2])
        write_image(folder / f"{name}{ending}", pixels, flush=False)
        return
    path = folder / f"{name}{content.suffix.lower()}"
    folder.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    try:
        path.hardlink_to(content.resolve())
    except OSError:  # another disk, or a file system without hard links
        write_file(path, lambda aside: shutil.copyfile(content, aside), flush=False)
