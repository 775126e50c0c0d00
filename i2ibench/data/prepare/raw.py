"""A publisher's data set as its reader finds it: classes, and scenes that are read when written."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2ibench.data.classes import ClassTable, class_table
from i2ibench.errors import UserError

Content = Path | NDArray[Any]
"""An image of a scene: a file that is used as it is, or pixels that are written as PNG."""

LAST = "image"
"""The kind of data that is written last: a scene that has it is whole."""

FIRST_INSTANCE = 256
"""Where objects' ids begin in prepared instance maps; smaller ones are class ids."""


@dataclass(frozen=True)
class RawScene:
    """One scene: its name, the same in all folders, and a function that gives its images."""

    name: str
    read: Callable[[], Mapping[str, Content]]


@dataclass(frozen=True)
class RawData:
    """The scenes by split, and the classes of their label maps (none without label maps).

    `closing` gives lines for the user once all scenes are written: what was used and left out.
    """

    splits: Mapping[str, Sequence[RawScene]]
    classes: ClassTable = field(default_factory=lambda: class_table(()))
    closing: Callable[[], list[str]] = list


@dataclass(frozen=True)
class PublishedData:
    """What `prepare_data` knows of a data set.

    Attributes:
        read: gives the data for the publisher's folder; its other parameters are options.
        obtain: what to download from where, its size, and how it is laid out.
        config: the config that trains on it; None where each user writes one.
        digest: gives a hash of the files in the user's folder that the user may edit, such as
            annotations; None where a publisher's files stay as they are.
    """

    read: Callable[..., RawData]
    obtain: str
    config: str | None = None
    digest: Callable[[Path], str] | None = None


def number_instances(
    label: NDArray[np.integer], objects: NDArray[np.integer], things: NDArray[np.bool_]
) -> NDArray[np.uint16]:
    """Return the instance map [H,W]: class ids, and above them a number for each object of a thing.

    Objects that cross from one class into another become one object in each.

    Args:
        label: class ids [H,W].
        objects: any non-negative number per object [H,W]; 0 where a thing has no own object.
        things: by class id, whether the class has objects, [256] or more; numbers begin at its
            length.

    Raises:
        UserError: there are more objects than 16 bits hold.
    """
    within = things[label] & (objects > 0)
    pairs = label[within].astype(np.int64) << 40 | objects[within].astype(np.int64)
    found, numbers = distinct(pairs)
    first = max(FIRST_INSTANCE, len(things))
    if len(found) > 2**16 - first:
        raise UserError(f"A scene has {len(found)} objects, more than a 16-bit PNG can number.")
    instance = label.astype(np.uint16)
    instance[within] = first + numbers
    return instance


def distinct(values: NDArray[np.integer]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """The different values, sorted, and which of them each of `values` [N] is, as np.unique does.

    Sorts runs of equal values only, of which maps have few.
    """
    starts = np.flatnonzero(np.concatenate([[values.size > 0], values[1:] != values[:-1]]))
    found, numbers = np.unique(values[starts], return_inverse=True)
    return found, np.repeat(numbers, np.diff(np.append(starts, values.size)))


def things_of(classes: ClassTable) -> NDArray[np.bool_]:
    """Return by class id whether the class is a thing, bool [256] or more."""
    things = np.zeros(classes.num_values, bool)
    things[[c.id for c in classes.classes if c.thing]] = True
    return things


def unpacked(source: Path, name: str) -> Path:
    """The folder of an unpacked archive: `name` in `source`, or `source` if it is that folder."""
    inner = source / name
    return inner if inner.is_dir() else source


def require(path: Path, obtain: str) -> Path:
    """`path`, if it exists.

    Raises:
        UserError: it does not; the message says how to get it.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist. {obtain}")
    return path


def require_all(paths: Sequence[Path], obtain: str) -> None:
    """Refuse a download that lacks files.

    Raises:
        UserError: some do not exist; the first three are named.
    """
    missing = [path for path in paths if not path.is_file()]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise UserError(f"Missing: {', '.join(map(str, missing[:3]))}{more}. {obtain}")
