"""Recognition of other programs' annotation files, for advice in error messages."""

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from i2ibench.errors import UserError

MAX_FILES_READ = 2000
"""The most files below a folder that are opened; annotations lie beside the first photos."""

MAX_BYTES_READ = 1 << 16
"""The bytes at the beginning of each file that are read."""


def annotation_advice(folder: Path) -> str:
    """Return a sentence with a leading space that names the command for a folder's annotations.

    The beginnings of at most `MAX_FILES_READ` JSON and XML files below the folder are read. Return
    "" if none of them holds annotations of labelme, COCO or CVAT.
    """
    for path in islice(_annotation_files(folder), MAX_FILES_READ):
        name = _format(path)
        if name is not None:
            return (
                f" {path} holds annotations ({_WORDS[name]}); label maps are made of them by "
                f"`i2ibench prepare_data {name} {shlex.quote(str(folder))} TARGET`."
            )
    return ""


@contextmanager
def adding_annotation_advice(folder: Path) -> Iterator[None]:
    """Add `annotation_advice` for a folder to the message of a `UserError` raised in the block.

    If there is no advice, the error is raised unchanged.
    """
    try:
        yield
    except UserError as error:
        advice = annotation_advice(folder)
        if not advice:
            raise
        raise type(error)(f"{error}{advice}") from None


_WORDS = {
    "labelme": "labelme's polygons",
    "coco": "polygons in COCO's form",
    "coco_panoptic": "COCO's panoptic form",
    "cvat": "CVAT's polygons",
}


def _annotation_files(folder: Path) -> Iterator[Path]:
    """Yield the JSON and XML files below a folder that are not hidden and not this project's own.

    This project's own are `classes.json` and `preparation.json`.
    """
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            known = name in ("classes.json", "preparation.json") or name.startswith(".")
            if name.lower().endswith((".json", ".xml")) and not known:
                yield Path(place, name)


def _format(path: Path) -> str | None:
    """Return the name in `prepare_data` of an annotation file's format, found from its beginning.

    Return None for a file in another format, or one that cannot be read.
    """
    try:
        with path.open("rb") as file:
            begin = file.read(MAX_BYTES_READ)
    except OSError:
        return None
    if path.suffix.lower() == ".xml":
        return "cvat" if b"<annotations" in begin and b"<image" in begin else None
    if b'"segments_info"' in begin:
        return "coco_panoptic"
    if b'"shapes"' in begin or b'"imagePath"' in begin:
        return "labelme"
    cocos = path.name.startswith(("instances_", "_annotations.coco"))
    return "coco" if cocos or (b'"images"' in begin and b'"file_name"' in begin) else None
