"""Class tables of data sets: names, colours, ids in label files, and which classes are scored."""

import colorsys
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2ibench.data.pixel_formats import PixelFormat, metainfo_entries
from i2ibench.errors import UserError, near_match
from i2ibench.io.safe_names import safe_text

VOID = 255
"""The scored id of a class that segmentation scores leave out."""

MAX_CLASSES = 256

MAX_ID = 2**16 - 1
"""The largest value in a 16-bit label file."""

FIELDS = ("name", "id", "colour", "scored", "thing")


@dataclass(frozen=True)
class SemanticClass:
    """A class of a data set.

    Attributes:
        name: the name in reports and messages.
        id: the value of the class in label files, 0..65535; above 255 only in 16-bit files.
        colour: (red, green, blue), 0..255.
        scored: whether segmentation scores include the class.
        thing: whether the class has instances, such as cars. The class's own id is never the id of
            one instance.
    """

    name: str
    id: int
    colour: tuple[int, int, int]
    scored: bool = True
    thing: bool = False

    def entry(self) -> dict[str, Any]:
        """Return the class's name, id, colour, scored and thing as a dict of JSON values.

        The dict is an entry of `classes.json` and of `class_table`.
        """
        return {**vars(self), "colour": list(self.colour)}


@dataclass(frozen=True)
class ClassTable:
    """A table of all classes of a data set, empty for data without label maps.

    The position of a class is its channel in the one-hot condition.

    Raises:
        UserError: there are more than `MAX_CLASSES`, an id is used twice or is out of range, or a
            name holds a control character.
    """

    classes: tuple[SemanticClass, ...]

    def __post_init__(self) -> None:
        for c in self.classes:
            safe_text(c.name, "The classes")
        ids = [c.id for c in self.classes]
        if len(ids) > MAX_CLASSES:
            raise UserError(
                f"A data set has at most {MAX_CLASSES} classes, got {len(ids)}. Merge some: give "
                "them one id in the label files and one entry in the class list."
            )
        twice = sorted({i for i in ids if ids.count(i) > 1})
        if twice:
            raise UserError(f"Classes need distinct ids; {twice[0]} stands for several of them.")
        wrong = [i for i in ids if not 0 <= i <= MAX_ID]
        if wrong:
            raise UserError(f"Class ids lie in 0..{MAX_ID}, got {wrong[0]}.")

    def __len__(self) -> int:
        return len(self.classes)

    @property
    def num_values(self) -> int:
        """Return the length of `channel_of_value`: the largest class id + 1, at least 256."""
        return max([256, *(c.id + 1 for c in self.classes)])

    def values(self) -> NDArray[np.integer]:
        """Return the id of each class in table order, uint8 [N], or uint16 if an id exceeds 255."""
        ids = [c.id for c in self.classes]
        return np.array(ids, np.uint8 if max(ids, default=0) < 256 else np.uint16)

    def channel_of_value(self) -> NDArray[np.int16]:
        """Return a lookup table from values in label files to channels, int16 [num_values].

        A class's channel is its position in the class table. The entry is -1 for a value of no
        class.
        """
        table = np.full(self.num_values, -1, np.int16)
        for channel, semantic_class in enumerate(self.classes):
            table[semantic_class.id] = channel
        return table

    def metainfo(
        self, dataset: str, formats: Mapping[str, PixelFormat] | None = None
    ) -> dict[str, Any]:
        """Return a description of the data set in JSON values, for other parts and checkpoints.

        `dataset` is the name. `classes`, `palette` and `ids` list the classes' names, colours and
        ids by channel. `scored_classes` lists the names of the scored classes. `scored_ids` lists
        for each channel the position among them, or `VOID` for a class that is not scored.
        `thing_ids` maps the channel of each thing, as a string, to the class's own id.
        `image_channels`, `image_depth` (absent for 8) and `formats` (absent if not needed) hold the
        formats of the images, see `format_in`.

        Args:
            dataset: the name of the data set.
            formats: the format of each kind of image; kinds that are missing are 8-bit RGB.

        Raises:
            UserError: the name of the data set holds a control character.
        """
        scored = [c for c in self.classes if c.scored]
        rows = {c.name: row for row, c in enumerate(scored)}
        safe_text(dataset, "The name of the data set")
        return {
            "dataset": dataset,
            "classes": [c.name for c in self.classes],
            "palette": [list(c.colour) for c in self.classes],
            "ids": [c.id for c in self.classes],
            "scored_classes": [c.name for c in scored],
            "scored_ids": [rows.get(c.name, VOID) for c in self.classes],
            **metainfo_entries(formats or {}),
            "thing_ids": {str(i): c.id for i, c in enumerate(self.classes) if c.thing},
        }


def stored_table(metainfo: Mapping[str, Any]) -> ClassTable:
    """Return the class table that a data set's metainfo describes, see `ClassTable.metainfo`.

    Without `thing_ids`, as in older checkpoints, no class is a thing; without `scored_ids`, every
    class is scored.

    Args:
        metainfo: the metainfo, for example of a checkpoint.
    """
    things, rows = metainfo.get("thing_ids", {}), metainfo.get("scored_ids", [])
    columns = zip(metainfo["classes"], metainfo["ids"], metainfo["palette"], strict=True)
    return ClassTable(
        tuple(
            SemanticClass(
                name, number, (rgb[0], rgb[1], rgb[2]), rows[k : k + 1] != [VOID], str(k) in things
            )
            for k, (name, number, rgb) in enumerate(columns)
        )
    )


def class_table(entries: Sequence[str | Mapping[str, Any]]) -> ClassTable:
    """Return the class table of a list of class names, or of dicts with a name and other FIELDS.

    A class without an id gets its position as id. A class without a colour gets a distinct hue. A
    class is scored and no thing unless its dict says otherwise.

    Args:
        entries: the classes in the order of their channels; an empty list gives an empty table.

    Raises:
        UserError: an entry is malformed or has an unknown field, a name is empty, two classes share
            a name or id, an id is out of range, or there are too many classes.
    """
    classes = [_read_class(entry, i, len(entries)) for i, entry in enumerate(entries)]
    names = [unicodedata.normalize("NFC", c.name) for c in classes]
    if not all(name.strip() for name in names):
        raise UserError(f"A class has an empty name: {names}.")
    if len(set(names)) < len(names):
        raise UserError(f"Class names must be distinct: {names}.")
    return ClassTable(tuple(classes))


def _read_class(entry: str | Mapping[str, Any], position: int, count: int) -> SemanticClass:
    fields: Any = {"name": entry} if isinstance(entry, str) else entry
    if not isinstance(fields, Mapping) or not isinstance(fields.get("name"), str):
        raise UserError(f"A class is a name or a dict with a 'name', got {entry!r}.")
    for field in fields:
        if field not in FIELDS:
            raise UserError(
                f"Class {fields['name']!r} has an unknown field {field!r}."
                f"{near_match(field, FIELDS)} Fields: {', '.join(FIELDS)}."
            )
    number = fields.get("id", position)
    flags = {flag: fields[flag] for flag in ("scored", "thing") if flag in fields}
    whole = isinstance(number, int) and not isinstance(number, bool)
    if not whole or not all(isinstance(f, bool) for f in flags.values()):
        raise UserError(
            f"Class {fields['name']!r}: id is an integer, scored and thing are true or false."
        )
    return SemanticClass(
        fields["name"], number, _colour(fields.get("colour"), position, count), **flags
    )


def _colour(value: Sequence[int] | None, position: int, count: int) -> tuple[int, int, int]:
    if value is not None:
        listed = value if isinstance(value, Sequence) else ()
        levels = [v for v in listed if type(v) is int and 0 <= v <= 255]
        if len(levels) != 3 or len(listed) != 3:
            raise UserError(f"A colour is three integers in 0..255, got {value!r}.")
        return levels[0], levels[1], levels[2]
    # Neighbouring classes have close hues, so they alternate in brightness.
    rgb = colorsys.hsv_to_rgb(position / count, 0.65, 0.9 if position % 2 else 0.6)
    return round(rgb[0] * 255), round(rgb[1] * 255), round(rgb[2] * 255)


_THINGS = {24, 25, 26, 27, 28, 29, 30, 31, 32, 33}
_SCORED = {7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33}

_CLASSES: tuple[tuple[str, tuple[int, int, int]], ...] = (
    ("unlabeled", (0, 0, 0)), ("ego vehicle", (0, 0, 0)), ("rectification border", (0, 0, 0)),
    ("out of roi", (0, 0, 0)), ("static", (20, 20, 20)), ("dynamic", (111, 74, 0)),
    ("ground", (81, 0, 81)), ("road", (128, 64, 128)), ("sidewalk", (244, 35, 232)),
    ("parking", (250, 170, 160)), ("rail track", (230, 150, 140)), ("building", (70, 70, 70)),
    ("wall", (102, 102, 156)), ("fence", (190, 153, 153)), ("guard rail", (180, 165, 180)),
    ("bridge", (150, 100, 100)), ("tunnel", (150, 120, 90)), ("pole", (153, 153, 153)),
    ("polegroup", (153, 153, 153)), ("traffic light", (250, 170, 30)),
    ("traffic sign", (220, 220, 0)), ("vegetation", (107, 142, 35)), ("terrain", (152, 251, 152)),
    ("sky", (70, 130, 180)), ("person", (220, 20, 60)), ("rider", (255, 0, 0)),
    ("car", (0, 0, 142)), ("truck", (0, 0, 70)), ("bus", (0, 60, 100)), ("caravan", (0, 0, 90)),
    ("trailer", (0, 0, 110)), ("train", (0, 80, 100)), ("motorcycle", (0, 0, 230)),
    ("bicycle", (119, 11, 32)), ("license plate", (0, 0, 142)),
)  # fmt: skip

CITYSCAPES_CLASSES = ClassTable(
    tuple(
        SemanticClass(name, number, colour, scored=number in _SCORED, thing=number in _THINGS)
        for number, (name, colour) in enumerate(_CLASSES)
    )
)
"""The 35 classes of Cityscapes, whose position is the label id; ToyStreet has the same classes.

The licence plate, which no file contains and which has the id -1 in the official table, is 34. The
order of the 19 scored classes is the order of Cityscapes' train ids."""
