"""Writing of prepared data sets, which appear only when complete; an interrupted call resumes."""

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

from i2ibench.data.classes import ClassTable
from i2ibench.data.datasets.paired_folder import PARTIAL, PREPARATION
from i2ibench.data.image_reading import read_map
from i2ibench.data.kinds import kind_of
from i2ibench.data.pixel_formats import verify_alone
from i2ibench.data.prepare.dataset_readers import Content, SourceData, SourceScene
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
from i2ibench.io.thread_pools import file_threads

LAST = "image"
"""The kind of image that is written last: a scene that has it is complete."""

DISK_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


def write_data(data: SourceData, target: Path, provenance: Mapping[str, Any]) -> None:
    """Write a data set into `target`, in the layout that `PairedFolder` reads.

    The scenes are written into `<target>.partial`, which is renamed when all are there. The same
    call resumes in this folder after an interruption. Files that need no change, such as photos,
    are hard links to the publisher's files. Without support for hard links they are copies. The
    classes, if there are some, become classes.json.

    Args:
        data: to write.
        target: the folder, which does not exist or is empty. If it holds a data set of equal
            provenance, nothing is written.
        provenance: source and options of the data as plain JSON values.

    Raises:
        UserError: `target` or the partial folder holds something else, a file is broken, files of a
            scene differ in size, a split has no scenes, scenes share a name or have a too long one,
            or the disk is full.
    """
    partial = target.with_name(target.name + PARTIAL)
    with lock_target(target, "preparing a data set", wait=True), _explaining_full_disk(partial):
        if is_prepared(target, provenance):  # by another process while this process waited
            return
        require_possible_names(
            partial / f"{scene.name}.png" for scenes in data.splits.values() for scene in scenes
        )
        partial.mkdir(parents=True, exist_ok=True)
        _begin(partial, provenance)
        if len(data.classes):
            entries = [c.entry() for c in data.classes.classes]
            write_text(partial / "classes.json", json.dumps(entries, indent=1))
        for split, scenes in data.splits.items():
            _write_split(data, partial, split, scenes)
        if hasattr(os, "sync"):
            os.sync()  # once, instead of for every image
        if target.is_dir():
            target.rmdir()  # not every system can rename over an empty folder
        partial.rename(target)


@contextlib.contextmanager
def _explaining_full_disk(partial: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        raise UserError(
            f"The disk that holds {partial} is full. Make room, then give the same command again: "
            "it goes on where it stopped."
        ) from None


def is_prepared(target: Path, provenance: Mapping[str, Any]) -> bool:
    """Return whether `target` holds the data set of this provenance; False if missing or empty.

    Args:
        target: the folder to look at.
        provenance: source and options of the data set, compared with those saved in `target`.

    Raises:
        UserError: `target` holds something else, or a data set of another provenance.
    """
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return False
    if _read_provenance(target) == provenance:
        return True
    raise UserError(
        f"{target} exists and was not prepared from the same files with the same options. Choose "
        "another folder, or delete that one."
    )


def count_photos(target: Path) -> tuple[int, int]:
    """Return how many photos of a prepared data set are hard links, and how many are not.

    Photos are the files in the folders image/ of all splits.
    """
    links = [path.stat().st_nlink > 1 for path in target.glob(f"*/{LAST}/*")]
    return sum(links), len(links) - sum(links)


def _begin(partial: Path, provenance: Mapping[str, Any]) -> None:
    """Save the provenance in an empty folder, or check the provenance that a folder has."""
    if not any(partial.iterdir()):
        write_text(partial / PREPARATION, json.dumps(provenance, indent=1))
    elif _read_provenance(partial) != provenance:
        raise UserError(
            f"{partial} was begun from other files or with other options. Delete it to start anew."
        )


def _read_provenance(folder: Path) -> Any:
    try:
        return read_json(folder / PREPARATION)
    except (OSError, ValueError):
        return None


def _write_split(
    data: SourceData, partial: Path, split: str, scenes: Sequence[SourceScene]
) -> None:
    twice = [name for name, count in Counter(scene.name for scene in scenes).items() if count > 1]
    if not scenes:
        raise UserError(f"The split {split} has no scenes. Add images, or remove its folder.")
    if twice:
        raise UserError(
            f"Scenes of the split {split} share names: {', '.join(twice[:3])}. Rename their files."
        )
    folder = partial / split
    done = _complete_scenes(folder, split)
    left = [scene for scene in scenes if scene.name not in done]
    with (
        Progress(f"preparing {split}", len(scenes), len(scenes) - len(left)) as progress,
        file_threads() as pool,
    ):
        futures = [pool.submit(_write_scene, scene, folder, data.classes) for scene in left]
        try:
            for future in as_completed(futures):
                future.result()
                progress.advance()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _complete_scenes(folder: Path, split: str) -> set[str]:
    """Return the names of a split's complete scenes, and delete unfinished temporary files.

    An interrupted call left them. A scene is complete if it has the image that is written last and
    all its files can be read. Every file is read, because a power failure may have cut off files
    that were not flushed. Files of other scenes stay and are written again later.
    """
    for unfinished in folder.glob("*/.*.tmp"):
        unfinished.unlink()
    last = {path.stem for path in (folder / LAST).glob("*")}
    files: dict[str, list[Path]] = {name: [] for name in last}
    for path in sorted(folder.glob("*/*")):
        if path.stem in last:
            files[path.stem].append(path)
    complete = set()
    for name in track(sorted(last), f"checking {split}") if last else ():
        with contextlib.suppress(UserError):
            for path in files[name]:
                if kind_of(path.parent.name).is_map:  # of any coding
                    read_map(path)
                else:
                    verify_alone(path)
            complete.add(name)
    return complete


def _write_scene(scene: SourceScene, folder: Path, classes: ClassTable) -> None:
    contents = scene.read()
    sizes = {kind: _checked_size(kind, content, classes) for kind, content in contents.items()}
    check_sizes(SceneFiles(scene.name), sizes)
    for kind in sorted(contents, key=LAST.__eq__):
        _write(folder / kind, scene.name, contents[kind])


def _checked_size(kind: str, content: Content, classes: ClassTable) -> tuple[int, ...]:
    """Return the (height, width) of an image after a check that the image can be read."""
    if not isinstance(content, Path):
        return content.shape[:2]
    read = kind_of(kind).read
    return verify_alone(content) if read is None else read(content, classes).shape


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
