"""Annotation files of other programs: recognised, so that a message can say how to use them."""

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from i2ibench.errors import UserError

FILES_LOOKED_AT = 2000
"""Files below a folder that are looked at; annotations lie beside the first photos."""

BYTES_LOOKED_AT = 1 << 16


def annotation_advice(folder: Path) -> str:
    """Return a sentence with a leading space that names the command for a folder's annotations.

    Return "" if the folder holds no annotations of labelme, COCO or CVAT.
    """
    for path in islice(_annotation_files(folder), FILES_LOOKED_AT):
        name = _format(path)
        if name is not None:
            return (
                f" {path} holds annotations ({_WORDS[name]}); label maps are made of them by "
                f"`i2ibench prepare_data {name} {shlex.quote(str(folder))} TARGET`."
            )
    return ""


@contextmanager
def adding_annotation_advice(folder: Path) -> Iterator[None]:
    """Add to the message of a `UserError` how annotations in the folder become label maps."""
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
    """Yield JSON and XML files among the first files of each folder, those above first."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            known = name in ("classes.json", "preparation.json") or name.startswith(".")
            if name.lower().endswith((".json", ".xml")) and not known:
                yield Path(place, name)


def _format(path: Path) -> str | None:
    """Return which preparation reads a file, judged by its beginning; None for no known one."""
    try:
        with path.open("rb") as file:
            begin = file.read(BYTES_LOOKED_AT)
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
