"""The classes that a checkpoint knows, as the editor needs them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Classes:
    """The classes by channel.

    Attributes:
        names: what each is called.
        colours: (red, green, blue) of each, 0..255.
        ids: the value that stands for each in label files.
        things: whether each has instances, such as cars.
    """

    names: tuple[str, ...]
    colours: tuple[tuple[int, ...], ...]
    ids: tuple[int, ...]
    things: tuple[bool, ...]

    def __len__(self) -> int:
        return len(self.names)

    def first_stuff(self) -> int:
        """The first class that is no thing; the first of all where every class is one."""
        return next((c for c, thing in enumerate(self.things) if not thing), 0)


def read_classes(metainfo: Mapping[str, Any]) -> Classes:
    """The classes in a checkpoint's metainfo; older ones do not tell things apart."""
    things = metainfo.get("thing_ids", {})
    names = tuple(metainfo["classes"])
    return Classes(
        names,
        tuple(tuple(int(level) for level in colour) for colour in metainfo["palette"]),
        tuple(int(i) for i in metainfo["ids"]),
        tuple(str(channel) in things for channel in range(len(names))),
    )
