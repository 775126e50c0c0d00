"""Annotation files in COCO's JSON form: finding them, and what they have to hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from i2ibench.data.prepare.annotation_classes import CLASSES_FILE
from i2ibench.data.prepare.annotation_files import files_below
from i2ibench.data.prepare.splits import split_of
from i2ibench.errors import UserError
from i2ibench.io.files import read_json

OBTAIN = (
    "COCO's instances are http://images.cocodataset.org/annotations/"
    "annotations_trainval2017.zip (241 MB), unpacked into annotations/, with the photos in "
    "train2017/ and val2017/. Roboflow's export is train/ and valid/ with _annotations.coco.json "
    "beside the photos; other tools' is one JSON file in SOURCE or in annotations/."
)


def annotation_paths(source: Path) -> list[Path]:
    """Return the annotation files: Roboflow's, else COCO's, else the one JSON file that is there.

    Raises:
        UserError: there is none, or more than one and no telling which.
    """
    every = [path for path in files_below(source, (".json",)) if path.name != CLASSES_FILE]
    for belongs in (_is_roboflows, _is_cocos):
        found = [path for path in every if belongs(path)]
        if found:
            return found
    near = [p for p in every if p.parent in (source, source / "annotations") or _of_split(p)]
    if len(near) == 1 or (near and all(_of_split(path) for path in near)):
        return near
    named = f" It has {', '.join(map(str, near[:3]))}." if near else ""
    raise UserError(f"{source} holds no annotations of COCO's form.{named} {OBTAIN}")


def _is_roboflows(path: Path) -> bool:
    return path.name == "_annotations.coco.json"


def _is_cocos(path: Path) -> bool:
    return path.name.startswith("instances_")


def _of_split(path: Path) -> bool:
    return split_of(path.stem) is not None or split_of(path.parent.name) is not None


@dataclass(frozen=True)
class CocoFile:
    """An annotation file.

    Attributes:
        path: where it is.
        content: what it holds: lists of images, annotations and categories.
    """

    path: Path
    content: Mapping[str, list[dict[str, Any]]]

    @cached_property
    def names(self) -> dict[int, str]:
        """Return the name of each category, by its id."""
        return {entry["id"]: entry["name"] for entry in self.content["categories"]}

    @property
    def subset(self) -> str:
        """Return the name that the file or its folder gives its photos, such as "train2017"."""
        stem = self.path.stem.removeprefix("instances_")
        return self.path.parent.name if _is_roboflows(self.path) else stem


_FIELDS: Mapping[str, Mapping[str, Any]] = {
    "images": {"id": int | str, "file_name": str},
    "annotations": {"image_id": int | str, "category_id": int},
    "categories": {"id": int, "name": str},
}
"""The fields of every entry and their types, by list."""


def read_content(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the lists of images, annotations and categories.

    Raises:
        UserError: the file is broken or of another form, or an entry lacks a field.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not _FIELDS.keys() <= content.keys():
        raise UserError(f"{path} lacks {', '.join(_FIELDS)}, so it is not COCO's form. {OBTAIN}")
    if "segments_info" in str(content["annotations"])[:2000]:
        raise UserError(
            f"{path} is a panoptic file; `i2ibench prepare_data coco_panoptic SOURCE TARGET` reads "
            "those."
        )
    for key, fields in _FIELDS.items():
        entries = content[key] if isinstance(content[key], list) else [None]
        for entry in entries:
            lacking = [f for f, kind in fields.items() if not _has(entry, f, kind)]
            if lacking:
                raise UserError(f"{path} has an entry of {key} without a proper {lacking[0]}.")
    return {key: content[key] for key in _FIELDS}


def _has(entry: Any, field: str, kind: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get(field), kind)
