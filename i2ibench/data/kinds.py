"""Kinds of data: the one table of what the files of a scene may be."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from i2ibench.data.classes import ClassTable
from i2ibench.data.maps import read_instance, read_label
from i2ibench.errors import UserError, near_match
from i2ibench.io.safe_names import safe_name

Reading = Callable[[Path, ClassTable], NDArray[Any]]


@dataclass(frozen=True)
class Kind:
    """One kind of data, such as label maps, photos or depth.

    A kind is a map or an image. A map holds ids, integers [H,W] that are never mixed. An image
    holds brightness or distance, [H,W,C], and is resized by PIL's bicubic filter.

    Attributes:
        name: the key in samples and batches, and the name of the folder in which `translate` looks.
        called: several of its files in messages, such as "label maps".
        one: one of its files in messages, such as "a label map".
        way_out: what a user can do where such files are missing, a sentence without its full stop.
        read: reads a map's file as integers [H,W]; None for an image.
        wide: whether a map's ids need int32 in a sample, instead of uint8.
    """

    name: str
    called: str
    one: str
    way_out: str
    read: Reading | None = None
    wide: bool = False

    @property
    def is_map(self) -> bool:
        """Return whether files of the kind hold ids."""
        return self.read is not None


def _read_ids(path: Path, classes: ClassTable) -> NDArray[Any]:
    return read_instance(path)


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "label", "label maps", "a label map",
            "For data without classes take data_preprocessor=dict(type='ImagePreprocessor')",
            read=read_label,
        ),
        Kind(
            "source", "sources", "a source",
            "Name the folder of the images that are translated as the data set's source_dir; to "
            "translate, put them into the input folder's source/",
        ),
        Kind(
            "instance", "instance maps", "an instance map",
            "Add them (PairedFolder: instance_dir), or leave 'instances' out of the condition "
            "(LabelPreprocessor: data_preprocessor.boundaries=False)",
            read=_read_ids, wide=True,
        ),
        Kind(
            "image", "photos", "a photo",
            "Add them (PairedFolder: image_dir; Cityscapes: photos=True); edges can be of other "
            "images, too: data_preprocessor.edges_of='source'",
        ),
    )
}  # fmt: skip
"""Every kind by name, in the order in which a scene's files are read and hashed. `image` is what is
learnt; `label` and `source` are what is translated. A plugin adds a kind by `register_kind`."""

BUILT_IN = tuple(KINDS)
"""The kinds that are not a plugin's."""

RESERVED = (
    "name", "names", "rng", "condition", "real", "fake", "samples", "styles", "appearances",
    "labels", "colours", "instances", "edges", "features",
)  # fmt: skip
"""Other keys of samples, batches and predictions, and other words of conditions."""


def register_kind(kind: Kind) -> None:
    """Add a kind, which data sets, transforms, caches, shards and conditions know from then on.

    An image's kind can be named in a condition: it becomes planes in [-1, 1]. A map's becomes the
    boundaries between its ids.

    Raises:
        UserError: another kind has that name, or the name is reserved or cannot be a folder's.
    """
    safe_name(kind.name, "A kind of data", folders=False)
    if kind.name in RESERVED:
        raise UserError(f"{kind.name!r} has another meaning; give the kind of data another name.")
    if KINDS.get(kind.name, kind) != kind:
        raise UserError(f"Two kinds of data are called {kind.name!r}; rename one of them.")
    KINDS[kind.name] = kind


def kind_of(name: str) -> Kind:
    """Return the kind of a name.

    Raises:
        UserError: there is no such kind; the message lists what exists and the near match.
    """
    if name not in KINDS:
        known = ", ".join(KINDS)
        raise UserError(f"No kind of data {name!r}.{near_match(name, KINDS)} Known: {known}.")
    return KINDS[name]


def in_order(names: Iterable[str]) -> list[Kind]:
    """Return the kinds of the names in the order of the table.

    Raises:
        UserError: see `kind_of`.
    """
    asked = {kind_of(name).name for name in names}
    return [kind for kind in KINDS.values() if kind.name in asked]


def images_among(names: Iterable[str]) -> list[str]:
    """Return those of the names that are images' kinds, in the order of the table."""
    return [kind.name for kind in in_order(names) if not kind.is_map]
