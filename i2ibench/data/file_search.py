"""Search for the image files below a folder, and notes on other files beside them."""

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from i2ibench.data.file_formats import EXTENSIONS
from i2ibench.data.registered_readers import suffixes
from i2ibench.errors import UserError

_LEFT_OUT = ("__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information")
"""Folders that are not hidden, in which operating systems keep copies and thumbnails."""

_SYSTEM_FILES = ("thumbs.db", "desktop.ini")


@dataclass(frozen=True)
class FoundFiles:
    """The images below a folder, and the number of other files.

    Attributes:
        images: the path of each image by its name. The name is the path below the folder without
            the file ending, with "/" between its parts, in Unicode's composed form (NFC).
        ignored: the number of other files by file ending, without hidden files.
    """

    images: dict[str, Path]
    ignored: Counter[str] = field(default_factory=Counter)


def find_images(folder: Path) -> FoundFiles:
    """Find the images below a folder by their file endings; no file is opened.

    Links are followed. Files and folders whose names begin with "." and the operating systems' own
    folders, such as `__MACOSX`, are left out. Other files are counted by ending.

    Raises:
        UserError: the folder is missing, the target of a link is missing, a folder cannot be read,
            or two files would have the same name.
    """
    if not folder.is_dir():
        raise UserError(f"The folder {folder} does not exist.")
    found, readable = FoundFiles({}), {*EXTENSIONS, *suffixes()}
    for path in walk_files(folder):
        if path.suffix.lower() not in readable:
            if path.name.lower() not in _SYSTEM_FILES:
                found.ignored[path.suffix.lower() or "without an ending"] += 1
            continue
        name = to_nfc(path.relative_to(folder).with_suffix("").as_posix())
        if name in found.images:
            raise UserError(
                f"{found.images[name]} and {path} would be the same scene {name!r}; remove one."
            )
        found.images[name] = path
    return found


def files_by_name(folder: Path) -> dict[str, Path]:
    """Return the path of each image below a folder by its name: its path there without the ending.

    Raises:
        UserError: see `find_images`; or there is no image.
    """
    found = find_images(folder)
    if not found.images:
        raise UserError(
            f"The folder {folder} holds no image ({', '.join((*EXTENSIONS, *suffixes()))})."
            f"{ignored_note(folder, found.ignored)}"
        )
    return found.images


def ignored_notes(folders: Iterable[Path]) -> list[str]:
    """Return a sentence for each folder that holds other files than images, none for other folders.

    Raises:
        UserError: see `find_images`.
    """
    notes = (ignored_note(folder, find_images(folder).ignored) for folder in folders)
    return [note.strip() for note in notes if note]


def ignored_note(folder: Path, ignored: Mapping[str, int]) -> str:
    """Return a sentence with a leading space that counts ignored files; "" if there are none.

    Args:
        folder: the folder of the files.
        ignored: the number of files by file ending.
    """
    if not ignored:
        return ""
    listed = ", ".join(f"{n} {ending}" for ending, n in sorted(ignored.items()))
    count = sum(ignored.values())
    return (
        f" {count} other {'file is' if count == 1 else 'files are'} not read in {folder}: {listed}."
    )


def to_nfc(name: str) -> str:
    """Return a name in Unicode's composed form (NFC), because macOS stores names decomposed."""
    return unicodedata.normalize("NFC", name)


def walk_files(folder: Path) -> Iterator[Path]:
    """Yield every file below a folder, sorted within each folder; links are followed.

    Names that begin with "." and the operating systems' own folders, such as `__MACOSX`, are left
    out.

    Raises:
        UserError: the target of a link is missing, or a folder is missing or cannot be read.
    """
    yield from _walk(folder, (os.path.realpath(folder),))


def _walk(folder: Path, above: tuple[str, ...]) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise UserError(f"The folder {folder} cannot be read: {error.strerror}.") from None
    for entry in entries:
        if entry.name.startswith(".") or entry.name in _LEFT_OUT:
            continue
        path = folder / entry.name
        is_folder, is_file = _kind_of(entry)
        if is_folder:
            real = os.path.realpath(path)
            if real not in above:  # otherwise a link to a folder above would never end
                yield from _walk(path, (*above, real))
        elif is_file:
            yield path
        elif entry.is_symlink():
            raise UserError(
                f"The link {path} leads to {os.path.realpath(path)}, which does not exist; "
                "restore it or remove the link."
            )


def _kind_of(entry: os.DirEntry[str]) -> tuple[bool, bool]:
    """Return whether an entry is a folder, and whether it is a file; links are followed.

    Both are False for a link whose target is missing or is the link itself.
    """
    try:
        return entry.is_dir(), entry.is_file()
    except OSError:  # a link to itself
        return False, False


def short_names(labels: Sequence[Path], folder: Path, ending: str) -> list[str]:
    """Return the name of each scene in a layout such as Cityscapes', where label files end alike.

    A scene's name is the file's name if all file names differ, as in the official data. Otherwise
    all names are paths below the folder, because two towns may have files of equal names. The
    ending is removed in both cases.

    Args:
        labels: the label map of each scene.
        folder: the folder above all label maps.
        ending: the end of the file names, which is removed.
    """
    short = [to_nfc(path.name.removesuffix(ending)) for path in labels]
    if len(set(short)) == len(short):
        return short
    parents = (to_nfc(path.parent.relative_to(folder).as_posix()) for path in labels)
    return [f"{parent}/{name}" for parent, name in zip(parents, short, strict=True)]
