"""The class table of a data set: names, colours, file values, and which classes are scored."""

import colorsys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2ibench.errors import UserError

VOID = 255
"""The scored id of a class that no score counts."""

MAX_CLASSES = 256


@dataclass(frozen=True)
class SemanticClass:
    """One class.

    Attributes:
        name: what it is called.
        id: the value that stands for it in label files, 0..255.
        colour: (red, green, blue), 0..255.
        scored: whether segmentation scores count it.
    """

    name: str
    id: int
    colour: tuple[int, int, int]
    scored: bool = True


@dataclass(frozen=True)
class ClassTable:
    """All classes of a data set; a class's position is its channel in the condition."""

    classes: tuple[SemanticClass, ...]

    def __post_init__(self) -> None:
        ids = [c.id for c in self.classes]
        if not ids or len(ids) > MAX_CLASSES or len(set(ids)) < len(ids):
            raise UserError(
                f"A data set has 1 to {MAX_CLASSES} classes with distinct ids, got ids {ids}."
            )
        if min(ids) < 0 or max(ids) >= MAX_CLASSES:
            raise UserError(f"Class ids lie in 0..{MAX_CLASSES - 1}, got {min(ids)}..{max(ids)}.")

    def __len__(self) -> int:
        return len(self.classes)

    def channel_of_value(self) -> NDArray[np.int16]:
        """Table of 256 entries: file value to channel; -1 where no class has that value."""
        table = np.full(MAX_CLASSES, -1, np.int16)
        for channel, semantic_class in enumerate(self.classes):
            table[semantic_class.id] = channel
        return table

    def metainfo(self, dataset: str) -> dict[str, Any]:
        """What other parts and the checkpoint know of the classes, in plain lists.

        `scored_ids` maps each channel to its row in the scores, `VOID` where it has none.
        """
        scored = [c for c in self.classes if c.scored]
        rows = {c.name: row for row, c in enumerate(scored)}
        return {
            "dataset": dataset,
            "classes": [c.name for c in self.classes],
            "palette": [list(c.colour) for c in self.classes],
            "ids": [c.id for c in self.classes],
            "scored_classes": [c.name for c in scored],
            "scored_ids": [rows.get(c.name, VOID) for c in self.classes],
        }


def class_table(entries: Sequence[str | Mapping[str, Any]]) -> ClassTable:
    """The table for a list of names, or of dicts with name and optional id, colour, scored.

    A class without an id has its position as id; one without a colour gets a distinct hue.

    Raises:
        UserError: an entry is malformed.
    """
    if len({_field(e, "name", None) for e in entries}) < len(entries):
        raise UserError(f"Class names must be distinct: {[_field(e, 'name', e) for e in entries]}.")
    return ClassTable(
        tuple(
            SemanticClass(
                name=str(_field(entry, "name", None)),
                id=int(_field(entry, "id", position)),
                colour=_colour(_field(entry, "colour", None), position, len(entries)),
                scored=bool(_field(entry, "scored", True)),
            )
            for position, entry in enumerate(entries)
        )
    )


def _field(entry: str | Mapping[str, Any], field: str, default: Any) -> Any:
    if isinstance(entry, str):
        return entry if field == "name" else default
    if not isinstance(entry, Mapping) or "name" not in entry:
        raise UserError(f"A class is a name or a dict with a 'name', got {entry!r}.")
    return entry.get(field, default)


def _colour(value: Sequence[int] | None, position: int, count: int) -> tuple[int, int, int]:
    if value is not None:
        red, green, blue = value
        return int(red), int(green), int(blue)
    # Neighbouring classes alternate in brightness, so that they stay apart without full hue range.
    rgb = colorsys.hsv_to_rgb(position / count, 0.65, 0.9 if position % 2 else 0.6)
    return round(rgb[0] * 255), round(rgb[1] * 255), round(rgb[2] * 255)
