"""The classes of a checkpoint, as the editor needs them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2ibench.data.classes import VOID, ClassTable, SemanticClass


@dataclass(frozen=True)
class Classes:
    """The classes, in the order of their numbers 0..N-1, which are the channels of the input.

    Attributes:
        names: the name of each class.
        colours: the colour of each class, (red, green, blue) in 0..255.
        ids: the value of each class in label files.
        things: whether each class has countable instances, such as cars.
        canvas: the number of the class that fills an empty canvas.
    """

    names: tuple[str, ...]
    colours: tuple[tuple[int, ...], ...]
    ids: tuple[int, ...]
    things: tuple[bool, ...]
    canvas: int

    def __len__(self) -> int:
        return len(self.names)

    def table(self) -> ClassTable:
        """Return the class table that label files are read with: names, ids, colours and things."""
        rows = zip(self.names, self.ids, self.colours, self.things, strict=True)
        return ClassTable(
            tuple(SemanticClass(name, i, (c[0], c[1], c[2]), thing=t) for name, i, c, t in rows)
        )

    def values(self) -> NDArray[np.integer]:
        """Return the value of each class in label files, [N], to be indexed by class numbers.

        The type is uint8 if all values fit, else uint16.
        """
        return np.array(self.ids, np.uint8 if max(self.ids) < 256 else np.uint16)


def read_classes(metainfo: Mapping[str, Any]) -> Classes:
    """Return the classes that a checkpoint's metainfo describes.

    An empty canvas is filled with the first class that is scored and no thing. If there is none,
    any class that is no thing comes before a thing. If the metainfo has no `thing_ids`, as in older
    checkpoints, no class is a thing.

    Args:
        metainfo: has `classes`, `palette`, `ids` and `scored_ids`, each with one entry per class,
            and perhaps `thing_ids`, whose keys are the numbers of the thing classes as texts.
    """
    names = tuple(metainfo["classes"])
    things = tuple(str(channel) in metainfo.get("thing_ids", {}) for channel in range(len(names)))
    # Prefer a scored stuff class: those that are not scored include names such as "unlabeled".
    scored = [row != VOID for row in metainfo["scored_ids"]]
    canvas = min(range(len(names)), key=lambda channel: (things[channel], not scored[channel]))
    return Classes(
        names,
        tuple(tuple(int(level) for level in colour) for colour in metainfo["palette"]),
        tuple(int(i) for i in metainfo["ids"]),
        things,
        canvas,
    )
